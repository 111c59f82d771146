import { expect, test } from "vitest";
import type { Database } from "../database/database.ts";
import type { Program } from "../database/program.ts";
import { ThreadError } from "../database/thread-calls.ts";
import { silentLogger } from "../world/logger.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import { createAppliedIndex } from "./applied-index.ts";
import type { CoreRunner } from "./core-runner.ts";
import { createDeadlines } from "./deadlines.ts";
import { createLeading, type Leading } from "./leading.ts";
import { createReadIndex } from "./read-index.ts";
import { defaultNodeSettings } from "./settings.ts";
import { insert, program, watch } from "./testing/cluster.ts";
import { createDatabaseFile, type DatabaseFile, openMemoryDatabase } from "./testing/memory-database.ts";
import { createVirtualClock, type VirtualClock } from "./testing/virtual-clock.ts";
import type { QueuedWrite, WriteAnswer } from "./write-queue.ts";

interface Bench {
	readonly clock: VirtualClock;
	readonly file: DatabaseFile;
	readonly leading: Leading;
	readonly answers: WriteAnswer[];
	readonly write: (what: Program, inTransaction: boolean) => QueuedWrite;
}

/** A leader of term 2. `propose` stands for its core and log. */
function createBench(options: {
	propose?: CoreRunner["propose"];
	database?: (database: Database) => Database;
}): Bench {
	const clock = createVirtualClock();
	const deadlines = createDeadlines(clock);
	const file = createDatabaseFile();
	const database = openMemoryDatabase(
		file,
		createMemoryDisk(() => 0),
	);
	const runner = {
		state: { role: "leader", term: 2, leader: "n1", established: true },
		commitIndex: 10,
		step() {},
		propose: options.propose ?? accept,
	} as unknown as CoreRunner;
	const common = { runner: () => runner, clock, deadlines, settings: defaultNodeSettings };
	const leading = createLeading({
		...common,
		database: options.database?.(database) ?? database,
		applied: createAppliedIndex({ term: 1, index: 1 }),
		readIndex: createReadIndex({ ...common, leaderWaitMs: 1_000, maxQueued: 10 }),
		logger: silentLogger,
		mustRunAlone: () => false,
		wake() {},
		onFailure() {},
	});
	const answers: WriteAnswer[] = [];
	return {
		clock,
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
				wallTimeMs: 0,
				timeoutMs: 1_000,
			},
			inTransaction,
			snapshotIndex: null,
			answer: (answer) => void answers.push(answer),
			cancelled: false,
			started: false,
		}),
	};
}

const accept: CoreRunner["propose"] = () => ({ accepted: true, term: 2, firstIndex: 10, lastIndex: 10 });

test("the end of a transaction that the log refuses is not run again without its beginning", async () => {
	let refusals = 1;
	// A core whose disk stalls for a moment: it leads, and takes no proposal.
	const { clock, file, leading, answers, write } = createBench({
		propose: (...entries) =>
			refusals-- > 0 ? { accepted: false, reason: "overloaded" } : accept(...entries),
	});
	await leading.enter(2);
	leading.submit(write(program("BEGIN", insert("first half")), false));
	await leading.step();
	leading.submit(write(program(insert("second half"), "COMMIT"), true));
	const refused = leading.step();
	await clock.run(100);
	await refused;
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
	const { file, leading, answers, write } = createBench({
		database: (database) => ({
			...database,
			execute: (requests) => (failing ? Promise.reject(failure) : database.execute(requests)),
		}),
	});
	await leading.enter(2);
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
	expect(file.content.items).toEqual(["of another"]);
});

test("a pause does not wait for ever for a long statement, and writes go on after it", async () => {
	let end = (): void => {};
	const { clock, file, leading, answers, write } = createBench({
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
	await leading.enter(2);
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
