// One client's programs, run in parts: they mean what SQLite means, and nothing is answered that a lost leader takes along.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SkeinError } from "../../../client/src/errors.ts";
import type { Condition, Program, ProgramOutcome, Step } from "../database/program.ts";
import { openDatabase, type ThreadedDatabase } from "../database/threaded-database.ts";

import { createAppliedIndex } from "./applied-index.ts";
import { createDeadlines } from "./deadlines.ts";
import { createFreshness } from "./freshness.ts";
import { createPlanner } from "./plan.ts";
import { createReadLevels } from "./read-levels.ts";
import type { RoutedAnswer, RoutedWrite } from "./routing.ts";
import type { RequestOptions, Stream } from "./service.ts";
import { createStream } from "./stream.ts";
import { createVirtualClock } from "./testing/virtual-clock.ts";
import { noRoom } from "./write-errors.ts";

const limitMs = 20_000;
const request: RequestOptions = {
	consistency: { level: "linearizable" },
	idempotencyKey: null,
	acknowledgement: null,
	timeoutMs: limitMs,
};

/** A leader without a cluster: what its transaction holds is durable once it has ended, and lost before. */
interface Leader {
	readonly database: ThreadedDatabase;
	readonly writes: RoutedWrite[];
	/** The write of this number fails so. */
	failAt: { readonly number: number; readonly error: SkeinError } | null;
	openStream(): Stream;
	content(): Promise<unknown>;
}

let directory: string;
let leader: Leader;

beforeEach(async () => {
	directory = mkdtempSync(join(tmpdir(), "skein-stream-"));
	leader = await createLeader();
});

afterEach(async () => {
	await leader.database.close();
	rmSync(directory, { recursive: true, force: true });
});

async function createLeader(): Promise<Leader> {
	const onFailure = (error: Error): void => {
		throw error;
	};
	const database = await openDatabase({ directory, onFailure });
	const applied = createAppliedIndex({ term: 1, index: 0 });
	const writes: RoutedWrite[] = [];

	async function write(routed: RoutedWrite): Promise<RoutedAnswer> {
		writes.push(routed);
		if (made.failAt?.number === writes.length - 1) throw made.failAt.error;
		const { program, foreignKeys, interactive, idempotencyKey } = routed;
		const [done] = await database.execute([
			{ program, foreignKeys, interactive, idempotencyKey, note: null, receivedAtMs: 0, timeoutMs: limitMs },
		]);
		if (done === undefined) throw new Error("no outcome");
		if (done.outcome.autocommit) {
			const position = { term: 1, index: applied.position.index + 1 };
			const committed = database.commit(position);
			database.hurry();
			await committed;
			applied.advance(position);
		}
		return {
			outcome: done.outcome,
			position: applied.position,
			replayed: done.replayed,
			acknowledgement: { mode: "quorum" },
			node: "n1",
		};
	}

	const clock = createVirtualClock();
	const deadlines = createDeadlines(clock);
	const levels = createReadLevels({
		diskFull: () => false,
		missing: async () => "",
		leaderWaitMs: 8_000,
		database,
		readIndex: { ask: async () => applied.position.index, onReady() {}, stop() {} },
		applied,
		freshness: createFreshness({ clock, applied }),
		inSync: () => false,
		history: () => ({ commitIndex: 0, base: { term: 0, index: 0 }, termAt: () => null }),
		clock,
		deadlines,
		statementTimeoutMs: limitMs,
	});
	const made: Leader = {
		database,
		writes,
		failAt: null,
		openStream: () =>
			createStream({
				streamId: 1,
				levels,
				describe: (sql) => database.describe(sql),
				routing: { write, stop() {} },
				planner: createPlanner(),
				clock,
				deadlines,
				transactionIdleMs: limitMs,
				statementTimeoutMs: limitMs,
				closeAt() {},
				onClosed() {},
			}),
		async content() {
			const read = await database.read(programOf("select n from t order by n"), { timeoutMs: limitMs });
			return read.outcome.results[0]?.rows.map(([n]) => n);
		},
	};
	await database.prepareToLead();
	await write(routedWrite(programOf("create table t (n integer primary key)")));
	writes.length = 0;
	return made;
}

function routedWrite(program: Program): RoutedWrite {
	return {
		streamId: 1,
		program,
		foreignKeys: true,
		interactive: false,
		transactionAt: null,
		snapshotIndex: null,
		idempotencyKey: null,
		acknowledgement: { mode: "quorum" },
		mayCommit: true,
		deadlineAt: Number.POSITIVE_INFINITY,
	};
}

function step(sql: string, condition: Condition | null = null): Step {
	return { condition, statement: { sql, arguments: [], namedArguments: [], wantRows: true } };
}

function programOf(...statements: readonly string[]): Program {
	return { steps: statements.map((sql) => step(sql)) };
}

function textsOf({ program }: RoutedWrite): string[] {
	return program.steps.map(({ statement }) => statement.sql);
}

/** What the leader takes along when it is lost. */
async function loseLeader(): Promise<void> {
	await leader.database.abandonInteractive();
	await leader.database.rollback();
}

test.each<[before: string[], program: string[], parts: string[][], durable: bigint[]]>([
	[
		[],
		["insert into t values (1)", "begin", "insert into t values (2)"],
		[["insert into t values (1)"], ["begin", "insert into t values (2)"]],
		[1n],
	],
	[
		[],
		[
			"insert into t values (1)",
			"begin",
			"insert into t values (2)",
			"commit",
			"insert into t values (3)",
			"begin immediate",
		],
		[
			["insert into t values (1)"],
			["begin", "insert into t values (2)", "commit", "insert into t values (3)"],
			["begin immediate"],
		],
		[1n, 2n, 3n],
	],
	[
		["begin immediate", "insert into t values (1)"],
		["commit", "begin", "insert into t values (2)"],
		[["commit"], ["begin", "insert into t values (2)"]],
		[1n],
	],
	[
		[],
		[
			"insert into t values (1)",
			"savepoint a",
			"insert into t values (2)",
			"release a",
			"savepoint b",
			"insert into t values (3)",
		],
		[
			["insert into t values (1)"],
			["savepoint a", "insert into t values (2)", "release a"],
			["savepoint b", "insert into t values (3)"],
		],
		[1n, 2n],
	],
	// Nothing counts before the transaction: one journey.
	[
		[],
		["begin", "insert into t values (1)", "savepoint a", "insert into t values (2)"],
		[["begin", "insert into t values (1)", "savepoint a", "insert into t values (2)"]],
		[],
	],
	// Ends by itself: one request, answered for as a whole.
	[
		[],
		["insert into t values (1)", "begin", "insert into t values (2)", "commit"],
		[["insert into t values (1)", "begin", "insert into t values (2)", "commit"]],
		[1n, 2n],
	],
])("after %j, %j runs as %j", async (before, statements, parts, durable) => {
	const stream = leader.openStream();
	if (before.length > 0) await stream.run(programOf(...before), request);
	leader.writes.length = 0;
	const { outcome } = await stream.run(programOf(...statements), request);
	expect(outcome.errors).toEqual(statements.map(() => null));
	expect(outcome.results).toHaveLength(statements.length);
	expect(leader.writes.map(textsOf)).toEqual(parts);
	await loseLeader();
	expect(await leader.content()).toEqual(durable);
});

test("what is only perhaps inside a transaction counts by itself", async () => {
	const never: Condition = { type: "not", condition: { type: "is-autocommit" } };
	const stream = leader.openStream();
	const steps = [
		step("begin", never),
		step("insert into t values (1)"),
		step("savepoint a"),
		step("insert into t values (2)", { type: "and", conditions: [never, { type: "ok", step: 1 }] }),
	];
	const { outcome } = await stream.run({ steps }, request);
	expect(outcome.results.map((result) => result?.changes ?? null)).toEqual([null, 1, 0, 1]);
	expect(leader.writes).toHaveLength(2);
	await loseLeader();
	expect(await leader.content()).toEqual([1n]);
});

test("the leader that is lost leaves a write unknown only if it may have committed something", async () => {
	const stream = leader.openStream();
	const perhaps = step("begin", { type: "not", condition: { type: "is-autocommit" } });
	await stream.run({ steps: [perhaps, step("insert into t values (1)")] }, request);
	await stream.run(programOf("begin", "insert into t values (2)"), request);
	await stream.run(programOf("insert into t values (3)"), request);
	await stream.run(programOf("insert into t values (4)", "commit"), request);
	expect(leader.writes.map(({ mayCommit }) => mayCommit)).toEqual([true, false, false, true]);
});

test("describe tells of the schema that its transaction sees, or says that it cannot", async () => {
	const [stream, other] = [leader.openStream(), leader.openStream()];
	const columns = async (of: Stream): Promise<string[]> =>
		(await of.describe("select * from t", request)).columns.map(({ name }) => name);
	await stream.run(programOf("begin", "select n from t"), request);
	await other.run(programOf("alter table t add column later"), request);
	expect([await columns(stream), await columns(other)]).toEqual([["n"], ["n", "later"]]);
	await expect(stream.describe("select * from nowhere", request)).rejects.toMatchObject({
		code: "SQLITE_ERROR",
	});
	expect(stream.autocommit).toBe(false);
	await stream.run(programOf("rollback"), request);

	await stream.run(programOf("begin immediate", "insert into t (n) values (1)"), request);
	expect(await columns(stream)).toEqual(["n", "later"]);
	await stream.run(programOf("alter table t drop column later"), request);
	await expect(columns(stream)).rejects.toMatchObject({
		code: "BAD_REQUEST",
		message: expect.stringContaining("after COMMIT"),
	});
	await stream.run(programOf("select n from t"), request);
	await expect(columns(stream)).rejects.toMatchObject({ code: "BAD_REQUEST" });
	await stream.run(programOf("commit"), request);
	expect(await columns(stream)).toEqual(["n"]);
});

test("a request that was not sent leaves its transaction open, and can be sent again", async () => {
	const stream = leader.openStream();
	await stream.run(programOf("begin immediate", "insert into t values (1)"), request);
	leader.failAt = { number: 1, error: noRoom() };
	const second = programOf("insert into t values (2)");
	await expect(stream.run(second, request)).rejects.toMatchObject({ code: "OVERLOADED" });
	expect(stream.autocommit).toBe(false);
	await stream.run(second, request);
	await stream.run(programOf("commit"), request);
	expect(await leader.content()).toEqual([1n, 2n]);
});

test("a read transaction that is refused its first write for now may ask again", async () => {
	const stream = leader.openStream();
	await stream.run(programOf("begin", "select n from t"), request);
	const busy = new SkeinError("too many writes are waiting", { code: "OVERLOADED" });
	leader.failAt = { number: 0, error: busy };
	await expect(stream.run(programOf("insert into t values (1)"), request)).rejects.toBe(busy);
	expect(stream.autocommit).toBe(false);
	await stream.run(programOf("insert into t values (1)"), request);
	await stream.run(programOf("commit"), request);
	expect(await leader.content()).toEqual([1n]);
});

test.each([
	["OVERLOADED", "did-not-happen", "was rolled back, nothing of it happened"],
	["NO_LEADER", "did-not-happen", "was rolled back, nothing of it happened"],
	["TIMEOUT", "unknown", "the open transaction is over"],
] as const)("%s (%s) that ends a transaction says so", async (code, outcome, says) => {
	const stream = leader.openStream();
	await stream.run(programOf("begin immediate"), request);
	leader.failAt = { number: 1, error: new SkeinError("?", { code, outcome }) };
	const failed = stream.run(programOf("insert into t values (2)"), request);
	await expect(failed).rejects.toMatchObject({ code, outcome, message: expect.stringContaining(says) });
	expect(stream.autocommit).toBe(true);
});

test("a read before BEGIN is a read, and a deferred transaction behind it stays on the reader", async () => {
	const stream = leader.openStream();
	await stream.run(programOf("select n from t", "begin", "select n from t"), request);
	expect(leader.writes).toEqual([]);
	expect(stream.autocommit).toBe(false);
	await stream.close();
});

test("a part that fails as a whole does not make undone what was before it", async () => {
	const stream = leader.openStream();
	const lost = new SkeinError("leadership moved", { code: "LEADERSHIP_LOST" });
	leader.failAt = { number: 1, error: lost };
	const program = programOf("insert into t values (1)", "begin", "insert into t values (2)");
	const { outcome } = await stream.run(program, request);
	expect(outcome.errors.map((error) => error?.code ?? null)).toEqual([null, lost.code, lost.code]);
	expect(outcome).toMatchObject({ results: [{ changes: 1 }, null, null], autocommit: true });
	expect(stream.autocommit).toBe(true);
	expect(await leader.content()).toEqual([1n]);

	// Unknown of a part is unknown of the whole; and the first part says by itself that nothing happened.
	leader.failAt = { number: 3, error: new SkeinError("?", { code: "TIMEOUT", outcome: "unknown" }) };
	const again = programOf("insert into t values (3)", "begin", "insert into t values (4)", "commit", "begin");
	await expect(stream.run(again, request)).rejects.toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
	leader.failAt = { number: 4, error: lost };
	await expect(stream.run(again, request)).rejects.toBe(lost);
});

test("parts whose results are large enough together are not followed by another", async () => {
	const large = "select printf('%.*c', 20000000, 'x')";
	const stream = leader.openStream();
	const program = [
		"insert into t values (1)",
		large,
		"begin",
		large,
		"commit",
		"begin",
		"insert into t values (2)",
	];
	const { outcome } = await stream.run(programOf(...program), request);
	const codes = outcome.errors.map((error) => error?.code ?? null);
	expect(codes).toEqual([null, null, null, null, null, "PAYLOAD_TOO_LARGE", "PAYLOAD_TOO_LARGE"]);
	expect([outcome.autocommit, stream.autocommit]).toEqual([true, true]);
	expect(await leader.content()).toEqual([1n]);
});

test("sent again under its key, what counts by itself happens once", async () => {
	const program = programOf(
		"insert into t values ((select count(*) from t))",
		"begin",
		"insert into t values ((select count(*) from t))",
		"commit",
		"begin immediate",
	);
	for (const replayed of [false, true]) {
		const stream = leader.openStream();
		const answer = await stream.run(program, { ...request, idempotencyKey: "k" });
		expect(answer.outcome.errors).toEqual(program.steps.map(() => null));
		expect(answer.replayed).toBe(replayed);
		await loseLeader();
	}
	expect(await leader.content()).toEqual([0n, 1n]);
});

test("counters of the connection that would tell of another client's change are refused", async () => {
	const stream = leader.openStream();
	const bad = programOf("insert into t values (7)", "begin", "insert into t select last_insert_rowid () + 1");
	await expect(stream.run(bad, request)).rejects.toMatchObject({ code: "UNSUPPORTED_SQL" });
	expect(await leader.content()).toEqual([]);
	const good = programOf(
		"insert into t values (7)",
		"begin",
		"insert into t values (8)",
		"insert into t select last_insert_rowid() + 1",
		"select changes()",
	);
	const { outcome } = await stream.run(good, request);
	expect(outcome.results.at(-1)?.rows).toEqual([[1n]]);
	await loseLeader();
});

const sql = fc.oneof(
	{ weight: 4, arbitrary: fc.nat(9).map((n) => `insert into t values (${n})`) },
	{ weight: 1, arbitrary: fc.constantFrom("select n from t order by n", "delete from t where n = 3") },
	{
		weight: 6,
		arbitrary: fc.constantFrom(
			"begin",
			"begin",
			"BEGIN IMMEDIATE",
			"begin nonsense",
			"commit",
			"commit",
			"rollback",
			"savepoint a",
			"savepoint b",
			"savepoint select",
			"release a",
			"release b",
			"rollback to a",
		),
	},
);

const condition = fc.letrec<{ any: Condition; leaf: Condition }>((tie) => ({
	leaf: fc.oneof(
		fc.record({ type: fc.constantFrom("ok" as const, "error" as const), step: fc.nat(6) }),
		fc.constant<Condition>({ type: "is-autocommit" }),
	),
	any: fc.oneof(
		{ maxDepth: 2 },
		tie("leaf"),
		fc.record({ type: fc.constant("not" as const), condition: tie("any") }),
		fc.record({
			type: fc.constantFrom("and" as const, "or" as const),
			conditions: fc.array(tie("any"), { maxLength: 3 }),
		}),
	),
})).any;

const steps = fc.array(
	fc.tuple(sql, fc.option(condition, { freq: 2 })).map(([text, when]) => step(text, when)),
	{ minLength: 1, maxLength: 9 },
);

test(
	"random programs mean what they mean to SQLite, and what is outside the open transaction survives its leader",
	async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.boolean(),
				fc.array(steps, { minLength: 1, maxLength: 3 }),
				async (begun, programs) => {
					const plain = new DatabaseSync(":memory:");
					plain.exec("create table t (n integer primary key)");
					await runOnLeader("delete from t");
					const stream = leader.openStream();
					const all = begun ? [[step("begin immediate")], ...programs] : programs;
					for (const one of all) {
						const { outcome } = await stream.run({ steps: one }, request);
						expect(answersOf(outcome)).toEqual(onPlainSqlite(plain, one));
						// What surely ends is one request: if its end does not come, it is rolled back there.
						if (stream.autocommit && plain.isTransaction) plain.exec("rollback");
						expect(stream.autocommit).toBe(!plain.isTransaction);
					}
					await loseLeader();
					if (plain.isTransaction) plain.exec("rollback");
					const expected = plain.prepare("select n from t order by n").all();
					expect(await leader.content()).toEqual(expected.map(({ n }) => BigInt(Number(n))));
					await stream.close();
					plain.close();
				},
			),
			{ numRuns: 150 },
		);
	},
	limitMs,
);

async function runOnLeader(text: string): Promise<void> {
	await leader.openStream().run(programOf(text), request);
}

/** Of each step: its rows, or that it failed, or null if it was skipped. */
function answersOf({ results, errors }: Pick<ProgramOutcome, "results" | "errors">): unknown[] {
	return results.map((result, place) =>
		(errors[place] ?? null) !== null ? "failed" : (result?.rows ?? null),
	);
}

function onPlainSqlite(plain: DatabaseSync, program: readonly Step[]): unknown[] {
	const answers: unknown[] = [];
	for (const { condition: when, statement } of program) {
		if (when !== null && !holds(when, answers, plain)) {
			answers.push(null);
			continue;
		}
		try {
			const prepared = plain.prepare(statement.sql);
			prepared.setReadBigInts(true);
			prepared.setReturnArrays(true);
			answers.push(prepared.all());
		} catch {
			answers.push("failed");
		}
	}
	return answers;
}

function holds(when: Condition, answers: readonly unknown[], plain: DatabaseSync): boolean {
	switch (when.type) {
		case "ok":
			return Array.isArray(answers[when.step]);
		case "error":
			return answers[when.step] === "failed";
		case "not":
			return !holds(when.condition, answers, plain);
		case "and":
			return when.conditions.every((each) => holds(each, answers, plain));
		case "or":
			return when.conditions.some((each) => holds(each, answers, plain));
		case "is-autocommit":
			return !plain.isTransaction;
	}
}
