import { expect, test } from "vitest";
import type { Database } from "../database/database.ts";
import type { Program } from "../database/program.ts";
import { ThreadError } from "../database/thread-calls.ts";
import { silentLogger } from "../world/logger.ts";
import { createAppliedIndex } from "./applied-index.ts";
import { createDiskWatch } from "./disk-watch.ts";
import { createFreshness } from "./freshness.ts";
import { createLeading, type Leading } from "./leading.ts";
import { createReadIndex } from "./read-index.ts";
import { defaultNodeSettings } from "./settings.ts";
import { insert, program, watch } from "./testing/cluster.ts";
import type { DatabaseFile } from "./testing/memory-database.ts";
import { createRunners, type RunnerMember, type Runners } from "./testing/runners.ts";
import type { QueuedWrite, WriteAnswer } from "./write-queue.ts";

interface Bench extends Runners {
	readonly member: RunnerMember;
	readonly file: DatabaseFile;
	readonly leading: Leading;
	readonly answers: WriteAnswer[];
	readonly write: (what: Program, inTransaction: boolean) => QueuedWrite;
}

/** An established leader on a real core and log, which serves; the test says when its loop makes a step. */
async function createBench(
	options: { size?: number; maxUncommittedBytes?: number; database?: (database: Database) => Database } = {},
): Promise<Bench> {
	const { size = 1, maxUncommittedBytes } = options;
	const consensus = maxUncommittedBytes === undefined ? {} : { maxUncommittedBytes };
	const runners = await createRunners({ size, consensus });
	const member = await runners.leader();
	await runners.clock.run(50);
	const { runner, log, file, listener } = member;
	const { clock, deadlines } = runners;
	const entries = await log.read(1, runner.commitIndex, Number.MAX_SAFE_INTEGER);
	await member.database.apply(
		entries.map(({ index, term, payload }) => ({
			position: { index, term },
			kind: "barrier",
			payload,
			configuration: null,
		})),
	);
	const common = { runner: () => runner, clock, deadlines, settings: defaultNodeSettings };
	const applied = createAppliedIndex(file.content.applied);
	const freshness = createFreshness({ clock, applied });
	const readIndex = createReadIndex({
		...common,
		freshness,
		leasedIndex: () => null,
		leaderWaitMs: 1_000,
		maxQueued: 10,
	});
	const leading = createLeading({
		...common,
		self: member.id,
		database: options.database?.(member.database) ?? member.database,
		applied,
		readIndex,
		logger: silentLogger,
		watch: createDiskWatch({ ...common, logger: silentLogger }),
		mustRunAlone: () => false,
		onAcknowledgement() {},
		wake() {},
		onFailure: (error) => member.failures.push(error),
	});
	listener.onRole = (state) => leading.onRole(state);
	listener.onCommit = (index) => leading.onCommit(index);
	listener.onAcknowledged = (index) => leading.onAcknowledged(index);
	listener.onReadReady = (readId, index) => readIndex.onReady(readId, index);
	await leading.enter(runner.state.term);
	const answers: WriteAnswer[] = [];
	return {
		...runners,
		member,
		file,
		leading,
		answers,
		write: (what, inTransaction) => ({
			stream: "n1/1",
			request: {
				program: what,
				foreignKeys: true,
				interactive: true,
				idempotencyKey: null,
				note: null,
				receivedAtMs: 0,
				timeoutMs: 1_000,
			},
			acknowledgement: { mode: "quorum" },
			inTransaction,
			snapshotIndex: null,
			answer: (answer) => void answers.push(answer),
			cancelled: false,
			started: false,
		}),
	};
}

test("the end of a transaction that the log refuses is not run again without its beginning", async () => {
	const bench = await createBench({ maxUncommittedBytes: 100 });
	const { clock, file, leading, answers, write, member } = bench;
	// A disk that stalls for a moment, and a log that has as much in hand as it takes.
	let goOn = (): void => {};
	member.disk.faults.hang = new Promise((resolve) => {
		goOn = resolve;
	});
	expect(member.runner.propose([{ kind: "fragment", payload: new Uint8Array(90) }], null).accepted).toBe(
		true,
	);
	leading.submit(write(program("BEGIN", insert("first half")), false));
	await leading.step();
	leading.submit(write(program(insert("second half"), "COMMIT"), true));
	const refused = leading.step();
	await clock.run(100);
	await refused;
	member.disk.faults.hang = null;
	goOn();
	await clock.run(20);
	await leading.step();
	await leading.step();
	expect(file.content.items).toEqual([]);
	expect(answers.map((answer) => answer.type)).toEqual(["done", "failed"]);

	// A write of the same stream outside its transaction never becomes a part of it.
	leading.submit(write(program("BEGIN", insert("forgotten")), false));
	await leading.step();
	leading.submit(write(program(insert("alone")), false));
	await leading.step();
	await leading.step();
	await leading.step();
	expect(file.content.items).toEqual(["alone"]);
});

test.each([
	[new ThreadError("database or disk is full", "DISK_FULL"), "DISK_FULL"],
	[new ThreadError("disk I/O error", "SQLITE_IOERR"), "SQLITE_IOERR"],
	[new ThreadError("database disk image is malformed", "SQLITE_CORRUPT"), "SQLITE_CORRUPT"],
	[new ThreadError("a request ended without its capture", null), "INTERNAL"],
	[Object.assign(new Error("not ours"), { code: "ERR_INVALID_STATE" }), "INTERNAL"],
])("when the writer itself fails its clients hear why: %s", async (failure, code) => {
	let failing = false;
	const { file, leading, answers, write } = await createBench({
		database: (database) => ({
			...database,
			execute: (requests) => (failing ? Promise.reject(failure) : database.execute(requests)),
		}),
	});
	leading.submit(write(program("BEGIN", insert("first half")), false));
	await leading.step();
	failing = true;
	leading.submit(write(program(insert("second half")), true));
	await leading.step();
	const [, failed] = answers;
	expect(failed).toMatchObject({ type: "failed", error: { code, outcome: "did-not-happen" } });

	// The transaction that was open went with it, and holds up nobody.
	failing = false;
	leading.submit({ ...write(program(insert("of another")), false), stream: "n1/2" });
	await leading.step();
	await leading.step();
	// Where the disk is full somebody else shall lead.
	expect(file.content.items).toEqual(code === "DISK_FULL" ? [] : ["of another"]);
	expect(leading.stillLeading()).toBe(code !== "DISK_FULL");
});

test("a pause does not wait for ever for a long statement, and writes go on after it", async () => {
	let end = (): void => {};
	const { clock, file, leading, answers, write } = await createBench({
		database: (database) => ({
			...database,
			async execute(requests) {
				await new Promise<void>((resolve) => {
					end = resolve;
				});
				return await database.execute(requests);
			},
		}),
	});
	leading.submit(write(program(insert("long")), false));
	const step = leading.step();
	const paused = watch(leading.pause({ finishMs: 100, limitMs: 300 }));
	await clock.run(250);
	expect(paused.settled).toBe(false);
	await clock.run(100);
	expect(paused.error).toMatchObject({ code: "TIMEOUT", outcome: "did-not-happen" });
	leading.resume();
	end();
	await step;
	await leading.step();
	expect(answers.map((answer) => answer.type)).toEqual(["done"]);
	expect(file.content.items).toEqual(["long"]);

	// What ends in time is waited for.
	leading.submit(write(program(insert("short")), false));
	const second = leading.step();
	const inTime = watch(leading.pause({ finishMs: 100, limitMs: 300 }));
	await clock.run(200);
	end();
	await second;
	await leading.step();
	await clock.run(500);
	expect(inTime).toMatchObject({ settled: true, error: null });
});

test("a batch under way when leadership ends is unknown, and nothing of it stays in SQLite", async () => {
	const { clock, network, member, file, leading, answers, write } = await createBench({ size: 3 });
	network.cut(member.id, true);
	leading.submit(write(program(insert("in flight")), false));
	const step = watch(leading.step());
	await clock.run(1_000);
	expect([step.settled, member.runner.state.role === "leader"]).toEqual([true, false]);
	expect(answers).toMatchObject([{ type: "failed", error: { code: "LEADERSHIP_LOST", outcome: "unknown" } }]);
	await leading.leave("lost");
	expect(file.content.items).toEqual([]);
});

test("what was executed in a term that is over is not proposed in the next, and did not happen", async () => {
	let goOn = (): void => {};
	const bench = await createBench({
		size: 3,
		database: (database) => ({
			...database,
			async execute(requests) {
				await new Promise<void>((resolve) => {
					goOn = resolve;
				});
				return await database.execute(requests);
			},
		}),
	});
	const { clock, network, member, members, file, leading, answers, write } = bench;
	leading.submit(write(program(insert("of the old term")), false));
	const step = watch(leading.step());
	// Deposed, and elected anew, while the statement runs.
	const { term } = member.runner.state;
	network.cut(member.id, true);
	await clock.run(1_500);
	network.cut(member.id, false);
	for (let turn = 0; turn < 50 && member.runner.state.role !== "leader"; turn++) {
		const other = members.find(({ runner }) => runner.core.view.established);
		other?.runner.step({ type: "transfer", to: member.id });
		await clock.run(100);
	}
	expect(member.runner.state.role).toBe("leader");
	expect(member.runner.state.term).toBeGreaterThan(term);
	await clock.run(100);
	const { lastIndex } = member.runner.core.view;
	goOn();
	await clock.run(100);
	expect([step.settled, answers]).toEqual([true, [{ type: "not-leader" }]]);
	expect(member.runner.core.view.lastIndex).toBe(lastIndex);
	expect(file.content.items).toEqual([]);
});

test("a batch that changed nothing is answered only by who still leads", async () => {
	const { clock, network, member, leading, answers, write } = await createBench({ size: 3 });
	leading.submit(write(program("SELECT v"), false));
	await leading.step();
	expect(answers).toEqual([]);
	await clock.run(20);
	expect(answers.map(({ type }) => type)).toEqual(["done"]);
	network.cut(member.id, true);
	leading.submit(write(program("SELECT v"), false));
	await leading.step();
	await clock.run(2_000);
	expect(answers.map(({ type }) => type)).toEqual(["done", "not-leader"]);
});
