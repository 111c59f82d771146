/** An operator takes leadership away: who leads then, who must not, and what is refused. */
import { expect, test } from "vitest";
import type { StepDownAnswer, StepDownRequest } from "./step-down.ts";
import {
	createCluster,
	insert,
	type Member,
	program,
	request,
	type Watched,
	watch,
} from "./testing/cluster.ts";
import { isOfType } from "./testing/parts.ts";

function stepDown(member: Member | undefined, changed: Partial<StepDownRequest>): Watched<StepDownAnswer> {
	const asked = { term: null, restMs: 5_000, confirm: null, dryRun: false, ...changed };
	return watch(member?.node?.service.stepDown(asked) ?? Promise.reject(new Error("not running")));
}

test("somebody else leads, no write is lost, and asked again for that term nothing happens", async () => {
	const cluster = await createCluster({ size: 3, seed: 31 });
	const leader = await cluster.leader();
	const term = leader.node?.core.term ?? 0;
	const follower = cluster.members.find((member) => member !== leader);
	const rehearsed = stepDown(follower, { term, dryRun: true });
	await cluster.clock.run(200);
	expect(rehearsed.value).toMatchObject({ changed: false, from: leader.id });
	expect(leader.node?.core.role).toBe("leader");
	const written = watch(
		follower?.node?.service.openStream().run(program(insert("a")), request) ?? Promise.reject(),
	);
	const done = stepDown(follower, { term });
	await cluster.clock.run(1_000);
	expect(written.error).toBe(null);
	expect(done.value).toMatchObject({ changed: true, from: leader.id });
	expect(done.value?.leader).not.toBe(leader.id);
	expect(done.value?.pausedMs).toBeLessThan(500);
	const next = await cluster.leader();
	expect(next.id).toBe(done.value?.leader);
	expect(leader.lines).toContain("stepped down because an operator asked for it");
	const again = stepDown(leader, { term });
	await cluster.clock.run(200);
	expect(again.value).toMatchObject({ changed: false, leader: next.id });
	expect(await cluster.leader()).toBe(next);
	expect(leader.node?.service.ownView().databases["default"]?.elections.restsForMs).toBeGreaterThan(0);
});

test("who stepped down does not stand while it rests, also where nobody else can lead", async () => {
	const cluster = await createCluster({ size: 3, seed: 32 });
	const leader = await cluster.leader();
	stepDown(leader, { restMs: 20_000 });
	await cluster.clock.run(1_000);
	const next = await cluster.leader();
	const third = cluster.members.find((member) => member !== leader && member !== next);
	if (third === undefined) throw new Error("no third member");
	await cluster.stop(third);
	cluster.network.cut(next.id, true);
	await cluster.start(third);
	cluster.network.cut(third.id, true);
	await cluster.clock.run(5_000);
	expect(leader.node?.core.role).toBe("follower");
	cluster.network.cut(third.id, false);
	await cluster.clock.run(5_000);
	expect(third.node?.core.established).toBe(true);
});

test("where nobody can take over it is refused, unless what may be lost is said", async () => {
	const cluster = await createCluster({ size: 3, seed: 33 });
	const leader = await cluster.leader();
	const [first, second] = cluster.members.filter((member) => member !== leader).map(({ id }) => id);
	cluster.network.intercept = (sent) => (isOfType(sent, "timeout-now") ? null : sent.bytes);
	const refused = stepDown(leader, {});
	await cluster.clock.run(5_000);
	const sentence = `writes stop for up to 5 s or until ${first} or ${second} leads, and early answers may be lost`;
	expect(refused.error).toMatchObject({ code: "NEEDS_CONFIRMATION", outcome: "did-not-happen" });
	expect(String(refused.error)).toContain(`confirm: "${sentence}"`);
	expect(await cluster.leader()).toBe(leader);
	const mistyped = stepDown(leader, { confirm: "writes stop" });
	await cluster.clock.run(5_000);
	expect(mistyped.error).toMatchObject({ code: "NEEDS_CONFIRMATION" });
	const forced = stepDown(leader, { confirm: sentence });
	await cluster.clock.run(8_000);
	expect(forced.value).toMatchObject({ changed: true, from: leader.id });
	expect([first, second]).toContain(forced.value?.leader);
	expect((await cluster.leader()).id).toBe(forced.value?.leader);
});

test("the sentence names nobody who never leads: writes would not go on with it", async () => {
	const cluster = await createCluster({ size: 3, seed: 35 });
	const leader = await cluster.leader();
	const others = cluster.members.filter((member) => member !== leader);
	const changes = others.map(({ id }) => ({ change: "priority", id, priority: "never" }) as const);
	watch(leader.node?.service.changeMembers({ changes, confirm: null, dryRun: false }) ?? Promise.reject());
	await cluster.clock.run(1_000);
	const refused = stepDown(leader, { dryRun: true });
	await cluster.clock.run(100);
	expect(String(refused.error)).toContain(
		'confirm: "writes stop for up to 5 s, and early answers may be lost"',
	);
});

test("a node alone steps down only if it is said that writes stop, and leads again after its rest", async () => {
	const cluster = await createCluster({ size: 1, seed: 34 });
	const leader = await cluster.leader();
	const refused = stepDown(leader, { dryRun: true });
	await cluster.clock.run(100);
	expect(String(refused.error)).toContain(
		'confirm: "writes stop for up to 5 s, and early answers may be lost"',
	);
	const forced = stepDown(leader, { confirm: "writes stop for up to 5 s, and early answers may be lost" });
	await cluster.clock.run(4_000);
	expect(forced.value).toMatchObject({ changed: true, leader: null });
	expect(leader.node?.core.role).toBe("follower");
	await cluster.clock.run(4_000);
	expect(await cluster.leader()).toBe(leader);
});

test("a leader that loses its term meanwhile is not said to lead on, and is not deposed in another term", async () => {
	const cluster = await createCluster({ size: 3, seed: 36 });
	const leader = await cluster.leader();
	cluster.network.intercept = (sent) => (isOfType(sent, "timeout-now") ? null : sent.bytes);
	const asked = stepDown(leader, {});
	await cluster.clock.run(200);
	cluster.network.cut(leader.id, true);
	await cluster.clock.run(1_000);
	cluster.network.cut(leader.id, false);
	await cluster.clock.run(5_000);
	const next = await cluster.leader();
	expect(next).not.toBe(leader);
	expect(asked.error).toBe(null);
	expect(asked.value).toMatchObject({ changed: false, leader: next.id });
});

test("named, it goes only if it leads: said twice, nobody else is deposed", async () => {
	const cluster = await createCluster({ size: 3, seed: 37 });
	const { id } = await cluster.leader();
	const follower = cluster.members.find((member) => member.id !== id);
	const first = stepDown(follower, { node: id });
	await cluster.clock.run(2_000);
	expect(first.value).toMatchObject({ changed: true, from: id });
	const next = await cluster.leader();
	const again = stepDown(follower, { node: id });
	const stranger = stepDown(follower, { node: "n9" });
	await cluster.clock.run(2_000);
	expect(again.value).toEqual({ changed: false, from: null, leader: next.id, pausedMs: 0 });
	expect(stranger.error).toMatchObject({
		code: "BAD_REQUEST",
		message: expect.stringContaining("n9 is no member"),
	});
	expect(await cluster.leader()).toBe(next);
});
