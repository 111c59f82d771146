// A large transaction of the format wal is applied piece by piece: nobody sees it before its last piece, and it is not held.
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { AppliedEntry } from "../database.ts";
import { differingPages, imageOf } from "../testing/contents.ts";
import {
	commitGroup,
	formatRequest,
	type Members,
	openWriter,
	requestOf,
	withMembers,
} from "../testing/members.ts";
import type { TransactionNote } from "../transaction-note.ts";
import type { Writer } from "../writer.ts";

const note: TransactionNote = {
	client: "n1/7",
	idempotencyKey: null,
	wallTimeMs: 1_000,
	acknowledgement: { mode: "async" },
};

function member({ writers }: Members, name: string): Writer {
	const writer = writers[name];
	if (writer === undefined) throw new Error(`no member ${name}`);
	return writer;
}

/** As the log's fragments, each an entry of its own. */
function piecesOf(members: Members, payload: Uint8Array, bytes: number): AppliedEntry[] {
	const count = Math.ceil(payload.length / bytes);
	return Array.from({ length: count }, (_, at): AppliedEntry => {
		const kind = at === 0 ? "first-piece" : at === count - 1 ? "last-piece" : "later-piece";
		const piece = payload.slice(at * bytes, (at + 1) * bytes);
		return { position: { index: ++members.index, term: 1 }, kind, payload: piece, configuration: null };
	});
}

/** Committed on `leader`; what its followers get of it. */
function captured(
	members: Members,
	leader: string,
	bytes: number,
	...sql: readonly string[]
): AppliedEntry[] {
	const [outcome] = member(members, leader).execute([{ ...requestOf(sql), note }]);
	if (outcome?.payload === null || outcome === undefined) throw new Error("nothing was captured");
	const pieces = piecesOf(members, outcome.payload, bytes);
	member(members, leader).commit({ index: members.index, term: 1 });
	return pieces;
}

function begin(members: Members): void {
	member(members, "a").prepareToLead();
	for (const request of [
		requestOf(["create table t (id integer primary key, x)", "insert into t (x) values ('before')"]),
		formatRequest("wal"),
	])
		commitGroup(members, "a", ["b", "c"], [request]);
}

function expectSameBytes({ directory }: Members, ...names: readonly string[]): void {
	const first = imageOf(join(directory, "a"));
	for (const name of names) expect(differingPages(first, imageOf(join(directory, name)))).toBeNull();
}

const many =
	"with recursive n (i) as (select 1 union all select i + 1 from n where i < 900) insert into t (x) select randomblob(3000) from n";

test.each([1_000, 5_000, 300_000])("in pieces of %d bytes, one by one or many at once", (bytes) => {
	withMembers((members) => {
		begin(members);
		const pieces = captured(members, "a", bytes, many, "create index i on t (x)");
		expect(pieces.length).toBeGreaterThan(10);
		for (const piece of pieces) member(members, "b").apply([piece]);
		member(members, "c").apply(pieces);
		expectSameBytes(members, "b", "c");
		expect(member(members, "b").applied()).toEqual(pieces.at(-1)?.position);
		commitGroup(members, "a", ["b", "c"], [requestOf(["delete from t where id % 2 = 0"])]);
		expectSameBytes(members, "b", "c");
	});
});

test("the change into wal comes in pieces too", () => {
	withMembers((members) => {
		member(members, "a").prepareToLead();
		commitGroup(members, "a", ["b", "c"], [requestOf(["create table t (id integer primary key, x)", many])]);
		const [outcome] = member(members, "a").execute([formatRequest("wal")]);
		const pieces = piecesOf(members, outcome?.payload ?? new Uint8Array(0), 77_777);
		member(members, "a").commit({ index: members.index, term: 1 });
		member(members, "b").apply(pieces);
		for (const piece of pieces) member(members, "c").apply([piece]);
		expectSameBytes(members, "b", "c");
		commitGroup(members, "a", ["b", "c"], [requestOf(["delete from t"])]);
		expectSameBytes(members, "b", "c");
	});
});

test("readers see nothing of it before its last piece, also behind a checkpoint; then all", () => {
	withMembers((members) => {
		begin(members);
		const pieces = captured(members, "a", 50_000, many);
		const reader = new DatabaseSync(join(members.directory, "b"), { readOnly: true });
		const count = (): unknown => reader.prepare("select count(*) as number from t").get()?.["number"];
		for (const [at, piece] of pieces.entries()) {
			expect(count()).toBe(1);
			member(members, "b").apply([piece]);
			if (at % 7 === 3) member(members, "b").connection().exec("PRAGMA wal_checkpoint(PASSIVE)");
		}
		expect(count()).toBe(901);
		reader.close();
		expectSameBytes(members, "b");
	});
});

test("pieces without an end are forgotten: what comes next lies where they lay", () => {
	withMembers((members) => {
		begin(members);
		const [outcome] = member(members, "a").execute([requestOf([many])]);
		const lost = piecesOf(members, outcome?.payload ?? new Uint8Array(0), 50_000);
		member(members, "a").rollback();
		const b = member(members, "b");
		b.apply(lost.slice(0, -1));
		const barrier: AppliedEntry = {
			position: { index: ++members.index, term: 2 },
			kind: "barrier",
			payload: new Uint8Array(0),
			configuration: null,
		};
		for (const name of ["a", "b", "c"]) member(members, name).apply([barrier]);
		expect(() => b.apply(lost.slice(-1))).toThrow("never began");
		member(members, "a").prepareToLead();
		const pieces = captured(members, "a", 60_000, "insert into t (x) values (randomblob(900000))");
		b.apply(pieces.slice(0, 5));
		b.rollback();
		expect(() => b.apply(pieces.slice(5))).toThrow("never began");
		b.apply(pieces);
		member(members, "c").apply(pieces);
		expectSameBytes(members, "b", "c");
	});
});

test("killed between two pieces: a start finds what was before them, and the log brings them again", () => {
	withMembers((members) => {
		begin(members);
		const pieces = captured(members, "a", 50_000, many, "delete from t where id < 100");
		member(members, "b").apply(pieces.slice(0, -1));
		for (const suffix of ["", "-wal"])
			copyFileSync(join(members.directory, `b${suffix}`), join(members.directory, `again${suffix}`));
		const again = openWriter(join(members.directory, "again"));
		expect(again.state.applied.index).toBeLessThan(pieces[0]?.position.index ?? 0);
		again.apply(pieces);
		expectSameBytes(members, "again");
		again.close();
	});
});

test("what another writer did between two pieces is not overwritten", () => {
	withMembers((members) => {
		begin(members);
		const pieces = captured(members, "a", 50_000, many);
		const b = member(members, "b");
		b.apply(pieces.slice(0, 8));
		const other = new DatabaseSync(join(members.directory, "b"));
		other.exec("INSERT INTO t (x) VALUES ('other')");
		expect(() => b.apply(pieces.slice(8))).toThrow("between the pages");
		expect(other.prepare("select count(*) as number from t").get()).toEqual({ number: 2 });
		other.close();
	});
});
