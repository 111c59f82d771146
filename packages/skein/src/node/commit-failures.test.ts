/** SQLite's commit on a leader: it fails and has happened all the same, or it does not end. */
import { expect, test } from "vitest";
import { createCluster, insert, program, request, watch } from "./testing/cluster.ts";

test("a commit that is told to have failed and has happened is not applied again", async () => {
	const cluster = await createCluster({ size: 3, seed: 3 });
	const leader = await cluster.leader();
	const stream = leader.node?.service.openStream();
	if (stream === undefined) throw new Error("no stream");
	leader.file.lateFailure = new Error("disk I/O error");
	for (const value of ["one", "two"]) {
		const written = watch(stream.run(program(insert(value)), request));
		for (let turn = 0; turn < 100; turn++) {
			await cluster.clock.run(20);
			expect(leader.node?.service.readiness().reason).not.toContain("does not fit");
		}
		expect(written.value).not.toBe(null);
	}
	await cluster.clock.run(1_000);
	for (const { file, node } of cluster.members) {
		expect(file.content.items).toEqual(["one", "two"]);
		expect(node?.service.readiness()).toEqual({ ready: true, reason: "" });
	}
});

test("nor are entries that a follower is told to have failed to apply: it goes on without a copy of the leader's", async () => {
	const cluster = await createCluster({ size: 3, seed: 6 });
	const leader = await cluster.leader();
	const [follower] = cluster.members.filter((member) => member !== leader);
	const stream = leader.node?.service.openStream();
	if (follower === undefined || stream === undefined) throw new Error("no members");
	follower.file.lateFailure = new Error("disk I/O error");
	// Nobody could give it one.
	cluster.network.isFull = ({ lane }) => lane === "bulk";
	for (const value of ["one", "two"]) {
		const written = watch(stream.run(program(insert(value)), request));
		await cluster.clock.run(2_000);
		expect(written.value).not.toBe(null);
	}
	expect(follower.file.lateFailure).toBe(null);
	expect(follower.file.content.items).toEqual(["one", "two"]);
	expect(follower.node?.service.readiness()).toEqual({ ready: true, reason: "" });
});

test("a new leader that cannot apply, since its disk hangs, gives its place up", async () => {
	const cluster = await createCluster({ size: 3, seed: 5 });
	const leader = await cluster.leader();
	const [next] = cluster.members.filter((member) => member !== leader);
	const stream = leader.node?.service.openStream();
	if (next === undefined || stream === undefined) throw new Error("no members");
	next.file.hanging = new Promise(() => {});
	const written = watch(stream.run(program(insert("one")), request));
	await cluster.clock.run(200);
	expect(written.value).not.toBe(null);
	const transferred = watch<unknown>(leader.node?.service.transfer(next.id) ?? Promise.resolve());
	await cluster.clock.run(1_500);
	expect(next.node?.core.role).toBe("leader");
	await cluster.clock.run(10_000);
	expect(transferred.settled).toBe(true);
	expect(next.node?.core.role).toBe("follower");
	const again = watch(stream.run(program(insert("two")), request));
	await cluster.clock.run(2_000);
	expect(again.value).not.toBe(null);
});

test("a leader whose commit does not end gives its place up: others serve", async () => {
	const cluster = await createCluster({ size: 3, seed: 4 });
	const leader = await cluster.leader();
	let goOn = (): void => {};
	leader.file.hanging = new Promise((resolve) => {
		goOn = resolve;
	});
	const [other] = cluster.members.filter((member) => member !== leader);
	const stream = other?.node?.service.openStream();
	if (stream === undefined) throw new Error("no stream");
	const written: ReturnType<typeof watch>[] = [];
	for (const value of ["one", "two", "three"]) {
		written.push(watch(stream.run(program(insert(value)), request)));
		await cluster.clock.run(2_000);
	}
	expect(leader.node?.core.role).toBe("follower");
	expect(written.at(-1)?.value).not.toBe(null);
	goOn();
	await cluster.clock.run(2_000);
	const [first, ...rest] = cluster.members.map(({ file }) => file.content.items);
	for (const items of rest) expect(items).toEqual(first);
	expect(first).toContain("three");
});

test("a leader on whose disk nothing can be captured gives its place up: others serve", async () => {
	const cluster = await createCluster({ size: 3, seed: 7 });
	const leader = await cluster.leader();
	leader.file.captureFailure = Object.assign(new Error("database or disk is full"), { code: "DISK_FULL" });
	const [other] = cluster.members.filter((member) => member !== leader);
	const stream = other?.node?.service.openStream();
	if (stream === undefined) throw new Error("no stream");
	const refused = watch(stream.run(program(insert("one")), request));
	await cluster.clock.run(2_000);
	expect(refused.error).toMatchObject({ code: "DISK_FULL", outcome: "did-not-happen" });
	expect(leader.node?.core.role).toBe("follower");
	const written = watch(stream.run(program(insert("two")), request));
	await cluster.clock.run(2_000);
	expect(written.value).not.toBe(null);
	expect(leader.file.content.items).toEqual(["two"]);
});

test("a large transaction may take longer to commit: its leader stays, but not for ever", async () => {
	const cluster = await createCluster({ size: 3, seed: 4 });
	const leader = await cluster.leader();
	leader.file.hanging = new Promise(() => {});
	const stream = leader.node?.service.openStream();
	if (stream === undefined) throw new Error("no stream");
	// Two seconds and a half of a slow disk, beside the second that any commit may take.
	watch(stream.run(program(insert("x".repeat(40 * 1024 * 1024))), request));
	await cluster.clock.run(2_500);
	expect(leader.node?.core.role).toBe("leader");
	await cluster.clock.run(3_000);
	expect(leader.node?.core.role).toBe("follower");
});
