import { expect, test } from "vitest";
import type { Entry, Position } from "../consensus/types.ts";
import { decodeMessage } from "../peer/codec/message.ts";
import { silentLogger } from "../world/logger.ts";
import { createAppliedIndex } from "./applied-index.ts";
import { type Compaction, createCompaction } from "./compaction.ts";
import { defaultNodeSettings, type NodeSettings } from "./settings.ts";
import { createSnapshotHolds, type SnapshotHolds } from "./snapshot-holds.ts";
import { createCluster, insert, program, request, watch } from "./testing/cluster.ts";
import { createParts, type Parts } from "./testing/parts.ts";
import { createRunners, type RunnerMember, type Runners } from "./testing/runners.ts";

const stallMs = 2_000;

interface Bench extends Runners {
	readonly leading: RunnerMember;
	readonly parts: Parts;
	readonly compaction: Compaction;
	readonly holds: SnapshotHolds;
	/** What followers are known to have. */
	readonly match: Map<string, number>;
	/** Commits and applies this many entries of 500 bytes, and lets compaction look. */
	readonly write: (entries: number) => Promise<void>;
}

async function createBench(changed: Partial<NodeSettings> = {}): Promise<Bench> {
	const runners = await createRunners({ size: 1 });
	const { clock } = runners;
	const leading = await runners.leader();
	const parts = createParts(runners, leading, {
		compactLogBytes: 20_000,
		logTailEntries: 10,
		maxHeldLogBytes: 100_000,
		...changed,
	});
	const { runner, log, database } = leading;
	const match = new Map<string, number>();
	const holds = createSnapshotHolds({ clock, matchIndexOf: (node) => match.get(node) ?? null, stallMs });
	const compaction = createCompaction({
		database,
		checkpoint: () => parts.stateMachine.checkpoint(),
		log,
		runner: () => runner,
		applied: parts.applied,
		clock,
		logger: silentLogger,
		settings: parts.settings,
		holds,
	});
	compaction.start();
	await clock.run(100);
	async function write(entries: number): Promise<void> {
		for (let number = 0; number < entries; number++) {
			watch(
				parts.routing.write({
					streamId: 1,
					program: program(insert("x".repeat(500))),
					foreignKeys: true,
					interactive: false,
					transactionAt: null,
					snapshotIndex: null,
					idempotencyKey: null,
					acknowledgement: { mode: "quorum" },
					mayCommit: true,
					deadlineAt: clock.now() + 10_000,
				}),
			);
			await clock.run(1);
		}
		await clock.run(parts.settings.compactionIntervalMs + 100);
	}
	return { ...runners, leading, parts, compaction, holds, match, write };
}

test("a small log is left alone, a large one is cut to its tail", async () => {
	const { write, compaction, parts, leading } = await createBench();
	await write(20);
	expect(compaction.compactedIndex).toBe(0);
	await write(100);
	expect(compaction.compactedIndex).toBe(parts.applied.position.index - 10);
	expect(leading.log.sizeBytes()).toBeLessThan(40_000);
	expect(leading.runner.core.view.base.index).toBe(compaction.compactedIndex);
});

test("nothing is cut that the database does not hold durably", async () => {
	const bench = await createBench();
	const { write, compaction, leading } = bench;
	const { applied } = bench.parts;
	leading.database.checkpoint = () => Promise.resolve(15);
	await write(150);
	expect([compaction.compactedIndex, applied.position.index > 100]).toEqual([15, true]);
});

test("what comes after a snapshot is kept while it is made and sent, until its follower has caught up", async () => {
	const { write, compaction, holds, match, parts, clock } = await createBench();
	holds.prepare("n2");
	await write(60);
	expect(compaction.compactedIndex).toBe(0);
	holds.begin("n2", 40);
	holds.begin("n3", 55);
	await write(30);
	expect(compaction.compactedIndex).toBe(40);
	// It lasts as long as it lasts: its sender gives up what does not move.
	await clock.run(10 * stallMs);
	expect(compaction.compactedIndex).toBe(40);
	holds.end("n3", false);
	match.set("n2", 0);
	holds.end("n2", true);
	await write(1);
	expect(compaction.compactedIndex).toBe(40);
	match.set("n2", 62);
	await write(1);
	expect(compaction.compactedIndex).toBe(62);
	match.set("n2", parts.applied.position.index + 20);
	await write(20);
	expect(compaction.compactedIndex).toBe(parts.applied.position.index - 10);
	// Once it had caught up it is a follower like any other.
	match.set("n2", 70);
	await write(60);
	expect(compaction.compactedIndex).toBe(parts.applied.position.index - 10);
});

test.each([
	["fails", (bench: Bench) => bench.holds.end("n2", false)],
	["ends with the term", (bench: Bench) => bench.holds.clear()],
	[
		"ends, and its follower is none any more",
		(bench: Bench) => {
			bench.match.delete("n2");
			bench.holds.end("n2", true);
		},
	],
])("nothing is kept for a snapshot that %s", async (_, ends) => {
	const bench = await createBench();
	const { write, compaction, holds, match, parts } = bench;
	match.set("n2", 0);
	holds.begin("n2", 40);
	await write(80);
	expect(compaction.compactedIndex).toBe(40);
	ends(bench);
	await write(1);
	expect(compaction.compactedIndex).toBe(parts.applied.position.index - 10);
});

test("a follower that gets nowhere after its snapshot holds nothing for long", async () => {
	const { write, compaction, holds, match, parts, clock } = await createBench();
	match.set("n2", 0);
	holds.begin("n2", 40);
	await write(80);
	holds.end("n2", true);
	for (const reached of [42, 44, 46]) {
		match.set("n2", reached);
		await clock.run(stallMs - 500);
		expect(compaction.compactedIndex).toBe(reached);
	}
	await clock.run(stallMs + 1_000);
	expect(compaction.compactedIndex).toBe(parts.applied.position.index - 10);
});

test("a slow follower cannot fill the leader's disk", async () => {
	const { write, compaction, holds, leading, parts } = await createBench();
	holds.begin("n2", 20);
	let largest = 0;
	for (let turn = 0; turn < 12; turn++) {
		await write(40);
		largest = Math.max(largest, leading.log.sizeBytes());
	}
	// 480 entries of 500 bytes and more: 120,000 bytes are the bound, looked at once a second.
	expect(largest).toBeGreaterThan(100_000);
	expect(largest).toBeLessThan(170_000);
	expect(compaction.compactedIndex).toBeGreaterThan(100);
	expect(parts.applied.position.index).toBeGreaterThan(480);
});

test("one snapshot is enough for a follower, however fast writes come while it is sent", async () => {
	const cluster = await createCluster({
		size: 3,
		seed: 7,
		settings: {
			compactLogBytes: 4_000,
			logTailEntries: 2,
			logSegmentBytes: 4_096,
			compactionIntervalMs: 200,
			snapshotChunkBytes: 512,
			snapshotBytesPerSecond: 8_000,
		},
	});
	const { clock, network } = cluster;
	const leader = await cluster.leader();
	const follower = cluster.members.find((member) => member !== leader);
	if (follower === undefined) throw new Error("no follower");
	const offered = new Set<string>();
	network.intercept = ({ bytes }) => {
		const message = decodeMessage(bytes);
		if (message.type === "snapshot-offer") offered.add(message.sha256);
		return bytes;
	};
	const stream = leader.node?.service.openStream();
	let written = 0;
	async function write(count: number): Promise<void> {
		for (let number = 0; number < count; number++) {
			watch(stream?.run(program(insert(`${written++}${"x".repeat(100)}`)), request) ?? Promise.reject());
			await clock.run(20);
		}
	}
	network.cut(follower.id, true);
	await write(200);
	network.cut(follower.id, false);
	// The transfer takes some seconds; a hundred times the tail is written meanwhile.
	await write(300);
	await clock.run(3_000);
	expect(follower.file.content.items.length).toBe(500);
	expect(offered.size).toBe(1);
});

test("while the disk is full, a snapshot lets nothing be cut that work which waits for room still builds on", async () => {
	const { clock, network, members } = await createRunners({ size: 3 });
	const [, member] = members;
	if (member === undefined) throw new Error("no member");
	network.cut(member.id, true);
	const { runner, log, disk, database, failures } = member;
	const applied = createAppliedIndex(database.opened.applied);
	const compaction = createCompaction({
		applied,
		settings: { ...defaultNodeSettings, compactLogBytes: 10_000, logTailEntries: 0 },
		database,
		checkpoint: () => database.checkpoint(),
		log,
		runner: () => runner,
		clock,
		logger: silentLogger,
		holds: createSnapshotHolds({ clock, matchIndexOf: () => null, stallMs }),
	});
	const send = async (from: string, term: number, previous: Position, last: number) => {
		const entries = Array.from({ length: last - previous.index }, (_, place): Entry => {
			return { index: previous.index + 1 + place, term, kind: "command", payload: new Uint8Array(500) };
		});
		const own = { group: 1, from, to: member.id, term, commitIndex: 1 } as const;
		runner.step({ type: "message", message: { type: "append-request", ...own, previous, entries } });
		await clock.run(50);
	};
	// A segment holds some thirty of them: the second one is begun.
	await send("n1", 10, { index: 1, term: 1 }, 40);
	expect(runner.core.view.durableIndex).toBe(40);
	disk.faults.capacityBytes = 0;
	await send("n1", 10, { index: 40, term: 10 }, 45);
	// The next leader cuts into the first segment, as soon as there is room for what comes before that.
	await send("n3", 11, { index: 20, term: 10 }, 60);
	expect(runner.diskFull()).toBe(true);
	const configuration = runner.core.view.configuration;
	member.file.content = {
		applied: { term: 11, index: 50 },
		configuration: { index: 1, value: configuration },
		items: [],
	};
	applied.advance({ term: 11, index: 50 });
	runner.step({ type: "snapshot-installed", term: 11, index: 50, configuration, configurationIndex: 1 });
	compaction.start();
	await clock.run(2_000);
	disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
	await clock.run(3_000);
	expect(failures).toEqual([]);
	expect(runner.core.view.durableIndex).toBe(60);
	// Now it may go.
	expect(compaction.compactedIndex).toBe(50);
	await compaction.stop();
});
