import { expect, test } from "vitest";
import type { Answer } from "./service.ts";
import { createCluster, insert, program, request, rowsOf, type Watched, watch } from "./testing/cluster.ts";

test("a write on any node is read on every other", async () => {
	const cluster = await createCluster({ size: 3, seed: 1 });
	await cluster.leader();
	for (const [number, member] of cluster.members.entries()) {
		const written = watch(
			member.node?.service.openStream().run(program(insert(`v${number}`)), request) ?? Promise.reject(),
		);
		await cluster.clock.run(500);
		expect(written.error).toBe(null);
	}
	for (const member of cluster.members) {
		const read = watch(
			member.node?.service.openStream().run(program("SELECT v FROM ledger"), request) ?? Promise.reject(),
		);
		await cluster.clock.run(500);
		expect(read.value && rowsOf(read.value)).toEqual(["v0", "v1", "v2"]);
	}
	for (const member of cluster.members) await cluster.stop(member);
});

test("an upgrade that the leader refuses gives its reader back", async () => {
	const cluster = await createCluster({ size: 3, seed: 2 });
	const leader = await cluster.leader();
	const service = leader.node?.service;
	if (service === undefined) throw new Error("no node");
	const stream = service.openStream();
	watch(stream.run(program("BEGIN"), request));
	await cluster.clock.run(200);
	expect(leader.file.openReads).toBe(1);
	watch(service.openStream().run(program(insert("a")), request));
	await cluster.clock.run(200);
	const upgraded = watch(stream.run(program(insert("b")), request));
	await cluster.clock.run(200);
	expect(upgraded.error).toMatchObject({ code: "SQLITE_BUSY" });
	expect(leader.file.openReads).toBe(0);
});

test("a node stops although its writes cannot be committed, and tells their clients", async () => {
	const cluster = await createCluster({ size: 3, seed: 3 });
	const leader = await cluster.leader();
	for (const member of cluster.members) if (member !== leader) cluster.network.cut(member.id, true);
	const streams = [1, 2].map(() => leader.node?.service.openStream());
	const writes = streams.map((stream, number) =>
		watch(stream?.run(program(insert(`w${number}`)), request) ?? Promise.reject()),
	);
	const { node } = leader;
	// The runner stands still: as after a disk that failed, no role will ever change any more.
	leader.disk.faults.syncsLeft = 0;
	await cluster.clock.run(5);
	expect(node).not.toBe(null);
	await cluster.stop(leader);
	await cluster.clock.run(10);
	expect(writes.map((write) => write.settled)).toEqual([true, true]);
});

test("a follower whose SQLite has no room waits, and goes on", async () => {
	const cluster = await createCluster({ size: 3, seed: 4 });
	const leader = await cluster.leader();
	const follower = cluster.members.find((member) => member !== leader);
	if (follower === undefined) throw new Error("no follower");
	follower.file.failure = Object.assign(new Error("database or disk is full"), { code: "DISK_FULL" });
	watch(leader.node?.service.openStream().run(program(insert("a")), request) ?? Promise.reject());
	await cluster.clock.run(2_000);
	expect(follower.failure).toBe(null);
	expect(follower.file.content.items).toEqual(["a"]);
});

test("what a leader's SQLite could not commit is applied from the log", async () => {
	const cluster = await createCluster({ size: 3, seed: 5 });
	const leader = await cluster.leader();
	leader.file.failure = Object.assign(new Error("database or disk is full"), { code: "DISK_FULL" });
	const stream = leader.node?.service.openStream();
	const written = watch(stream?.run(program(insert("a")), request) ?? Promise.reject());
	await cluster.clock.run(2_000);
	expect(written.error).toBe(null);
	const read = watch(stream?.run(program("SELECT v FROM ledger"), request) ?? Promise.reject());
	await cluster.clock.run(200);
	expect(read.value && rowsOf(read.value)).toEqual(["a"]);
});

test("a leader whose SQLite has no room makes place for one that has, and writes go on", async () => {
	const cluster = await createCluster({ size: 3, seed: 5 });
	const leader = await cluster.leader();
	const other = cluster.members.find((member) => member !== leader);
	let tries = 0;
	Object.defineProperty(leader.file, "failure", {
		get() {
			tries++;
			return Object.assign(new Error("database or disk is full"), { code: "DISK_FULL" });
		},
		set() {},
	});
	const stream = other?.node?.service.openStream();
	watch(stream?.run(program(insert("a")), request) ?? Promise.reject());
	await cluster.clock.run(3_000);
	const written = watch(stream?.run(program(insert("b")), request) ?? Promise.reject());
	await cluster.clock.run(3_000);
	expect(tries).toBeGreaterThan(2);
	expect([written.settled, written.error]).toEqual([true, null]);
	expect(leader.node?.core.role).toBe("follower");
	expect(other?.file.content.items).toEqual(["a", "b"]);
	// Once a while, not with each try.
	await cluster.clock.run(20_000);
	const full = leader.lines.filter((line) => line.startsWith("the disk is full"));
	expect(tries).toBeGreaterThan(20);
	expect(full.length).toBeGreaterThanOrEqual(1);
	expect(full.length).toBeLessThanOrEqual(4);
});

test("a leader whose barrier is committed before its own disk has it serves reads though nobody writes", async () => {
	const cluster = await createCluster({ size: 3, seed: 5 });
	const first = await cluster.leader();
	// Its first choice of a mode is committed.
	await cluster.clock.run(200);
	let release = (): void => {};
	const gate = new Promise<void>((resolve) => {
		release = resolve;
	});
	for (const member of cluster.members) {
		Object.defineProperty(member.disk.faults, "hang", {
			get: () => (member !== first && member.node?.core.role === "leader" ? gate : null),
		});
	}
	watch(first.node?.service.transfer(null) ?? Promise.reject());
	await cluster.clock.run(100);
	const second = cluster.members.find((member) => member !== first && member.node?.core.established);
	expect(second?.node?.core).toMatchObject({ commitIndex: 4, durableIndex: 3 });
	release();
	await cluster.clock.run(100);
	const read = watch(
		second?.node?.service.openStream().run(program("SELECT v FROM ledger"), request) ?? Promise.reject(),
	);
	await cluster.clock.run(500);
	expect(read.value && rowsOf(read.value)).toEqual([]);
});

test("a follower far behind gets a snapshot", async () => {
	const cluster = await createCluster({
		size: 3,
		seed: 6,
		settings: { compactLogBytes: 2_000, logTailEntries: 2, logSegmentBytes: 4_096, snapshotChunkBytes: 512 },
	});
	const leader = await cluster.leader();
	const follower = cluster.members.find((member) => member !== leader);
	if (follower === undefined) throw new Error("no follower");
	cluster.network.cut(follower.id, true);
	const stream = leader.node?.service.openStream();
	for (let number = 0; number < 100; number++) {
		const written = watch(
			stream?.run(program(insert(`${number}${"x".repeat(100)}`)), request) ?? Promise.reject(),
		);
		await cluster.clock.run(50);
		expect(written.error).toBe(null);
	}
	cluster.network.cut(follower.id, false);
	await cluster.clock.run(5_000);
	expect(follower.file.content.items.length).toBe(100);
	expect(follower.failure).toBe(null);
});

test.each([11, 12, 13, 14, 15, 16])(
	"no acknowledged write is lost, none happens twice: seed %i",
	async (seed) => {
		const cluster = await createCluster({
			size: 3,
			seed,
			settings: {
				compactLogBytes: 8_000,
				logTailEntries: 10,
				logSegmentBytes: 4_096,
				snapshotChunkBytes: 512,
			},
		});
		const { clock, members, random } = cluster;
		const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
		const writes: { value: string; seen: Watched<Answer> }[] = [];
		const reads: { acknowledged: string[]; seen: Watched<Answer> }[] = [];
		for (let turn = 0; turn < 300; turn++) {
			const member = pick(members);
			const value = `${seed}-${turn}`;
			const stream = member.node?.service.openStream();
			if (stream !== undefined && random() < 0.3) {
				const acknowledged = writes.filter(({ seen }) => seen.value !== null).map((write) => write.value);
				reads.push({ acknowledged, seen: watch(stream.run(program("SELECT v FROM ledger"), request)) });
			} else if (stream !== undefined) {
				writes.push({ value, seen: watch(stream.run(program(insert(value)), request)) });
			}
			if (random() < 0.04) cluster.network.cut(pick(members).id, random() < 0.5);
			if (random() < 0.03) for (const { id } of members) cluster.network.cut(id, false);
			if (random() < 0.02) watch<unknown>(member.node?.service.transfer(null) ?? Promise.resolve());
			if (random() < 0.02 && member.node !== null) {
				await cluster.stop(member);
				await cluster.start(member);
			}
			await clock.run(random() * 60);
		}
		for (const { id } of members) cluster.network.cut(id, false);
		await clock.run(20_000);

		expect(members.map((member) => member.failure)).toEqual([null, null, null]);
		const contents = members.map((member) => member.file.content.items);
		expect(contents[1]).toEqual(contents[0]);
		expect(contents[2]).toEqual(contents[0]);
		const items = contents[0] ?? [];
		expect(new Set(items).size).toBe(items.length);
		const everyone = [...writes.map(({ seen }) => seen), ...reads.map(({ seen }) => seen)];
		expect(everyone.filter((seen) => !seen.settled)).toEqual([]);
		const held = new Set(items);
		for (const { value, seen } of writes) {
			if (seen.value !== null) expect(held.has(value), value).toBe(true);
			else if ((seen.error as { outcome: string }).outcome === "did-not-happen")
				expect(held.has(value), value).toBe(false);
		}
		for (const { acknowledged, seen } of reads) {
			if (seen.value !== null) expect(rowsOf(seen.value)).toEqual(expect.arrayContaining(acknowledged));
		}
		expect(writes.filter(({ seen }) => seen.value !== null).length).toBeGreaterThan(50);
	},
);

test("describe is a read: a node that is cut off from the leader does not answer it from what it has", async () => {
	const cluster = await createCluster({ size: 3, seed: 6 });
	const leader = await cluster.leader();
	const follower = cluster.members.find((member) => member !== leader);
	if (follower?.node === undefined || follower.node === null) throw new Error("no follower");
	const stream = follower.node.service.openStream();
	cluster.network.cut(follower.id, true);
	const described = watch(stream.describe("SELECT v FROM ledger", request));
	await cluster.clock.run(request.timeoutMs + 1_000);
	expect(described.error).toMatchObject({ code: expect.stringMatching(/^(NO_LEADER|TIMEOUT)$/) });
});
