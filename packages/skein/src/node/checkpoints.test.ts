/** When the owner of the writing connection makes checkpoints, and what happens when one does not end. */
import { expect, test } from "vitest";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import { createCheckpoints } from "./checkpoints.ts";
import { defaultNodeSettings, type NodeSettings } from "./settings.ts";
import {
	type Cluster,
	createCluster,
	insert,
	type Member,
	program,
	request,
	watch,
} from "./testing/cluster.ts";
import { createDatabaseFile, openMemoryDatabase } from "./testing/memory-database.ts";
import { createVirtualClock } from "./testing/virtual-clock.ts";

const { compactionIntervalMs, checkpointBytes, consensus } = defaultNodeSettings;

function createBench() {
	const clock = createVirtualClock();
	const file = createDatabaseFile();
	file.content = { ...file.content, applied: { term: 1, index: 7 } };
	file.walBytes = checkpointBytes + 1;
	const bench = { isFree: true, woken: 0, watched: [] as number[], under: 0 };
	const checkpoints = createCheckpoints({
		database: openMemoryDatabase(
			file,
			createMemoryDisk(() => 0),
		),
		clock,
		settings: defaultNodeSettings,
		watch: (_, limitMs) => {
			bench.watched.push(limitMs);
			bench.under++;
			return { cancel: () => void bench.under-- };
		},
		isFree: () => Promise.resolve(bench.isFree),
		wake: () => void bench.woken++,
	});
	return { bench, checkpoints, clock, file };
}

test("a checkpoint is made when there is nothing else to do, and only if it was asked for", async () => {
	const { bench, checkpoints } = createBench();
	await checkpoints.between(true);
	const made = watch(checkpoints.ask());
	expect(bench.woken).toBe(1);
	await checkpoints.between(false);
	bench.isFree = false;
	await checkpoints.between(true);
	expect([made.settled, bench.watched.length]).toEqual([false, 0]);
	bench.isFree = true;
	await checkpoints.between(true);
	expect([made.value, bench.watched.length, bench.under]).toEqual([7, 1, 0]);
	await checkpoints.between(true);
	expect(bench.watched.length).toBe(1);
});

test("where there is always something to do, it is made after a second, or when the file has grown large", async () => {
	const { checkpoints, clock, file } = createBench();
	const first = watch(checkpoints.ask());
	await clock.run(900);
	await checkpoints.between(false);
	expect(first.settled).toBe(false);
	await clock.run(100);
	await checkpoints.between(false);
	expect(first.value).toBe(7);
	const second = watch(checkpoints.ask());
	await checkpoints.between(false);
	expect(second.settled).toBe(false);
	file.walBytes = 4 * checkpointBytes;
	await checkpoints.between(false);
	expect(second.value).toBe(7);
});

test("it may take as long as a commit, and longer the more there is to copy", async () => {
	const { bench, checkpoints, file } = createBench();
	for (const mebibytes of [0, 16, 2_000]) {
		file.walBytes = mebibytes * 1024 * 1024;
		const made = watch(checkpoints.ask());
		await checkpoints.between(true);
		expect(made.value).toBe(7);
	}
	expect(bench.watched).toEqual([1, 2, 5].map((times) => times * consensus.diskStallMs));
});

test("whoever asks hears how it ended: a failure, or that nobody makes it any more", async () => {
	const { bench, checkpoints, file } = createBench();
	file.checkpointFailure = new Error("disk I/O error");
	const failed = watch(checkpoints.ask());
	await checkpoints.between(true);
	expect([failed.error, bench.under]).toEqual([new Error("disk I/O error"), 0]);
	const waiting = watch(checkpoints.ask());
	await expect(checkpoints.ask()).rejects.toThrow("already");
	checkpoints.stop(new Error("stopping"));
	await expect(checkpoints.ask()).rejects.toThrow("stopping");
	expect(waiting.error).toEqual(new Error("stopping"));
});

async function createHangable(seed: number, settings: Partial<NodeSettings> = {}) {
	const cluster = await createCluster({ size: 3, seed, settings });
	const leader = await cluster.leader();
	// The others apply its first entry a little later.
	await cluster.clock.run(500);
	const others = cluster.members.filter((member) => member !== leader);
	const [other] = others;
	const stream = other?.node?.service.openStream();
	if (other === undefined || stream === undefined) throw new Error("no members");
	const write = (value: string) => watch(stream.run(program(insert(value)), request));
	return { ...cluster, leader, other, write };
}

/** From now on its writing connection hangs in a checkpoint, a little later. */
function hangIn(member: Member): () => void {
	let goOn = (): void => {};
	member.file.hanging = new Promise((resolve) => {
		goOn = resolve;
	});
	member.file.walBytes = checkpointBytes + 1;
	return goOn;
}

async function expectSame({ clock, members }: Pick<Cluster, "clock" | "members">, items: string[]) {
	await clock.run(3_000);
	for (const { file, failure } of members) expect([file.content.items, failure]).toEqual([items, null]);
}

test("a leader whose checkpoint does not end gives its place up within the limit: others serve", async () => {
	const { clock, members, leader, write } = await createHangable(11);
	const goOn = hangIn(leader);
	await clock.run(consensus.diskStallMs);
	expect(leader.node?.core.role).toBe("leader");
	// It is looked once a second whether one is due; a quarter of a second is for 4 MiB; deadlines end 25 ms late.
	await clock.run(compactionIntervalMs + 250 + 50);
	expect(leader.node?.core.role).toBe("follower");
	expect(leader.lines.some((line) => line.startsWith("a checkpoint does not end"))).toBe(true);
	await clock.run(2_000);
	const written = write("one");
	await clock.run(500);
	expect(written.value).not.toBe(null);
	goOn();
	await expectSame({ clock, members }, ["one"]);
});

test("one that hung before it was elected gives its place up too", async () => {
	const { clock, members, leader, other, write } = await createHangable(12);
	const goOn = hangIn(other);
	await clock.run(compactionIntervalMs + 3 * consensus.diskStallMs);
	expect(leader.node?.core.role).toBe("leader");
	void leader.node?.service.transfer(other.id).catch(() => {});
	await clock.run(300);
	expect(other.node?.core.role).toBe("leader");
	await clock.run(1_500);
	expect(other.node?.core.role).toBe("follower");
	expect(other.lines.some((line) => line.startsWith("a checkpoint does not end"))).toBe(true);
	goOn();
	await clock.run(1_000);
	const written = write("one");
	await clock.run(2_000);
	expect(written.value).not.toBe(null);
	await expectSame({ clock, members }, ["one"]);
});

test("a follower whose checkpoint does not end harms nobody, and applies when it goes on", async () => {
	const { clock, members, leader, other, write } = await createHangable(13);
	const goOn = hangIn(other);
	await clock.run(5_000);
	const written = write("one");
	await clock.run(1_000);
	expect(written.value).not.toBe(null);
	expect([leader.node?.core.role, other.file.content.items]).toEqual(["leader", []]);
	goOn();
	await expectSame({ clock, members }, ["one"]);
});

test("none is made inside a client's transaction; it waits for the end of it", async () => {
	const { clock, leader } = await createHangable(14);
	const stream = leader.node?.service.openStream();
	const begun = watch(stream?.run(program("BEGIN", insert("one")), request) ?? Promise.reject());
	await clock.run(100);
	expect(begun.value).not.toBe(null);
	leader.file.walBytes = checkpointBytes + 1;
	await clock.run(3_000);
	expect(leader.file.checkpoints).toBe(0);
	const ended = watch(stream?.run(program("COMMIT"), request) ?? Promise.reject());
	await clock.run(100);
	expect(ended.value).not.toBe(null);
	expect(leader.file.checkpoints).toBe(1);
	expect(leader.lines.filter((line) => line.startsWith("compaction failed"))).toEqual([]);
});

test("none is made before it is known how the last commit ended; one that failed is put right first", async () => {
	const { clock, members, leader, write } = await createHangable(15, { compactionIntervalMs: 100 });
	const written = write("one");
	const goOn = hangIn(leader);
	await clock.run(500);
	expect([leader.file.checkpoints, leader.file.content.items]).toEqual([0, []]);
	leader.file.failure = new Error("disk I/O error");
	leader.file.hanging = null;
	goOn();
	await clock.run(1_500);
	expect(written.value).not.toBe(null);
	expect(leader.lines.some((line) => line.startsWith("SQLite could not commit"))).toBe(true);
	expect(leader.file.checkpoints).toBeGreaterThan(0);
	expect(leader.lines.filter((line) => line.startsWith("compaction failed"))).toEqual([]);
	await expectSame({ clock, members }, ["one"]);
});
