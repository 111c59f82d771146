/** An entry that does not fit a member's database, whatever the reason: it serves nothing wrong, and comes back. */
import { expect, test } from "vitest";
import { createCluster, insert, program, request, rowsOf, watch } from "./testing/cluster.ts";

test("a member whose database an entry does not fit gets a copy of the leader's, and shows nothing before", async () => {
	const cluster = await createCluster({ size: 3, seed: 7 });
	const leader = await cluster.leader();
	const [member, other] = cluster.members.filter((one) => one !== leader);
	if (member?.node === null || member === undefined || other === undefined) throw new Error("no members");
	// Nobody can give it a copy: it cannot be reached on the lane for that.
	member.file.unfitFor = "bad";
	const { network } = cluster;
	network.isFull = ({ from, to, lane }) => lane === "bulk" && from === leader.id && to === member.id;
	const stream = leader.node?.service.openStream();
	for (const value of ["before", "bad", "after"]) {
		const written = watch(
			stream?.run(program(insert(value)), request) ?? Promise.reject(new Error("no stream")),
		);
		await cluster.clock.run(100);
		expect(written.value).not.toBe(null);
	}
	await cluster.clock.run(1_000);
	expect(member.node.service.readiness().reason).toContain("does not fit");
	const eventual = { ...request, consistency: { level: "eventual" } } as const;
	const refused = watch(member.node.service.openStream().run(program("SELECT * FROM ledger"), eventual));
	await cluster.clock.run(10);
	expect(refused.error).toMatchObject({ code: "NOT_READY" });
	expect(member.failure).toBe(null);

	network.isFull = () => false;
	await cluster.clock.run(10_000);
	expect(member.node.service.readiness()).toEqual({ ready: true, reason: "" });
	const read = watch(member.node.service.openStream().run(program("SELECT * FROM ledger"), request));
	await cluster.clock.run(100);
	expect(read.value === null ? null : rowsOf(read.value)).toEqual(["before", "bad", "after"]);
});

test("it leaves room for a member that never leads, which has what it lacks", async () => {
	const cluster = await createCluster({ size: 3, seed: 9 });
	const leader = await cluster.leader();
	const [unfit, never] = cluster.members.filter((member) => member !== leader);
	if (unfit === undefined || never === undefined) throw new Error("no members");
	const changes = [{ change: "priority", id: never.id, priority: "never" } as const];
	const changed = watch(
		leader.node?.service.changeMembers({ changes, confirm: null, dryRun: false }) ?? Promise.reject(),
	);
	await cluster.clock.run(500);
	expect(changed.error).toBe(null);
	unfit.file.unfitFor = "bad";
	cluster.network.isFull = ({ from, lane }) => lane === "bulk" && from === leader.id;
	const written = watch(
		leader.node?.service.openStream().run(program(insert("bad")), request) ?? Promise.reject(),
	);
	await cluster.clock.run(1_000);
	expect(written.value).not.toBe(null);
	await cluster.stop(leader);
	await cluster.clock.run(30_000);
	expect(unfit.node?.core.established).toBe(true);
	expect(unfit.node?.service.readiness()).toEqual({ ready: true, reason: "" });
	expect(unfit.file.content.items).toEqual(["bad"]);
});

test("it does not lead before that: whoever has the leader's place and cannot apply gives it up", async () => {
	const cluster = await createCluster({ size: 3, seed: 8 });
	const leader = await cluster.leader();
	const [one, other] = cluster.members.filter((member) => member !== leader);
	if (one === undefined || other === undefined) throw new Error("no members");
	one.file.unfitFor = "bad";
	other.file.unfitFor = "bad";
	cluster.network.isFull = ({ lane }) => lane === "bulk";
	const stream = leader.node?.service.openStream();
	const written = watch(
		stream?.run(program(insert("bad")), request) ?? Promise.reject(new Error("no stream")),
	);
	await cluster.clock.run(1_000);
	expect(written.value).not.toBe(null);
	await cluster.stop(leader);
	await cluster.clock.run(5_000);
	for (const { node, failure } of [one, other]) {
		expect(failure).toBe(null);
		expect(node?.service.readiness().ready).toBe(false);
	}
	// Its file has what it did itself: with it the others come back.
	cluster.network.isFull = () => false;
	await cluster.start(leader);
	await cluster.clock.run(30_000);
	for (const { file } of cluster.members) expect(file.content.items).toEqual(["bad"]);
	for (const { node } of cluster.members)
		expect(node?.service.readiness()).toEqual({ ready: true, reason: "" });
});
