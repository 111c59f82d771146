import { expect, test } from "vitest";
import type { SnapshotChunk } from "../peer/message.ts";
import { isOfType } from "./testing/parts.ts";
import { seeded } from "./testing/seeded.ts";
import {
	createSnapshotBench,
	type SnapshotBench,
	type SnapshotNode,
	snapshotItems,
} from "./testing/snapshots.ts";

type Three = [SnapshotNode, SnapshotNode, SnapshotNode];

function three(bench: SnapshotBench): Three {
	return [...bench.nodes] as Three;
}

function snapshotFiles(node: SnapshotNode): string[] {
	return [...node.disk.files().keys()].filter((path) => path.startsWith("snapshots/"));
}

function bytesOf(chunks: readonly SnapshotChunk[]): number {
	return chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
}

/** The follower has these many chunks of the snapshot, and the sender waits for nothing but time. */
async function runUntilChunks(bench: SnapshotBench, count: number): Promise<void> {
	for (let turn = 0; turn < 1_000 && bench.chunks.length < count; turn++) await bench.clock.run(1);
	expect(bench.chunks.length).toBeGreaterThanOrEqual(count);
}

test("a snapshot arrives whole, is installed once, and leaves no file behind", async () => {
	const bench = await createSnapshotBench();
	const [leader, follower] = three(bench);
	leader.sender.send("n2", 2);
	await bench.clock.run(500);
	expect(leader.ended).toEqual([["n2", 50]]);
	expect(follower.file.content).toEqual(leader.file.content);
	expect([follower.installs, snapshotFiles(follower)]).toEqual([1, []]);
	// Nothing was sent twice, and the copy goes when nobody wants it for a while.
	expect(new Set(bench.chunks.map(({ offset }) => offset)).size).toBe(bench.chunks.length);
	expect(snapshotFiles(leader).length).toBe(1);
	await bench.clock.run(65_000);
	expect(snapshotFiles(leader)).toEqual([]);
});

test("followers that need one at the same time share it", async () => {
	const bench = await createSnapshotBench();
	const [leader, one, other] = three(bench);
	leader.sender.send("n2", 2);
	await bench.clock.run(20);
	leader.sender.send("n3", 2);
	await bench.clock.run(500);
	expect(leader.ended).toEqual([
		["n2", 50],
		["n3", 50],
	]);
	expect([one.file.content.items, other.file.content.items]).toEqual([snapshotItems, snapshotItems]);
	expect(snapshotFiles(leader)).toEqual(["snapshots/made-0"]);
});

test("one that the log does not go on from is made anew", async () => {
	const bench = await createSnapshotBench();
	const [leader] = three(bench);
	leader.sender.send("n2", 2);
	await bench.clock.run(500);
	leader.file.content = { ...leader.file.content, applied: { term: 2, index: 90 } };
	leader.compactedIndex = 60;
	leader.sender.send("n3", 2);
	await bench.clock.run(500);
	expect(leader.ended.at(-1)).toEqual(["n3", 90]);
	expect(snapshotFiles(leader)).toEqual(["snapshots/made-1"]);
});

test("after a break the transfer goes on where it stopped", async () => {
	const bench = await createSnapshotBench();
	const { clock, network, chunks } = bench;
	const [leader, follower] = three(bench);
	leader.sender.send("n2", 2);
	await runUntilChunks(bench, 10);
	network.cut("n2", true);
	const before = bytesOf(chunks);
	await clock.run(1_500);
	expect(bytesOf(chunks)).toBe(before);
	network.cut("n2", false);
	await clock.run(500);
	expect(leader.ended).toEqual([["n2", 50]]);
	expect(follower.file.content.items).toEqual(snapshotItems);
	// Every byte that arrived before the break stayed: none is sent again.
	expect(new Set(chunks.map(({ offset }) => offset)).size).toBe(chunks.length);
	expect(chunks[10]?.offset).toBeGreaterThan(0);
});

test.each([
	["offer", 0, 1],
	["want", 0, 1],
	["want", 4, 4],
	["chunk", 7, 1],
	["chunk", 7, 4],
	["done", 0, 1],
])(
	"a lost %s (after %i others, %i of them) costs a moment, not the transfer",
	async (what, others, count) => {
		const bench = await createSnapshotBench();
		const { clock, network, chunks } = bench;
		const [leader, follower] = three(bench);
		const pass = network.intercept;
		let seen = 0;
		network.intercept = (sent) => {
			const arrived = pass(sent);
			if (!isOfType(sent, `snapshot-${what}`)) return arrived;
			seen++;
			return seen > others && seen <= others + count ? null : arrived;
		};
		leader.sender.send("n2", 2);
		await clock.run(1_500);
		expect(leader.ended).toEqual([["n2", 50]]);
		expect(follower.installs).toBe(1);
		expect(follower.file.content.items).toEqual(snapshotItems);
		expect(chunks.length).toBeLessThanOrEqual(17 + 8);
	},
);

test("a chunk that arrives damaged is asked for again, and only it and what followed it", async () => {
	const bench = await createSnapshotBench();
	const { clock, chunks } = bench;
	const [leader, follower] = three(bench);
	let damaged = 0;
	bench.onChunk = (chunk) => {
		if (damaged > 0 || chunk.offset < 2_000) return chunk;
		damaged++;
		const bytes = chunk.bytes.slice();
		bytes[7] = (bytes[7] ?? 0) ^ 1;
		return { ...chunk, bytes };
	};
	leader.sender.send("n2", 2);
	await clock.run(500);
	expect(damaged).toBe(1);
	expect(leader.ended).toEqual([["n2", 50]]);
	expect(follower.file.content.items).toEqual(snapshotItems);
	const offsets = chunks.map(({ offset }) => offset);
	const again = offsets.filter((offset, place) => offsets.indexOf(offset) !== place);
	// The window that was on its way.
	expect(again.length).toBeGreaterThan(0);
	expect(again.length).toBeLessThanOrEqual(4);
	expect(Math.min(...again)).toBeGreaterThanOrEqual(2_000);
});

/** What is on the bulk lane waits for what is before it; a chunk takes so long, and an offer nearly no time. */
function makeSlow(bench: SnapshotBench, chunkMs: number): void {
	const { clock, network } = bench;
	const pass = network.intercept;
	let freeAt = 0;
	network.intercept = (sent) => {
		if (sent.lane !== "bulk") return sent.bytes;
		freeAt = Math.max(freeAt, clock.now()) + (isOfType(sent, "snapshot-chunk") ? chunkMs : 1);
		clock.setTimer(freeAt - clock.now(), () => {
			const bytes = pass(sent);
			if (bytes !== null) network.deliver({ ...sent, bytes });
		});
		return null;
	};
}

test.each([2, 20])(
	"a link that takes longer for a chunk than the sender waits gets it across (%i times)",
	async (times) => {
		const bench = await createSnapshotBench({ snapshotStallMs: 10_000 });
		const { clock, chunks } = bench;
		const [leader, follower] = three(bench);
		// The sender waits for 250 ms at first.
		makeSlow(bench, times * 250);
		leader.sender.send("n2", 2);
		await clock.run(25 * times * 250);
		expect(leader.ended).toEqual([["n2", 50]]);
		expect(follower.file.content.items).toEqual(snapshotItems);
		// What is slow is not lost: nearly nothing goes twice.
		expect(chunks.length).toBeLessThanOrEqual(17 + 3);
	},
);

test("a link that loses much is asked soon for what is missing, and for nothing else", async () => {
	const count = 20;
	let tookMs = 0;
	for (let seed = 1; seed <= count; seed++) {
		const bench = await createSnapshotBench({ snapshotStallMs: 10_000 });
		const { clock, network, chunks } = bench;
		const [leader, follower] = three(bench);
		const random = seeded(seed);
		const pass = network.intercept;
		network.intercept = (sent) => {
			const bytes = pass(sent);
			return random() < 0.25 ? null : bytes;
		};
		const startedAt = clock.now();
		leader.sender.send("n2", 2);
		while (leader.ended.length === 0) await clock.run(10);
		tookMs += clock.now() - startedAt;
		expect([seed, leader.ended]).toEqual([seed, [["n2", 50]]]);
		expect(follower.file.content.items).toEqual(snapshotItems);
		// A quarter of the chunks is lost.
		expect(chunks.length).toBeLessThan(2 * 17);
	}
	// Some ten chunks and words are lost in each.
	expect(tookMs / count).toBeLessThan(4_000);
});

test("chunks come in any order, overlap and come twice, and make one file", async () => {
	const bench = await createSnapshotBench();
	const { clock, chunks } = bench;
	const [leader, follower] = three(bench);
	leader.sender.send("n3", 2);
	await clock.run(500);
	const whole = [...chunks];
	const [, , other] = three(bench);
	expect(other.file.content.items).toEqual(snapshotItems);
	// Nothing of it gets to the other one but what is brought to it here, from the last to the first.
	bench.onChunk = () => null;
	leader.sender.send("n2", 2);
	await clock.run(20);
	chunks.length = 0;
	for (const chunk of [...whole.slice(8), ...whole.toReversed(), ...whole]) {
		follower.receiver.onChunk({ ...chunk, to: "n2" });
		await clock.run(1);
	}
	await clock.run(50);
	expect(follower.file.content.items).toEqual(snapshotItems);
	expect([follower.installs, snapshotFiles(follower)]).toEqual([1, []]);
	expect(chunks.length).toBeLessThan(10);
});

test("doubled and late chunks change nothing", async () => {
	const bench = await createSnapshotBench();
	const { clock, chunks } = bench;
	const [leader, follower] = three(bench);
	bench.onChunk = (chunk) => {
		for (const old of chunks.slice(-3)) follower.receiver.onChunk(old);
		return chunk;
	};
	leader.sender.send("n2", 2);
	await clock.run(2_000);
	expect(leader.ended).toEqual([["n2", 50]]);
	expect(follower.file.content.items).toEqual(snapshotItems);
	// Nor do they make the sender send anything twice.
	expect(chunks.length).toBe(18);
	for (const old of chunks.slice(0, 5)) follower.receiver.onChunk(old);
	await clock.run(100);
	expect([follower.installs, snapshotFiles(follower)]).toEqual([1, []]);
});

test("a file that is damaged as a whole is not installed, and not sent again", async () => {
	const bench = await createSnapshotBench();
	const { clock } = bench;
	const [leader, follower] = three(bench);
	leader.sender.send("n2", 2);
	// Each chunk gets a right checksum of wrong bytes: only the hash of the whole knows.
	await runUntilChunks(bench, 1);
	leader.disk.flip("snapshots/made-0", 3_000, 1);
	await clock.run(500);
	expect(follower.installs).toBe(1);
	expect(follower.file.content.items).toEqual([]);
	expect(snapshotFiles(follower)).toEqual([]);
	// Told late: the core would ask for the next within a heartbeat.
	expect(leader.ended).toEqual([]);
	await clock.run(1_000);
	expect(leader.ended).toEqual([["n2", null]]);
	leader.sender.send("n2", 2);
	await clock.run(500);
	expect(leader.ended.at(-1)).toEqual(["n2", 50]);
	expect(follower.file.content.items).toEqual(snapshotItems);
	expect(snapshotFiles(leader)).toEqual(["snapshots/made-1"]);
});

test("a file that is damaged on the follower's own disk is fetched from the beginning", async () => {
	const bench = await createSnapshotBench();
	const { clock, chunks } = bench;
	const [leader, follower] = three(bench);
	leader.sender.send("n2", 2);
	await runUntilChunks(bench, 10);
	const [path = ""] = snapshotFiles(follower);
	follower.disk.flip(path, 100, 1);
	await clock.run(1_500);
	expect([leader.ended, follower.file.content.items]).toEqual([[["n2", null]], []]);
	chunks.length = 0;
	leader.sender.send("n2", 2);
	await clock.run(500);
	expect(chunks[0]?.offset).toBe(0);
	expect(follower.file.content.items).toEqual(snapshotItems);
});

test("when the sender's term ends so does the transfer, and in its next term it goes on where it was", async () => {
	const bench = await createSnapshotBench();
	const { clock, chunks } = bench;
	const [leader, follower] = three(bench);
	leader.sender.send("n2", 2);
	await runUntilChunks(bench, 10);
	leader.sender.onTermOver();
	expect(leader.ended).toEqual([["n2", null]]);
	expect(leader.holds.limit(100)).toBe(100);
	await clock.run(20);
	const before = chunks.length;
	await clock.run(2_000);
	expect(chunks.length).toBe(before);
	follower.term = 4;
	leader.sender.send("n2", 4);
	await clock.run(500);
	expect(leader.ended.at(-1)).toEqual(["n2", 50]);
	expect(follower.file.content.items).toEqual(snapshotItems);
	expect(new Set(chunks.map(({ offset }) => offset)).size).toBe(chunks.length);
});

test("a new term of the same sender replaces the transfer of the old one", async () => {
	const bench = await createSnapshotBench();
	const { clock } = bench;
	const [leader, follower] = three(bench);
	leader.sender.send("n2", 2);
	await runUntilChunks(bench, 10);
	leader.sender.send("n2", 3);
	leader.sender.send("n2", 3);
	await clock.run(500);
	expect(leader.ended).toEqual([
		["n2", null],
		["n2", 50],
	]);
	expect(follower.installs).toBe(1);
});

test("another leader's snapshot replaces the one that was coming, whose chunks count no more", async () => {
	const bench = await createSnapshotBench();
	const { clock } = bench;
	const [old, follower, next] = three(bench);
	old.sender.send("n2", 2);
	await runUntilChunks(bench, 10);
	follower.term = 3;
	next.file.content = { ...old.file.content, applied: { term: 3, index: 70 }, items: ["of the next"] };
	next.sender.send("n2", 3);
	await clock.run(500);
	expect(next.ended).toEqual([["n2", 70]]);
	expect(follower.file.content.items).toEqual(["of the next"]);
	expect(snapshotFiles(follower)).toEqual([]);
	// The old one asks on, in its old term, and is not heard.
	old.sender.onReachable("n2");
	await clock.run(5_000);
	expect([follower.installs, follower.file.content.applied.index]).toEqual([1, 70]);
	expect(old.ended).toEqual([["n2", null]]);
});

test("a follower that has it already says so, and gets nothing", async () => {
	const bench = await createSnapshotBench();
	const [leader, , other] = three(bench);
	leader.sender.send("n3", 2);
	await bench.clock.run(500);
	bench.chunks.length = 0;
	leader.sender.send("n3", 2);
	await bench.clock.run(500);
	expect(leader.ended).toEqual([
		["n3", 50],
		["n3", 50],
	]);
	expect([bench.chunks.length, other.installs]).toEqual([0, 1]);
});

test("a receiver that stops half way is given up, and its next life begins anew", async () => {
	const bench = await createSnapshotBench();
	const { clock, network, chunks } = bench;
	const [leader, follower] = three(bench);
	leader.sender.send("n2", 2);
	await runUntilChunks(bench, 10);
	network.cut("n2", true);
	await follower.receiver.stop();
	expect(leader.holds.limit(100)).toBe(50);
	await clock.run(4_000);
	expect(leader.ended).toEqual([["n2", null]]);
	expect(leader.holds.limit(100)).toBe(100);
	expect(snapshotFiles(follower).length).toBe(1);
	await follower.receiver.clean();
	expect(snapshotFiles(follower)).toEqual([]);
	network.cut("n2", false);
	chunks.length = 0;
	leader.sender.send("n2", 2);
	await clock.run(500);
	expect(chunks[0]?.offset).toBe(0);
	expect(follower.file.content.items).toEqual(snapshotItems);
});

test("a follower without room gets it when it has room again", async () => {
	const bench = await createSnapshotBench();
	const { clock } = bench;
	const [leader, follower] = three(bench);
	follower.disk.faults.capacityBytes = 1_000;
	leader.sender.send("n2", 2);
	await clock.run(4_000);
	expect([leader.ended, follower.file.content.items]).toEqual([[["n2", null]], []]);
	follower.disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
	leader.sender.send("n2", 2);
	await clock.run(500);
	expect(leader.ended.at(-1)).toEqual(["n2", 50]);
	expect(follower.file.content.items).toEqual(snapshotItems);
});

test("a snapshot that cannot be made is not tried again in a busy loop, nor is anything left of it", async () => {
	const bench = await createSnapshotBench();
	const { clock } = bench;
	const [leader] = three(bench);
	leader.disk.faults.stopAt = leader.disk.operations;
	leader.sender.send("n2", 2);
	await clock.run(500);
	expect(leader.ended).toEqual([]);
	await clock.run(600);
	expect(leader.ended).toEqual([["n2", null]]);
	leader.disk.faults.stopAt = Number.POSITIVE_INFINITY;
	leader.sender.send("n2", 2);
	await clock.run(500);
	expect(leader.ended.at(-1)).toEqual(["n2", 50]);
});

test("no more than a window is on its way, and no faster than allowed", async () => {
	const bench = await createSnapshotBench({ snapshotBytesPerSecond: 1_000, snapshotWindowChunks: 3 });
	const { clock, chunks } = bench;
	const [leader] = three(bench);
	let held = true;
	bench.onChunk = (chunk) => (held ? null : chunk);
	leader.sender.send("n2", 2);
	await clock.run(2_500);
	expect(new Set(chunks.map(({ offset }) => offset)).size).toBe(3);
	// But for the first of them, which goes again.
	expect(chunks.filter(({ offset }) => offset > 0).length).toBe(2);
	held = false;
	await clock.run(6_000);
	expect(leader.ended).toEqual([["n2", 50]]);
	chunks.length = 0;
	leader.sender.send("n3", 2);
	const startedAt = clock.now();
	for (let turn = 0; turn < 1_000 && leader.ended.length < 2; turn++) await clock.run(10);
	const spanMs = clock.now() - startedAt;
	const sizeBytes = bytesOf(chunks);
	expect(sizeBytes).toBeGreaterThan(4_000);
	// A second's worth may leave at once.
	expect(spanMs).toBeGreaterThan(sizeBytes - 1_000 - 256);
	expect(spanMs).toBeLessThan(sizeBytes + 200);
});

test("a node that stops while a snapshot is made or on its way leaves no file", async () => {
	const bench = await createSnapshotBench();
	const [leader] = three(bench);
	leader.sender.send("n2", 2);
	const stopping = leader.sender.stop();
	await bench.clock.run(100);
	await stopping;
	expect(snapshotFiles(leader)).toEqual([]);
	leader.sender.send("n3", 2);
	await bench.clock.run(100);
	expect([bench.chunks.length, leader.ended]).toEqual([0, [["n2", null]]]);
});
