import { expect, test } from "vitest";
import { silentLogger } from "../world/logger.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import { createAppliedIndex } from "./applied-index.ts";
import type { CoreRunner } from "./core-runner.ts";
import { createDeadlines } from "./deadlines.ts";
import { createLeading } from "./leading.ts";
import { createReadIndex } from "./read-index.ts";
import { defaultNodeSettings } from "./settings.ts";
import { insert, program } from "./testing/cluster.ts";
import { createDatabaseFile, openMemoryDatabase } from "./testing/memory-database.ts";
import { createVirtualClock } from "./testing/virtual-clock.ts";
import type { QueuedWrite, WriteAnswer } from "./write-queue.ts";

test("the end of a transaction that the log refuses is not run again without its beginning", async () => {
	const clock = createVirtualClock();
	const deadlines = createDeadlines(clock);
	const file = createDatabaseFile();
	const database = openMemoryDatabase(
		file,
		createMemoryDisk(() => 0),
	);
	let refusals = 1;
	// Stands for a core whose disk stalls for a moment: it leads, and takes no proposal.
	const runner = {
		state: { role: "leader", term: 2, leader: "n1", established: true },
		commitIndex: 10,
		step() {},
		propose: () =>
			refusals-- > 0
				? { accepted: false, reason: "overloaded" }
				: { accepted: true, term: 2, firstIndex: 10, lastIndex: 10 },
	} as unknown as CoreRunner;
	const common = { runner: () => runner, clock, deadlines, settings: defaultNodeSettings };
	const leading = createLeading({
		...common,
		database,
		applied: createAppliedIndex({ term: 1, index: 1 }),
		readIndex: createReadIndex({ ...common, leaderWaitMs: 1_000, maxQueued: 10 }),
		logger: silentLogger,
		mustRunAlone: () => false,
		wake() {},
		onFailure() {},
	});
	const answers: WriteAnswer[] = [];
	const write = (what: ReturnType<typeof program>, inTransaction: boolean): QueuedWrite => ({
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
