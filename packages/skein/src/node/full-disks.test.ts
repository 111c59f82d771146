/** What clients are told while disks are full, or nothing gets durable otherwise: in time, and what it means for their write. */
import { expect, test } from "vitest";
import type { Answer } from "./service.ts";
import {
	createCluster,
	insert,
	type Member,
	program,
	request,
	rowsOf,
	type Watched,
	watch,
} from "./testing/cluster.ts";
import { isOfType } from "./testing/parts.ts";

function fill({ disk }: Member): void {
	disk.faults.capacityBytes = [...disk.files().values()].reduce((sum, bytes) => sum + bytes.length, 0);
}

/** With a time limit far beyond what anybody is to wait. */
function send(of: Member | undefined, what: string | readonly [string, string]): Watched<Answer> {
	const options = { ...request, timeoutMs: 60_000 };
	return watch(of?.node?.service.openStream().run(program(what), options) ?? Promise.reject());
}

test("followers whose disks are full: writes and reads are answered in time, nothing is lost, and all goes on with room", async () => {
	const cluster = await createCluster({ size: 3, seed: 8, settings: { logSegmentBytes: 4_096 } });
	const leader = await cluster.leader();
	const followers = cluster.members.filter((member) => member !== leader);
	for (const follower of followers) fill(follower);
	const { term } = leader.node?.core ?? { term: 0 };
	// Larger than what the log has prepared.
	const large = "x".repeat(20_000);
	const written = send(leader, insert(large));
	await cluster.clock.run(1_000);
	const behind = send(leader, insert("behind"));
	const forwarded = send(followers[0], insert("forwarded"));
	await cluster.clock.run(3_000);
	expect(leader.node?.service.readiness()).toMatchObject({ ready: false });
	expect(leader.node?.service.readiness().reason).toContain(followers[0]?.id);
	const read = send(leader, "SELECT count(*) FROM ledger");
	await cluster.clock.run(5_500);
	expect(read.settled).toBe(true);
	expect(written.error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
	for (const { error } of [behind, forwarded])
		expect(error).toMatchObject({ code: "NO_LEADER", outcome: "did-not-happen" });
	// While it lasts nobody has to wait any more.
	const later = send(followers[1], insert("later"));
	await cluster.clock.run(500);
	expect(later.error).toMatchObject({ code: "NO_LEADER", outcome: "did-not-happen" });
	expect(leader.node?.core).toMatchObject({ role: "leader", term });

	for (const { disk } of followers) disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
	await cluster.clock.run(3_000);
	const after = send(followers[0], insert("after"));
	await cluster.clock.run(1_000);
	expect([after.error, after.settled]).toEqual([null, true]);
	expect(leader.node?.service.readiness()).toEqual({ ready: true, reason: "" });
	for (const { file } of cluster.members)
		expect(file.content.items.map((item) => item.length)).toEqual([large.length, 5]);
});

test("a linearizable read on a member without room is answered in time, and what is missing is said", async () => {
	const cluster = await createCluster({ size: 3, seed: 8, settings: { logSegmentBytes: 4_096 } });
	const leader = await cluster.leader();
	const full = cluster.members.find((member) => member !== leader);
	if (full === undefined) throw new Error("no follower");
	fill(full);
	const written = send(leader, insert("x".repeat(20_000)));
	await cluster.clock.run(500);
	expect([written.error, written.settled]).toEqual([null, true]);
	const read = send(full, "SELECT count(*) FROM ledger");
	await cluster.clock.run(8_500);
	expect(read.error).toMatchObject({ code: "DISK_FULL", outcome: "did-not-happen" });
	full.disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
	const again = send(full, "SELECT v FROM ledger");
	await cluster.clock.run(1_000);
	expect(again.value && rowsOf(again.value).length).toBe(1);
});

test("an early write that nobody commits ends the reads behind it in time, and the leader is not ready", async () => {
	const cluster = await createCluster({ size: 3, seed: 8, settings: { logSegmentBytes: 4_096 } });
	const leader = await cluster.leader();
	const followers = cluster.members.filter((member) => member !== leader);
	for (const follower of followers) fill(follower);
	const early = watch(
		leader.node?.service.openStream().run(program(insert("x".repeat(20_000))), {
			...request,
			acknowledgement: { mode: "async" },
		}) ?? Promise.reject(),
	);
	await cluster.clock.run(1_000);
	expect([early.error, early.settled]).toEqual([null, true]);
	await cluster.clock.run(3_000);
	expect(leader.node?.service.readiness()).toMatchObject({ ready: false });
	expect(leader.node?.service.readiness().reason).toContain(followers[0]?.id);
	const reads = [leader, followers[0]].map((member) => send(member, "SELECT count(*) FROM ledger"));
	await cluster.clock.run(9_000);
	expect(reads[1]?.error).toMatchObject({ code: "DISK_FULL", outcome: "did-not-happen" });
	expect(reads[0]?.error).toMatchObject({ code: "TIMEOUT", outcome: "did-not-happen" });
	for (const { id } of followers) expect(String(reads[0]?.error)).toContain(id);
	expect(leader.node?.core.role).toBe("leader");

	for (const { disk } of followers) disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
	await cluster.clock.run(3_000);
	expect(leader.node?.service.readiness()).toEqual({ ready: true, reason: "" });
	const after = send(followers[0], "SELECT v FROM ledger");
	await cluster.clock.run(1_000);
	expect(after.value && rowsOf(after.value).length).toBe(1);
});

test("a leader that cannot commit its first entry lets no write wait for ever", async () => {
	const cluster = await createCluster({ size: 3, seed: 5 });
	const first = await cluster.leader();
	const [second, third] = cluster.members.filter((member) => member !== first);
	cluster.network.intercept = (sent) => (isOfType(sent, "append-response") ? null : sent.bytes);
	watch(first.node?.service.transfer(second?.id ?? null) ?? Promise.reject());
	await cluster.clock.run(500);
	expect(second?.node?.core).toMatchObject({ role: "leader", established: false });
	const writes = [send(second, insert("a")), send(third, insert("b"))];
	// They wait for a leader that serves (8 s), and then until the leader in whose queue they are gives way (3.5 s).
	await cluster.clock.run(12_000);
	for (const { error } of writes)
		expect(error).toMatchObject({ code: "NO_LEADER", outcome: "did-not-happen" });
	cluster.network.intercept = (sent) => sent.bytes;
	await cluster.clock.run(1_000);
	expect(second?.file.content.items).toEqual([]);
});

test("a member that could not apply for want of room, and gets a snapshot instead, is ready without another write", async () => {
	const cluster = await createCluster({ size: 3, seed: 9 });
	const leader = await cluster.leader();
	const member = cluster.members.find((one) => one !== leader);
	if (member === undefined) throw new Error("no members");
	// Of the first try; by the second one the entry has no place in this database any more.
	member.file.failure = Object.assign(new Error("database or disk is full"), { code: "DISK_FULL" });
	member.file.unfitFor = "large";
	const written = send(leader, insert("large"));
	await cluster.clock.run(400);
	expect(written.error).toBe(null);
	expect(member.node?.service.readiness().reason).toContain("full");
	await cluster.clock.run(10_000);
	expect(member.file.content.items).toEqual(["large"]);
	expect(member.node?.service.readiness()).toEqual({ ready: true, reason: "" });
});

test("who leads without room gives way for long enough that a member stands in which never leads", async () => {
	const cluster = await createCluster({ size: 3, seed: 9 });
	const leader = await cluster.leader();
	const [full, never] = cluster.members.filter((member) => member !== leader);
	if (full === undefined || never === undefined) throw new Error("no members");
	const changes = [{ change: "priority", id: never.id, priority: "never" } as const];
	const changed = watch(
		leader.node?.service.changeMembers({ changes, confirm: null, dryRun: false }) ?? Promise.reject(),
	);
	await cluster.clock.run(500);
	expect(changed.error).toBe(null);
	let noRoom: Error | null = Object.assign(new Error("database or disk is full"), { code: "DISK_FULL" });
	Object.defineProperty(full.file, "failure", { configurable: true, get: () => noRoom, set() {} });
	const written = send(leader, insert("a"));
	await cluster.clock.run(1_000);
	expect(written.error).toBe(null);
	await cluster.stop(leader);

	const led = new Set<string | undefined>();
	for (let passedMs = 0; passedMs < 30_000; passedMs += 100) {
		await cluster.clock.run(100);
		led.add([full, never].find(({ node }) => node?.core.established)?.id);
	}
	expect(led).toContain(full.id);
	expect(led).toContain(never.id);
	// With room it leads at once, and goes on.
	noRoom = null;
	await cluster.clock.run(10_000);
	expect(full.node?.core.established).toBe(true);
	expect(full.node?.service.readiness()).toEqual({ ready: true, reason: "" });
});

test("a leader that could not apply for a moment, and later once more, leads on: what is over is forgotten", async () => {
	const cluster = await createCluster({ size: 3, seed: 9 });
	const leader = await cluster.leader();
	const { term } = leader.node?.core ?? { term: 0 };
	let failures = 0;
	const noRoom = Object.assign(new Error("database or disk is full"), { code: "DISK_FULL" });
	Object.defineProperty(leader.file, "failure", {
		configurable: true,
		get: () => (failures-- > 0 ? noRoom : null),
		set() {},
	});
	for (const value of ["a", "b"]) {
		// The commit, and the first try to apply it again.
		failures = 2;
		send(leader, insert(value));
		await cluster.clock.run(100);
		send(leader, insert("behind"));
		await cluster.clock.run(5_000);
		expect(failures).toBeLessThanOrEqual(0);
		const { core, service } = leader.node ?? {};
		expect([core?.role, core?.term, core?.established]).toEqual(["leader", term, true]);
		expect(service?.readiness()).toEqual({ ready: true, reason: "" });
	}
});
