/** Pausing elections of running nodes: who is told, what nobody does meanwhile, and how it ends. */
import { expect, test } from "vitest";
import type { PauseAnswer, PauseRequest } from "./elections.ts";
import {
	type Cluster,
	createCluster,
	insert,
	type Member,
	program,
	request,
	type Watched,
	watch,
} from "./testing/cluster.ts";

function pause(member: Member | undefined, request: Partial<PauseRequest>): Watched<PauseAnswer> {
	const asked = { forMs: 60_000, confirm: null, dryRun: false, ...request };
	return watch(member?.node?.service.pauseElections(asked) ?? Promise.reject(new Error("not running")));
}

const othersThan = (cluster: Cluster, one: Member): Member[] =>
	cluster.members.filter((member) => member !== one);

const pausedMs = ({ node }: Member): number =>
	node?.service.ownView().databases["default"]?.elections.pausedForMs ?? 0;

test("nobody takes over while elections are paused; resumed, somebody does", async () => {
	const cluster = await createCluster({ size: 3, seed: 21 });
	const leader = await cluster.leader();
	const [asked, other] = othersThan(cluster, leader);
	if (asked === undefined || other === undefined) throw new Error("no followers");
	const paused = pause(asked, {});
	await cluster.clock.run(500);
	expect(paused.value).toMatchObject({ changed: true, told: ["n1", "n2", "n3"], notTold: [] });
	for (const member of cluster.members) expect(pausedMs(member)).toBeGreaterThan(55_000);
	cluster.network.cut(leader.id, true);
	await cluster.clock.run(10_000);
	for (const { node } of cluster.members) {
		expect([node?.core.established, node?.core.leader]).toEqual([false, null]);
		expect(node?.service.readiness().reason).toMatch(/no leader, and elections are paused for \d+ s/);
	}
	// A majority is there: what keeps clients waiting is the pause, and they are told how it ends.
	const stream = asked.node?.service.openStream();
	const write = watch(stream?.run(program(insert("kept waiting")), request) ?? Promise.reject());
	await cluster.clock.run(10_000);
	expect(String(write.error)).toMatch(/elections are paused for \d+ s: skein resume-elections/);
	// Who led last goes on by itself: leadership has not moved.
	cluster.network.cut(leader.id, false);
	await cluster.clock.run(2_000);
	expect(await cluster.leader()).toBe(leader);
	cluster.network.cut(leader.id, true);
	await cluster.clock.run(2_000);
	const resumed = pause(asked, { forMs: 0 });
	await cluster.clock.run(3_000);
	const told = [asked.id, other.id].sort();
	expect(resumed.value).toMatchObject({ changed: true, told, notTold: [leader.id] });
	expect([asked, other].some(({ node }) => node?.core.established)).toBe(true);
	// Who could not be told holds to its pause, and hears of the end when it is back.
	expect(pausedMs(leader)).toBeGreaterThan(0);
	cluster.network.cut(leader.id, false);
	await cluster.clock.run(2_000);
	expect(pausedMs(leader)).toBe(0);
	expect(leader.lines).toContain("elections go on: the pause was ended");
	const again = pause(asked, { forMs: 0 });
	await cluster.clock.run(500);
	expect(again.value?.changed).toBe(false);
});

test("a node that starts again is told of the pause, and for how long it still lasts", async () => {
	const cluster = await createCluster({ size: 3, seed: 22 });
	const leader = await cluster.leader();
	const [follower] = othersThan(cluster, leader);
	if (follower === undefined) throw new Error("no follower");
	pause(leader, { forMs: 20_000 });
	await cluster.clock.run(500);
	await cluster.stop(follower);
	await cluster.clock.run(5_000);
	await cluster.start(follower);
	await cluster.clock.run(1_000);
	expect(pausedMs(follower)).toBeGreaterThan(10_000);
	expect(pausedMs(follower)).toBeLessThan(15_000);
	await cluster.clock.run(15_000);
	for (const member of cluster.members) expect(pausedMs(member)).toBe(0);
	expect(leader.lines).toContain("elections go on: the time of the pause is over");
});

test("the later order counts, whoever hears of which first", async () => {
	const cluster = await createCluster({ size: 3, seed: 23 });
	const leader = await cluster.leader();
	const [first, second] = othersThan(cluster, leader);
	if (first === undefined || second === undefined) throw new Error("no followers");
	pause(first, {});
	await cluster.clock.run(500);
	cluster.network.cut(second.id, true);
	pause(first, { forMs: 0 });
	await cluster.clock.run(1_000);
	// It comes back with the earlier one, and all tell each other what they have.
	cluster.network.cut(second.id, false);
	await cluster.clock.run(2_000);
	for (const member of cluster.members) expect([member.id, pausedMs(member)]).toEqual([member.id, 0]);
});

test("where nobody leads it is refused, unless what is lost is said; a rehearsal tells nobody", async () => {
	const cluster = await createCluster({ size: 3, seed: 24 });
	const leader = await cluster.leader();
	const rehearsed = pause(leader, { dryRun: true });
	await cluster.clock.run(500);
	expect(rehearsed.value).toMatchObject({ changed: false, told: ["n1", "n2", "n3"] });
	for (const member of cluster.members) expect(pausedMs(member)).toBe(0);
	const [alone] = othersThan(cluster, leader);
	for (const member of cluster.members) if (member !== alone) await cluster.stop(member);
	await cluster.clock.run(3_000);
	const refused = pause(alone, {});
	await cluster.clock.run(10);
	expect(refused.error).toMatchObject({ code: "NEEDS_CONFIRMATION" });
	expect(String(refused.error)).toContain('confirm: "writes stop for up to 60 s"');
	const other = pause(alone, { forMs: 30_000, confirm: "writes stop for up to 60 s" });
	await cluster.clock.run(10);
	expect(other.error).toMatchObject({ code: "NEEDS_CONFIRMATION" });
	const confirmed = pause(alone, { confirm: "writes stop for up to 60 s" });
	await cluster.clock.run(2_000);
	expect(confirmed.value?.changed).toBe(true);
});
