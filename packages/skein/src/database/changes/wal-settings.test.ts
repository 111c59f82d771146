// A setting that is changed in the log format wal comes with the pages that hold it: members stay the same byte for byte.
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Acknowledgement } from "../../consensus/acknowledge/acknowledgement.ts";
import type { AppliedEntry, WriteRequest } from "../database.ts";
import { readState } from "../own-tables.ts";
import { readSettingChange } from "../setting-change.ts";
import { differingPages, imageOf } from "../testing/contents.ts";
import { commitGroup, formatRequest, type Members, requestOf, withMembers } from "../testing/members.ts";
import type { Writer } from "../writer.ts";

const names = ["a", "b", "c"];

function member({ writers }: Members, name: string): Writer {
	const writer = writers[name];
	if (writer === undefined) throw new Error(`no member ${name}`);
	return writer;
}

const modeRequest = (value: Acknowledgement): WriteRequest => ({
	...requestOf([]),
	setting: { name: "acknowledgement", value },
});

function commit(members: Members, leader: string, request: WriteRequest): void {
	commitGroup(
		members,
		leader,
		names.filter((name) => name !== leader),
		[request],
	);
}

function expectSame(members: Members, acknowledgement: Acknowledgement): void {
	const [first, ...others] = names.map((name) => imageOf(join(members.directory, name)));
	for (const other of others) expect(differingPages(first ?? other, other)).toBeNull();
	for (const name of names)
		expect(readState(member(members, name).connection())).toMatchObject({ acknowledgement });
}

test("a mode that is chosen, chosen again, and taken back, whoever leads", () => {
	withMembers((members) => {
		member(members, "a").prepareToLead();
		commit(members, "a", modeRequest({ mode: "chain" }));
		commit(members, "a", formatRequest("wal"));
		expectSame(members, { mode: "chain" });
		commit(members, "a", requestOf(["create table t (x)"]));
		for (const value of [{ mode: "async" }, { mode: "async" }, { mode: "sync", strict: true }] as const) {
			commit(members, "a", modeRequest(value));
			const { payload } = members.log.at(-1) ?? { payload: new Uint8Array(0) };
			expect(readSettingChange(payload)).toEqual({ name: "acknowledgement", value });
			expectSame(members, value);
		}
		const strict = { mode: "sync", strict: true } as const;
		const [lost] = member(members, "a").execute([modeRequest({ mode: "async" })]);
		expect(lost?.payload).not.toBeNull();
		member(members, "a").rollback();
		expectSame(members, strict);
		commit(members, "a", requestOf(["insert into t values (1)"]));
		expectSame(members, strict);
		member(members, "b").prepareToLead();
		commit(members, "b", requestOf(["insert into t values (2)"]));
		commit(members, "b", modeRequest({ mode: "quorum" }));
		expectSame(members, { mode: "quorum" });
	});
});

test("many entries at once, over a change out of wal and back", () => {
	withMembers((members) => {
		member(members, "a").prepareToLead();
		const from = members.log.length;
		const requests = [
			requestOf(["create table t (x)"]),
			modeRequest({ mode: "async" }),
			formatRequest("wal"),
			requestOf(["insert into t values (1)"]),
			modeRequest({ mode: "quorum" }),
			requestOf(["insert into t values (2)"]),
			formatRequest("row"),
			modeRequest({ mode: "async" }),
			requestOf(["insert into t values (3)"]),
			formatRequest("wal"),
			requestOf(["insert into t values (4)"]),
		];
		for (const request of requests) commitGroup(members, "a", ["b"], [request]);
		const entries: AppliedEntry[] = members.log.slice(from);
		expect(entries.length).toBe(requests.length);
		member(members, "c").apply(entries);
		expectSame(members, { mode: "async" });
		member(members, "c").prepareToLead();
		commit(members, "c", modeRequest({ mode: "chain" }));
		expectSame(members, { mode: "chain" });
	});
});

test("behind a change out of wal that is not committed yet, in the same transaction of SQLite's", () => {
	withMembers((members) => {
		const a = member(members, "a");
		a.prepareToLead();
		commit(members, "a", formatRequest("wal"));
		commit(members, "a", requestOf(["create table t (id integer primary key, x)"]));
		const outcomes = [
			a.execute([formatRequest("row")]),
			a.execute([requestOf(["insert into t (x) values (1)"])], true),
		];
		for (const payload of outcomes.map(([one]) => one?.payload)) {
			if (payload === null || payload === undefined) throw new Error("nothing was captured");
			const position = { index: ++members.index, term: 1 };
			for (const name of ["b", "c"])
				member(members, name).apply([
					{ position, kind: "command", payload: Uint8Array.from(payload), configuration: null },
				]);
		}
		a.commit({ index: members.index, term: 1 });
		commit(members, "a", modeRequest({ mode: "async" }));
		commit(members, "a", requestOf(["insert into t (x) values (2)"]));
		for (const name of names)
			expect(member(members, name).connection().prepare("select x from t order by x").all()).toEqual([
				{ x: 1 },
				{ x: 2 },
			]);
		commit(members, "a", formatRequest("wal"));
		expectSame(members, { mode: "async" });
	});
});
