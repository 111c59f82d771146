// Groups that execute behind others in one transaction, and requests that are captured apart with a note.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogFormats } from "./changes/formats.ts";
import { notedTransaction } from "./changes/noted-transaction.ts";
import { decodePayload, formatOf } from "./changes/payload.ts";
import type { WriteOutcome, WriteRequest } from "./database.ts";
import { type LogFormat, logFormats } from "./log-format.ts";
import { defaultDatabaseSettings } from "./settings.ts";
import { contentsOf, differingPages, imageOf } from "./testing/contents.ts";
import type { TransactionNote } from "./transaction-note.ts";
import { createWriter, type Writer } from "./writer.ts";

let directory: string;
let leader: Writer;
let follower: Writer;
let index = 0;

function open(name: string): Writer {
	return createWriter({
		path: join(directory, name),
		formats: createLogFormats(),
		settings: { ...defaultDatabaseSettings, maxTransactionBytes: 100_000 },
		now: () => performance.now(),
	});
}

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "skein-writer-groups-"));
	index = 0;
	leader = open("leader");
	follower = open("follower");
	leader.prepareToLead();
});

afterEach(() => {
	leader.close();
	follower.close();
	rmSync(directory, { recursive: true, force: true });
});

const note: TransactionNote = {
	client: "n1/7",
	idempotencyKey: null,
	wallTimeMs: 1_000,
	acknowledgement: { mode: "async" },
};

function request(sql: string, options: Partial<WriteRequest> = {}): WriteRequest {
	return {
		program: {
			steps: sql.split(";").map((text) => ({
				condition: null,
				statement: { sql: text, arguments: [], namedArguments: [], wantRows: true },
			})),
		},
		foreignKeys: true,
		interactive: false,
		idempotencyKey: null,
		note: null,
		receivedAtMs: 1_000,
		timeoutMs: 5_000,
		...options,
	};
}

const early = (sql: string, options: Partial<WriteRequest> = {}): WriteRequest =>
	request(sql, { note: { ...note, idempotencyKey: options.idempotencyKey ?? null }, ...options });

function follow(outcomes: readonly WriteOutcome[]): void {
	for (const { payload } of outcomes) {
		if (payload === null) continue;
		const position = { index: ++index, term: 1 };
		follower.apply([{ position, kind: "command", payload, configuration: null }]);
	}
}

function commit(): void {
	leader.commit({ index, term: 1 });
	expect(contentsOf(join(directory, "follower"))).toEqual(contentsOf(join(directory, "leader")));
}

function choose(format: LogFormat): void {
	follow(leader.execute([request("", { setting: { name: "format", value: format } })]));
	commit();
}

test.each(logFormats.filter((format) => format !== "wal"))(
	"a group that is taken back leaves those before it, whatever it did to the schema: %s",
	(format) => {
		choose(format);
		follow(leader.execute([early("create table t (id integer primary key autoincrement, x unique)")]));
		follow(
			leader.execute(
				[early("insert into t (x) values ('a')"), early("insert into t (x) values ('b')")],
				true,
			),
		);
		leader.execute(
			[
				early("alter table t add column y"),
				early("create table u (x)"),
				early("insert into u values (1)"),
				early("delete from t"),
			],
			true,
		);
		leader.rollbackGroup();
		expect(() => leader.rollbackGroup()).toThrow("no group");
		// Tables without a key of their own are noted by triggers, which came and went.
		follow(leader.execute([early("create table w (x)"), early("insert into w values ('c')")], true));
		follow(
			leader.execute([early("update t set x = 'd' where x = 'a'"), early("update w set x = 'e'")], true),
		);
		commit();
		const rows = leader.connection().prepare("select x from t order by id").all();
		expect(rows.map(({ x }) => x)).toEqual(["d", "b"]);
		expect(leader.connection().prepare("select name from sqlite_schema where name = 'u'").all()).toEqual([]);
	},
);

test("in wal nothing executes behind what waits, and what is taken back leaves no byte, whatever it did to the schema", () => {
	choose("wal");
	follow(leader.execute([early("create table t (id integer primary key autoincrement, x unique)")]));
	commit();
	const before = imageOf(join(directory, "leader"));
	const [taken] = leader.execute([
		early("alter table t add column y; create table u (x); insert into u values (zeroblob(20000))"),
	]);
	expect(formatOf(taken?.payload ?? new Uint8Array(0))).toBe("wal");
	// Others' pages hold those that wait, so what waits cannot be taken back from under them.
	expect(() => leader.execute([early("insert into t (x) values ('a')")], true)).toThrow(
		"neither committed nor rolled back",
	);
	leader.rollbackGroup();
	expect(() => leader.rollbackGroup()).toThrow("no group");
	expect(differingPages(imageOf(join(directory, "leader")), before)).toBeNull();
	follow(leader.execute([early("create table w (x); insert into w values ('c')")]));
	commit();
	follow(leader.execute([request("insert into t (x) values ('a')"), request("update w set x = 'e'")]));
	commit();
	expect(leader.connection().prepare("select id, x from t").all()).toEqual([{ id: 1, x: "a" }]);
	expect(leader.connection().prepare("select name from sqlite_schema where name = 'u'").all()).toEqual([]);
	expect(differingPages(imageOf(join(directory, "leader")), imageOf(join(directory, "follower")))).toBeNull();
});

test("taking back the first group takes back the transaction, and a rollback takes back all", () => {
	leader.execute([early("create table t (x)")]);
	leader.rollbackGroup();
	follow(leader.execute([early("create table t (y)")]));
	commit();
	leader.execute([early("insert into t values (1)")]);
	leader.execute([early("insert into t values (2)")], true);
	leader.rollback();
	expect(leader.connection().prepare("select * from t").all()).toEqual([]);
	expect(() => leader.execute([early("insert into t values (3)")], true)).toThrow(
		"nothing to execute behind",
	);
});

test("what must be alone in its transaction does not run behind others", () => {
	leader.execute([early("create table t (x)")]);
	const alone = "must be alone";
	expect(() => leader.execute([request("begin", { interactive: true })], true)).toThrow(alone);
	expect(() => leader.execute([request("insert into t values (1)", { foreignKeys: false })], true)).toThrow(
		alone,
	);
});

test("a group that is too large runs again behind the same ones", () => {
	follow(leader.execute([request("create table t (x)")]));
	const outcomes = leader.execute(
		[request("insert into t values ('small')"), request("insert into t values (zeroblob(200000))")],
		true,
	);
	expect(outcomes[1]?.outcome.errors[0]?.code).toBe("PAYLOAD_TOO_LARGE");
	follow(outcomes);
	commit();
	expect(leader.connection().prepare("select x from t").all()).toEqual([{ x: "small" }]);
});

test("each noted request has a payload of its own, which tells who sent it and what it changed", () => {
	follow(leader.execute([request("create table t (id integer primary key, x); create table w (x, y)")]));
	const outcomes = leader.execute(
		[
			early(
				"insert into t values (1, 'it''s'), (2, x'00ff'); update t set x = 9007199254740993 where id = 1",
			),
			early("insert into t values (1, 'taken')"),
			early("insert into w values (null, 1.5); create table z (q)", { idempotencyKey: "k" }),
			early("select * from t"),
		],
		true,
	);
	follow(outcomes);
	commit();
	const noted = outcomes.map(({ payload }) => (payload === null ? null : notedTransaction(payload, true)));
	expect([noted[1], noted[3]]).toEqual([null, null]);
	expect(noted[0]).toEqual({
		note,
		isCut: false,
		changes: [
			{ operation: "insert", table: "t", key: [0], row: [1, { integer: "9007199254740993" }] },
			{ operation: "insert", table: "t", key: [0], row: [2, { base64: "AP8=" }] },
		],
	});
	expect(noted[2]?.note).toEqual({ ...note, idempotencyKey: "k" });
	expect(noted[2]?.changes).toContainEqual({
		operation: "row",
		table: "w",
		rowid: "rowid",
		number: 1,
		columns: ["x", "y"],
		row: [null, 1.5],
	});
	expect(noted[2]?.changes).toContainEqual({ operation: "sql", sql: " create table z (q)" });
	const [first] = outcomes;
	const beginning = first?.payload?.subarray(0, first.payload.length - 5) ?? new Uint8Array(0);
	expect(notedTransaction(beginning, false)).toEqual({ note, changes: [], isCut: true });
});

test("an interactive transaction has the note of the request that ends it", () => {
	leader.execute([request("create table t (x)")]);
	leader.commit({ index: 1, term: 1 });
	leader.execute([request("begin;insert into t values (1)", { interactive: true })]);
	const [ended] = leader.execute([early("insert into t values (2);commit", { interactive: true })]);
	const noted = ended?.payload === null || ended === undefined ? null : notedTransaction(ended.payload, true);
	expect(noted?.note).toEqual(note);
	expect(noted?.changes.length).toBe(2);
});

test("a schema that is taken back and made otherwise: statements are judged by the one that is", () => {
	choose("statement");
	follow(
		leader.execute([
			early("create table t (id integer primary key, x)"),
			early("insert into t values (1, 'a')"),
		]),
	);
	leader.execute([early("create table u (x)"), early("insert into u (x) values ('sql')")], true);
	leader.rollbackGroup();
	// The same number of the schema, and the same text.
	const outcomes = leader.execute(
		[early("create table u (x, y default (random()))"), early("insert into u (x) values ('sql')")],
		true,
	);
	follow(outcomes);
	const payload = outcomes[1]?.payload ?? new Uint8Array(0);
	expect(decodePayload(payload).map(({ type }) => type)).toEqual(["note", "rows"]);
	commit();
});

test("what was logged as SQL is told as SQL, with its values", () => {
	choose("statement");
	follow(
		leader.execute([
			request("create table t (id integer primary key, x); create table w (x, y default (random()))"),
		]),
	);
	const insert = {
		condition: null,
		statement: {
			sql: "insert into t values (?2, ?1)",
			arguments: [new Uint8Array([0, 255]), 9007199254740993n],
			namedArguments: [],
			wantRows: false,
		},
	};
	const outcomes = leader.execute(
		[
			early("", { program: { steps: [insert] } }),
			early("update t set x = 1.0; insert into w (x) values (2)"),
		],
		false,
	);
	follow(outcomes);
	commit();
	const noted = outcomes.map(({ payload }) => (payload === null ? null : notedTransaction(payload, true)));
	expect(noted[0]).toEqual({
		note,
		isCut: false,
		changes: [
			{
				operation: "statement",
				sql: insert.statement.sql,
				values: [{ base64: "AP8=" }, { integer: "9007199254740993" }],
			},
		],
	});
	expect(noted[1]?.changes).toMatchObject([
		{ operation: "statement", sql: "update t set x = 1.0", values: [] },
		{ operation: "row", table: "w", row: [2, expect.anything()] },
	]);
});

test("a change of the format that is taken back is none, and it runs behind nothing", () => {
	follow(leader.execute([request("create table t (x)")]));
	commit();
	leader.execute([request("", { setting: { name: "format", value: "statement" } })]);
	leader.rollback();
	const [early1] = leader.execute([early("insert into t values (1)")]);
	expect(formatOf(early1?.payload ?? new Uint8Array(0))).toBe("row");
	expect(() =>
		leader.execute([request("", { setting: { name: "format", value: "statement" } })], true),
	).toThrow("not alone");
	leader.rollback();
	leader.execute([request("", { setting: { name: "format", value: "statement" } })]);
	leader.rollbackGroup();
	follow(leader.execute([early("insert into t values (1)")]));
	commit();
});

test("whose beginning is all that there is, and who changes the format, has no note: that is no failure", () => {
	follow(leader.execute([request("create table t (x)")]));
	const [large] = leader.execute([request("insert into t values (zeroblob(50000))")], true);
	const payload = large?.payload ?? new Uint8Array(0);
	expect(payload.length).toBeGreaterThan(50_000);
	expect(notedTransaction(payload.subarray(0, 1_000), false)).toBeNull();
	expect(notedTransaction(payload, true)).toBeNull();
	leader.rollback();
	const [changed] = leader.execute([request("", { setting: { name: "format", value: "statement" } })]);
	expect(notedTransaction(changed?.payload ?? new Uint8Array(0), true)).toBeNull();
	expect(() => notedTransaction(Uint8Array.of(9), true)).toThrow("begins with 9");
});
