// The writing connection: groups of requests, what a failing one takes back, deferred keys, limits, idempotency.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogFormats } from "./changes/formats.ts";
import type { WriteOutcome, WriteRequest } from "./database.ts";
import type { Value } from "./program.ts";
import { type DatabaseSettings, defaultDatabaseSettings } from "./settings.ts";
import { contentsOf } from "./testing/contents.ts";
import { createWriter, type Writer } from "./writer.ts";

let directory: string;
let leader: Writer;
let follower: Writer;
let index = 0;

function open(name: string, settings: Partial<DatabaseSettings> = {}): Writer {
	return createWriter({
		path: join(directory, name),
		formats: createLogFormats(),
		settings: { ...defaultDatabaseSettings, ...settings },
		now: () => performance.now(),
	});
}

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "skein-writer-"));
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

function request(
	sql: string | readonly string[],
	options: Partial<WriteRequest> = {},
	values: readonly Value[] = [],
): WriteRequest {
	const statements = typeof sql === "string" ? [sql] : sql;
	return {
		program: {
			steps: statements.map((text) => ({
				condition: null,
				statement: { sql: text, arguments: values, namedArguments: [], wantRows: true },
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

/** Executes a group, commits it, and replays it on the follower. */
function group(...requests: readonly WriteRequest[]): WriteOutcome[] {
	const outcomes = leader.execute(requests);
	const entries = outcomes.flatMap(({ payload }) =>
		payload === null
			? []
			: [{ position: { index: ++index, term: 1 }, kind: "command" as const, payload, configuration: null }],
	);
	leader.commit({ index, term: 1 });
	if (entries.length > 0) follower.apply(entries);
	return outcomes;
}

function run(...sql: readonly string[]): WriteOutcome[] {
	return group(...sql.map((text) => request(text)));
}

function rows(name: "leader" | "follower", sql: string): Value[][] {
	const connection = new DatabaseSync(join(directory, name), { readOnly: true });
	try {
		const statement = connection.prepare(sql);
		statement.setReturnArrays(true);
		return statement.all() as unknown as Value[][];
	} finally {
		connection.close();
	}
}

function everywhere(sql: string): Value[][] {
	const own = rows("leader", sql);
	expect(rows("follower", sql)).toEqual(own);
	return own;
}

function codes(outcome: WriteOutcome | undefined): (string | null)[] {
	return outcome?.outcome.errors.map((error) => error?.code ?? null) ?? [];
}

test("a failing request takes back only its own effects", () => {
	run("create table t (id integer primary key, x unique)");
	const outcomes = group(
		request("insert into t values (1, 'a')"),
		request(["begin", "insert into t values (2, 'b')", "insert into t values (3, 'a')"]),
		request("insert into t values (4, 'd')"),
	);
	expect(codes(outcomes[1])).toEqual([null, null, "SQLITE_CONSTRAINT"]);
	expect(everywhere("select id from t")).toEqual([[1], [4]]);
});

test("a deferred foreign key that is violated: the statement is taken back, and later writes go on", () => {
	run(
		"create table p (id integer primary key)",
		"create table c (id integer primary key, p references p deferrable initially deferred)",
	);
	const [outcome] = run("insert into c values (1, 99)");
	expect(codes(outcome)).toEqual(["SQLITE_CONSTRAINT"]);
	expect(everywhere("select * from c")).toEqual([]);
	expect(codes(run("insert into p values (1)")[0])).toEqual([null]);
	const [inTransaction] = group(
		request(["begin", "insert into c values (2, 7)", "insert into p values (7)", "commit"]),
	);
	expect(codes(inTransaction)).toEqual([null, null, null, null]);
	const [atCommit] = group(request(["begin", "insert into c values (3, 99)", "commit", "rollback"]));
	expect(codes(atCommit)).toEqual([null, null, "SQLITE_CONSTRAINT", null]);
	expect(everywhere("select id from c")).toEqual([[2]]);
});

test("violations that were there before are nobody's fault now", () => {
	run(
		"create table p (id integer primary key)",
		"create table c (id integer primary key, p references p deferrable initially deferred)",
	);
	group(request("insert into c values (1, 99)", { foreignKeys: false }));
	expect(codes(run("insert into p values (5)")[0])).toEqual([null]);
	expect(codes(run("insert into c values (2, 5)")[0])).toEqual([null]);
	expect(everywhere("select id from c")).toEqual([[1], [2]]);
});

test("a statement that failed, run again, tells of its own failures only", () => {
	run("create table t (id integer primary key)");
	const again = "insert into t values (1) returning id";
	expect(codes(run(again)[0])).toEqual([null]);
	expect(codes(run(again)[0])).toEqual(["SQLITE_CONSTRAINT"]);
	run("delete from t");
	expect(codes(run(again)[0])).toEqual([null]);
	expect(codes(run(again)[0])).toEqual(["SQLITE_CONSTRAINT"]);
});

test("RETURNING beyond the limit of a result: an error, and nothing of it happened", () => {
	leader.close();
	leader = open("leader", { maxResultRows: 10 });
	leader.prepareToLead();
	run("create table t (id integer primary key)");
	const many = Array.from({ length: 12 }, (_, number) => `(${number})`).join(", ");
	const [outcome] = run(`insert into t values ${many} returning id`);
	expect(codes(outcome)).toEqual(["PAYLOAD_TOO_LARGE"]);
	expect(everywhere("select * from t")).toEqual([]);
});

test("the results of one request share one limit, in bytes: its answer is one message between nodes", () => {
	leader.close();
	leader = open("leader", { maxResultBytes: 10_000 });
	leader.prepareToLead();
	run("create table t (x)");
	const text = "select printf('%.*c', 4000, 'x')";
	const returning = "insert into t values (printf('%.*c', 4000, 'x')) returning x";
	const failing = "select * from nowhere";
	const [together] = leader.execute([request([text, text, returning, "insert into t values (2)", text])]);
	expect(codes(together)).toEqual([null, null, "PAYLOAD_TOO_LARGE", null, "PAYLOAD_TOO_LARGE"]);
	expect(together?.outcome.errors[2]?.message).toContain("10000 bytes together");
	// Each request has the whole again.
	expect(codes(run("select printf('%.*c', 3000, 'x')")[0])).toEqual([null]);
	// A euro sign has three bytes.
	expect(codes(run("select printf('%.*c', 4000, char(8364))")[0])).toEqual(["PAYLOAD_TOO_LARGE"]);
	const failures = leader.execute([request(Array.from({ length: 1_000 }, () => failing))])[0]?.outcome.errors;
	expect([failures?.[0]?.code, failures?.[999]?.code]).toEqual(["SQLITE_ERROR", "PAYLOAD_TOO_LARGE"]);
});

test("a transaction that changes too much fails alone in its group", () => {
	leader.close();
	leader = open("leader", { maxTransactionBytes: 10_000 });
	leader.prepareToLead();
	run("create table t (id integer primary key, x)");
	const outcomes = run(
		"insert into t values (1, 'small')",
		"insert into t values (2, zeroblob(50000))",
		"insert into t values (3, 'small')",
	);
	expect(outcomes.map(codes)).toEqual([[null], ["PAYLOAD_TOO_LARGE"], [null]]);
	expect(everywhere("select id from t")).toEqual([[1], [3]]);
});

test("a request that took longer than its limit does not count", () => {
	run("create table t (id integer primary key)");
	const slow =
		"insert into t with recursive c(x) as (values(1) union all select x + 1 from c limit 300000) select x from c";
	const [outcome] = group(request(slow, { timeoutMs: 1 }));
	expect(codes(outcome)).toEqual(["TIMEOUT"]);
	expect(everywhere("select count(*) from t")).toEqual([[0]]);
});

test("a key makes a request happen once: in one group, later, and when a part of it failed", () => {
	run("create table t (id integer primary key, x unique)");
	const insert = request("insert into t (x) values ('once')", { idempotencyKey: "k1" });
	const outcomes = group(insert, insert);
	expect(outcomes.map((outcome) => outcome.replayed)).toEqual([false, true]);
	expect(group(insert)[0]?.replayed).toBe(true);
	const partly = request(["insert into t (x) values ('part')", "insert into t (x) values ('once')"], {
		idempotencyKey: "k2",
	});
	expect(codes(group(partly)[0])).toEqual([null, "SQLITE_CONSTRAINT"]);
	expect(codes(group(partly)[0])).toEqual([null, "SQLITE_CONSTRAINT"]);
	expect(everywhere("select x from t order by id")).toEqual([["once"], ["part"]]);
	expect(everywhere("select key from skein_requests order by number")).toEqual([["k1"], ["k2"]]);
});

test("a key that is used for another request is refused: its answer would be a false success", () => {
	run("create table t (id integer primary key, x)");
	const insert = "insert into t (x) values (?)";
	const first = request(insert, { idempotencyKey: "k" }, [1n]);
	expect(codes(group(first)[0])).toEqual([null]);
	// The same number, as it arrives by another way.
	expect(group(request(insert, { idempotencyKey: "k" }, [1]))[0]?.replayed).toBe(true);
	for (const other of [
		request(insert, { idempotencyKey: "k" }, [2n]),
		request(insert, { idempotencyKey: "k" }, ["1"]),
		request("insert into t (x) values (1)", { idempotencyKey: "k" }),
		request([insert, insert], { idempotencyKey: "k" }, [1n]),
	]) {
		const [outcome] = group(other);
		expect(outcome?.replayed).toBe(false);
		expect(codes(outcome).at(-1)).toBe("BAD_REQUEST");
	}
	expect(everywhere("select count(*) from t")).toEqual([[1]]);
});

test("a key of a request that failed and changed nothing is free again", () => {
	run("create table t (id integer primary key, x unique)", "insert into t values (1, 'taken')");
	const insert = request("insert into t (x) values ('taken')", { idempotencyKey: "k" });
	expect(codes(group(insert)[0])).toEqual(["SQLITE_CONSTRAINT"]);
	run("delete from t");
	expect(codes(group(insert)[0])).toEqual([null]);
});

test("an outcome too large to keep is known to have happened", () => {
	run("create table t (id integer primary key, x)");
	const large = request("insert into t values (1, hex(zeroblob(50000))) returning x", {
		idempotencyKey: "k",
	});
	expect(codes(group(large)[0])).toEqual([null]);
	const [again] = group(large);
	expect(again?.replayed).toBe(true);
	expect(codes(again)).toEqual(["PAYLOAD_TOO_LARGE"]);
	expect(again?.outcome.errors[0]?.message).toContain("has happened before");
});

test("stored outcomes are bounded by count and by age", () => {
	leader.close();
	leader = open("leader", { maxStoredOutcomes: 3, storedOutcomeAgeMs: 1_000 });
	leader.prepareToLead();
	run("create table t (id integer primary key)");
	for (const key of ["a", "b", "c", "d"])
		group(request("insert into t default values", { idempotencyKey: key }));
	expect(everywhere("select key from skein_requests order by number")).toEqual([["b"], ["c"], ["d"]]);
	group(request("insert into t default values", { idempotencyKey: "late", receivedAtMs: 60_000 }));
	expect(everywhere("select key from skein_requests")).toEqual([["late"]]);
});

test("stored outcomes age by what leaders measure, whatever the clock of a new one shows", () => {
	leader.close();
	leader = open("leader", { storedOutcomeAgeMs: 1_000 });
	leader.prepareToLead();
	run("create table t (id integer primary key)");
	const store = (key: string, receivedAtMs: number): WriteOutcome | undefined =>
		group(request("insert into t default values", { idempotencyKey: key, receivedAtMs }))[0];
	store("a", 5_000);
	store("b", 5_600.5);
	// Hours ahead, and then behind.
	leader.prepareToLead();
	store("c", 90_000_000);
	store("d", 90_000_300);
	leader.prepareToLead();
	expect(store("a", 20)?.replayed).toBe(true);
	store("e", 30);
	expect(everywhere("select key, at_ms from skein_requests order by number")).toEqual([
		["a", 0],
		["b", 600],
		["c", 600],
		["d", 900],
		["e", 900],
	]);
	store("f", 131);
	expect(everywhere("select key from skein_requests where number < 3")).toEqual([["b"]]);
	expect(store("a", 132)?.replayed).toBe(false);
});

test("PRAGMA foreign_keys inside a request, as a migration sends it", () => {
	run("create table p (id integer primary key)", "create table c (p references p)");
	const [outcome] = group(
		request([
			"pragma foreign_keys = off",
			"begin",
			"insert into c values (9)",
			"commit",
			"pragma foreign_keys = on",
		]),
	);
	expect(codes(outcome)).toEqual([null, null, null, null, null]);
	expect(everywhere("select p from c")).toEqual([[9]]);
	expect(codes(run("insert into c values (10)")[0])).toEqual(["SQLITE_CONSTRAINT"]);
});

test("a group behind a request that turned foreign keys off, or was sent with them off, has them on", () => {
	run("create table p (id integer primary key)", "create table c (p references p)");
	const migrations = [
		request(["pragma foreign_keys = off", "insert into c values (1)", "pragma foreign_keys = on"]),
		request(["pragma foreign_keys = off", "insert into c values (2)"]),
		request("insert into c values (3)", { foreignKeys: false }),
	];
	for (const migration of migrations) {
		expect(codes(group(migration)[0]).every((code) => code === null)).toBe(true);
		const [good, bad] = run("insert into p values (null)", "insert into c values (99)");
		expect(codes(good)).toEqual([null]);
		expect(codes(bad)).toEqual(["SQLITE_CONSTRAINT"]);
	}
	expect(everywhere("select p from c")).toEqual([[1], [2], [3]]);
});

test("no transaction that stays open begins behind a change of the same request", () => {
	run("create table t (id integer primary key)");
	const interactive = { interactive: true };
	const [mixed] = group(
		request(["insert into t values (1)", "begin", "insert into t values (2)"], interactive),
	);
	expect(mixed?.outcome.errors.map((error) => error !== null)).toEqual([false, true, false]);
	expect(mixed?.outcome).toMatchObject({ autocommit: true });
	expect(mixed?.payload).not.toBeNull();
	leader.execute([request(["begin", "insert into t values (3)"], interactive)]);
	const [again] = group(request(["commit", "savepoint a"], interactive));
	expect(again?.outcome.errors.map((error) => error !== null)).toEqual([false, true]);
	// One that ends by itself may.
	expect(group(request(["insert into t values (4)", "begin", "commit"]))[0]?.outcome.errors).toEqual([
		null,
		null,
		null,
	]);
	expect(contentsOf(join(directory, "follower"))["t"]).toHaveLength(4);
});

test("an interactive transaction spans requests, and abandoning it leaves nothing", () => {
	run("create table t (id integer primary key)");
	const first = leader.execute([request(["begin", "insert into t values (1)"], { interactive: true })]);
	expect(first[0]?.outcome.autocommit).toBe(false);
	expect(group(request("commit", { interactive: true }))[0]?.outcome.autocommit).toBe(true);
	leader.execute([request(["begin", "insert into t values (2)"], { interactive: true })]);
	leader.abandonInteractive();
	leader.rollback();
	expect(everywhere("select id from t")).toEqual([[1]]);
});

test("a schema change that was rolled back is forgotten: columns are those of the table", () => {
	run("create table t (a)", "insert into t values (1)");
	group(request(["begin", "alter table t add column b", "rollback"]));
	const [outcome] = run("insert into t values (2) returning *");
	expect(outcome?.outcome.results[0]?.columns.map((column) => column.name)).toEqual(["a"]);
	expect(everywhere("select rowid, a from t")).toEqual([
		[1, 1],
		[2, 2],
	]);
});

test("a file that Skein did not make is left alone", () => {
	const path = join(directory, "foreign");
	const foreign = new DatabaseSync(path);
	foreign.exec("create table theirs (x)");
	foreign.close();
	expect(() => open("foreign")).toThrow("did not make");
});

test("PRAGMA defer_foreign_keys holds for one transaction", () => {
	run("create table p (id integer primary key)", "create table c (id integer primary key, p references p)");
	const deferred = ["pragma defer_foreign_keys = on", "begin", "insert into c values (1, 7)"];
	const [mended] = group(request([...deferred, "insert into p values (7)", "commit"]));
	expect(codes(mended)).toEqual([null, null, null, null, null]);
	const [broken] = group(
		request(["begin", "pragma defer_foreign_keys = on", "insert into c values (9, 9)", "commit", "rollback"]),
	);
	expect(codes(broken)).toEqual([null, null, null, "SQLITE_CONSTRAINT", null]);
	expect(codes(run("insert into c values (2, 8)")[0])).toEqual(["SQLITE_CONSTRAINT"]);
	expect(everywhere("select id from c")).toEqual([[1]]);
});

test("foreign keys that are turned on after a change hold from the next request on; writes before that are refused", () => {
	run("create table p (id integer primary key)", "create table c (p references p)");
	const [outcome] = group(
		request([
			"pragma foreign_keys = off",
			"insert into c values (1)",
			"pragma foreign_keys = on",
			"insert into c values (2)",
		]),
	);
	expect(codes(outcome)).toEqual([null, null, null, "UNSUPPORTED_SQL"]);
	expect(outcome?.outcome.foreignKeys).toBe(true);
	expect(everywhere("select p from c")).toEqual([[1]]);
});

test("a transaction over several requests that changes too much is rolled back as a whole", () => {
	leader.close();
	leader = open("leader", { maxTransactionBytes: 10_000 });
	leader.prepareToLead();
	run("create table t (id integer primary key, x)");
	leader.execute([request(["begin", "insert into t values (1, zeroblob(50000))"], { interactive: true })]);
	const [end] = group(request("commit", { interactive: true }));
	expect(codes(end)).toEqual(["PAYLOAD_TOO_LARGE"]);
	expect(end?.outcome.autocommit).toBe(true);
	expect(everywhere("select id from t")).toEqual([]);
	expect(codes(run("insert into t values (2, 'small')")[0])).toEqual([null]);
});

test("what OR FAIL kept counts as a change: its key is not free again", () => {
	run("create table t (id integer primary key, x unique)", "insert into t values (1, 'taken')");
	const insert = request("insert or fail into t (x) values ('new'), ('taken')", { idempotencyKey: "k" });
	expect(codes(group(insert)[0])).toEqual(["SQLITE_CONSTRAINT"]);
	expect(group(insert)[0]?.replayed).toBe(true);
	expect(everywhere("select x from t order by x")).toEqual([["new"], ["taken"]]);
});
