// The log format is changed by an entry: all members have it from the same index on, and a log that holds both is replayed.
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { contentsOf } from "../testing/contents.ts";
import {
	commitGroup,
	formatRequest,
	type Members,
	openWriter,
	requestOf,
	withMembers,
} from "../testing/members.ts";

function write(members: Members, leader: string, sql: string): void {
	const followers = ["a", "b", "c"].filter((name) => name !== leader);
	commitGroup(members, leader, followers, [requestOf([sql])]);
}

function codes({ log }: Members): (number | undefined)[] {
	return log.map(({ payload }) => payload[0]);
}

function expectEqual({ directory }: Members): void {
	const [a, b, c] = ["a", "b", "c"].map((name) => contentsOf(join(directory, name)));
	expect(b).toEqual(a);
	expect(c).toEqual(a);
}

const row = 1;
const statement = 3;
const change = 16;

/** Four writes with a change to `statement` and one back, and leaders that change with them. */
function writeMixed(members: Members): void {
	members.writers["a"]?.prepareToLead();
	write(members, "a", "create table t (id integer primary key, x)");
	write(members, "a", "insert into t values (1, 'row')");
	commitGroup(members, "a", ["b", "c"], [formatRequest("statement")]);
	write(members, "a", "insert into t values (2, 'statement')");
	members.writers["b"]?.prepareToLead();
	write(members, "b", "update t set x = x || '!'");
	commitGroup(members, "b", ["a", "c"], [formatRequest("row")]);
	write(members, "b", "delete from t where id = 1");
}

test("entries hold the format that was chosen before them, on every leader", () => {
	withMembers((members) => {
		writeMixed(members);
		expect(codes(members)).toEqual([row, row, change, statement, statement, change, row]);
		expectEqual(members);
	});
});

test("a member that opens its database anew, or somebody's copy of it, knows the format", () => {
	withMembers((members) => {
		const { directory, writers } = members;
		writers["a"]?.prepareToLead();
		write(members, "a", "create table t (x)");
		commitGroup(members, "a", ["b"], [formatRequest("statement")]);
		const copy = join(directory, "copy");
		writers["b"]?.connection().exec("PRAGMA wal_checkpoint(TRUNCATE)");
		copyFileSync(join(directory, "b"), copy);
		const opened = openWriter(copy);
		opened.prepareToLead();
		const [outcome] = opened.execute([requestOf(["insert into t values (1)"])]);
		expect(outcome?.payload?.[0]).toBe(statement);
		opened.close();
	});
});

test("a log that holds both formats is replayed from its beginning", () => {
	withMembers((members) => {
		writeMixed(members);
		const replayed = openWriter(join(members.directory, "replayed"));
		replayed.apply(members.log);
		replayed.prepareToLead();
		const [outcome] = replayed.execute([requestOf(["insert into t values (3, 'new')"])]);
		expect(outcome?.payload?.[0]).toBe(row);
		replayed.rollback();
		replayed.close();
		expect(contentsOf(join(members.directory, "replayed"))["t"]).toEqual(
			contentsOf(join(members.directory, "a"))["t"],
		);
	});
});

test("a change that the log did not take is taken back", () => {
	withMembers((members) => {
		const a = members.writers["a"];
		a?.prepareToLead();
		write(members, "a", "create table t (x)");
		expect(a?.execute([formatRequest("statement")])[0]?.payload?.[0]).toBe(change);
		a?.rollback();
		write(members, "a", "insert into t values (1)");
		expect(codes(members)).toEqual([row, row]);
	});
});

test("a change is alone in its transaction", () => {
	withMembers(({ writers }) => {
		writers["a"]?.prepareToLead();
		const both = [requestOf(["create table t (x)"]), formatRequest("statement")];
		expect(() => writers["a"]?.execute(both)).toThrow("not alone");
		writers["a"]?.rollback();
	});
});

test("a payload of a format that is not known stops the member", () => {
	withMembers((members) => {
		const entry = { position: { index: 1, term: 1 }, kind: "command", configuration: null } as const;
		expect(() => members.writers["a"]?.apply([{ ...entry, payload: Uint8Array.of(9) }])).toThrow(
			"begins with 9",
		);
		const unknown = Uint8Array.from([change, ...new TextEncoder().encode("braid")]);
		expect(() => members.writers["a"]?.apply([{ ...entry, payload: unknown }])).toThrow("braid");
	});
});
