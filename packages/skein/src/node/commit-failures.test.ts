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
