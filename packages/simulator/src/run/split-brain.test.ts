/**
 * The network falls apart, in each of the ways that are known by name. All properties watch, and clients ask: whoever cannot
 * know that nobody else leads serves neither a write nor a linearizable read. The same on real processes: test/split-brain.test.ts.
 */
import { expect, test } from "vitest";
import { defaultNodeSettings } from "../../../skein/src/node/settings.ts";
import type { Member } from "../cluster/member.ts";
import type { Reply } from "../load/connection.ts";
import { valueIn } from "../machine/statements.ts";
import { createWatch } from "../properties/watch.ts";
import { bridge, isolation, split, type Way } from "../world/partitions.ts";
import { createCalmWorld, fail } from "./testing/calm-world.ts";

/** Every other one with leader leases. */
const seeds = [1, 2, 3];

async function start(size: number, seed: number, leaderLease = seed % 2 === 0) {
	const watch = createWatch();
	const calm = createCalmWorld({
		seed,
		size,
		observe: (observation) => watch.observe(observation),
		settings: (drawn) => ({
			...defaultNodeSettings,
			tickIntervalMs: drawn.tickIntervalMs,
			leaderWaitMs: 2_000,
			consensus: { ...defaultNodeSettings.consensus, leaderLease },
		}),
	});
	const { scheduler, cluster } = calm;
	const ids = cluster.members.map(({ id }) => id);
	for (const member of cluster.members) member.start();

	async function run(ms: number): Promise<void> {
		await scheduler.runUntil(scheduler.now + ms, () => void cluster.look());
		if (cluster.broken !== null) throw cluster.broken;
	}

	/** False: not within this time. */
	async function until(holds: () => boolean, limitMs: number): Promise<boolean> {
		const end = scheduler.now + limitMs;
		while (!holds() && scheduler.now < end) await run(10);
		return holds();
	}

	function leader(): Member {
		const leading = cluster.members.filter(({ core }) => core?.established === true);
		const newest = leading.toSorted((one, other) => (other.core?.term ?? 0) - (one.core?.term ?? 0))[0];
		if (newest === undefined) throw new Error("nobody leads");
		return newest;
	}

	/** Writes and reads at all of these, for as long as asked: what was answered, by whom, and when it was asked. */
	function keepAsking(members: readonly Member[], untilAt: number): Asked[] {
		const asked: Asked[] = [];
		for (const member of members) for (const kind of ["write", "read"] as const) again(member, kind, 0);
		function again(member: Member, kind: Asked["kind"], number: number): void {
			if (scheduler.now > untilAt) return;
			const at = scheduler.now;
			const key = kind === "write" ? `of ${member.id}` : "first";
			const step = kind === "write" ? { kind, key, value: `${number}` } : { kind, key };
			calm.ask(member, step, 500).then((reply) => asked.push({ member, kind, at, reply }), fail);
			scheduler.after(50, () => again(member, kind, number + 1));
		}
		return asked;
	}

	await run(10_000);
	const first = await write(leader(), "0");
	expect(first).toBe(true);

	async function write(member: Member, value: string): Promise<boolean> {
		let done = false;
		calm.ask(member, { kind: "write", key: "first", value }, 2_000).then((reply) => {
			done = isServed(reply);
		}, fail);
		await until(() => done, 2_500);
		return done;
	}

	/** All ways are whole again: everybody holds the same, and everybody serves. */
	async function healAndAgree(ways: readonly Way[]): Promise<void> {
		cluster.network.mend(ways);
		await run(10_000);
		for (const member of cluster.members) expect(await write(member, `last of ${member.id}`)).toBe(true);
		await run(2_000);
		const states = new Set(
			cluster.members.map(({ store }) => JSON.stringify([...store.registers()].map(String).sort())),
		);
		expect(states.size).toBe(1);
		expect(cluster.members.filter(({ core }) => core?.role === "leader").length).toBe(1);
		cluster.dispose();
	}

	return { ...calm, ids, run, until, leader, keepAsking, write, healAndAgree };
}

/** For people: who, what and when. */
const told = (asked: readonly Asked[]): string[] =>
	asked.map(({ member, kind, at, reply }) => {
		const what = reply.type === "error" ? reply.error.code : reply.type;
		return `${member.id} ${kind} at ${at.toFixed(0)}: ${what}`;
	});

interface Asked {
	readonly member: Member;
	readonly kind: "write" | "read";
	readonly at: number;
	readonly reply: Reply;
}

function isServed(reply: Reply): boolean {
	return reply.type === "answer" && reply.answer.outcome.errors.every((error) => error === null);
}

test("four members split two and two: neither side serves, and both heal", async () => {
	for (const seed of seeds) {
		const { cluster, scheduler, settings, ids, run, leader, keepAsking, healAndAgree } = await start(4, seed);
		const old = leader().id;
		const friend = ids.find((id) => id !== old);
		const ways = split(ids, (id) => (id === old || id === friend ? 0 : 1));
		cluster.network.cut(ways, "drop");
		const cutAt = scheduler.now;
		const asked = keepAsking(cluster.members, cutAt + 8_000);
		await run(9_000);
		const served = asked.filter(({ reply }) => isServed(reply));
		expect(asked.length).toBeGreaterThan(500);
		// Under its lease the old leader may read: nobody else can lead.
		expect(told(served.filter(({ kind }) => kind === "write"))).toEqual([]);
		expect(told(served.filter(({ at }) => at > cutAt + settings.consensus.electionTimeoutMs))).toEqual([]);
		await healAndAgree(ways);
	}
});

test("five members split three and two: three serve, and the leader among the two does not", async () => {
	for (const seed of seeds) {
		const { cluster, scheduler, settings, ids, run, leader, keepAsking, healAndAgree } = await start(5, seed);
		const old = leader();
		const friend = cluster.members.find((member) => member !== old);
		const isFew = (member: Member): boolean => member === old || member === friend;
		const ways = split(ids, (id) => (isFew(cluster.member(id)) ? 0 : 1));
		cluster.network.cut(ways, seed % 3 === 0 ? "reset" : "drop");
		const cutAt = scheduler.now;
		const asked = keepAsking(cluster.members, cutAt + 10_000);
		await run(11_000);
		const served = asked.filter(({ reply }) => isServed(reply));
		const byFew = served.filter(({ member }) => isFew(member));
		expect(told(byFew.filter(({ kind }) => kind === "write"))).toEqual([]);
		expect(told(byFew.filter(({ at }) => at > cutAt + settings.consensus.electionTimeoutMs))).toEqual([]);
		expect(served.filter(({ member }) => !isFew(member)).length).toBeGreaterThan(100);
		await healAndAgree(ways);
	}
});

test("a leader that clients reach and followers do not stops serving within its lease", async () => {
	for (const seed of seeds) {
		const { cluster, scheduler, settings, ids, run, leader, keepAsking, write, healAndAgree } = await start(
			3,
			seed,
		);
		const old = leader();
		const ways = isolation(ids, old.id);
		cluster.network.cut(ways, "drop");
		const cutAt = scheduler.now;
		const asked = keepAsking([old], cutAt + 6_000);
		await run(5_000);
		expect(leader()).not.toBe(old);
		expect(await write(leader(), "1")).toBe(true);
		const served = asked.filter(({ reply }) => isServed(reply));
		expect(asked.length).toBeGreaterThan(100);
		expect(told(served.filter(({ kind }) => kind === "write"))).toEqual([]);
		expect(told(served.filter(({ at }) => at > cutAt + settings.consensus.electionTimeoutMs))).toEqual([]);
		for (const { reply } of served)
			if (reply.type === "answer") expect(valueIn(reply.answer.outcome, 0)).toBe("0");
		await healAndAgree(ways);
	}
});

test.for(["in", "out"] as const)(
	"links of one way: nothing goes %s of the leader, and another one serves",
	async (direction) => {
		for (const seed of seeds) {
			const { cluster, ids, run, leader, keepAsking, scheduler, healAndAgree } = await start(5, seed);
			const old = leader();
			const { term } = old.core ?? { term: 0 };
			const ways = isolation(ids, old.id, direction);
			cluster.network.cut(ways, "drop");
			await run(6_000);
			const next = leader();
			expect(next).not.toBe(old);
			expect(next.core?.term).toBeGreaterThan(term);
			const others = cluster.members.filter((member) => member !== old);
			const asked = keepAsking(others, scheduler.now + 2_000);
			await run(3_000);
			// Once there is another one, it stays: who cannot be heard, or cannot hear, disturbs nobody.
			expect(leader()).toBe(next);
			expect(told(asked.filter(({ reply }) => !isServed(reply)))).toEqual([]);
			await healAndAgree(ways);
		}
	},
);

test("a member between two sides that do not see each other: one leader, and it stays", async () => {
	for (const seed of seeds) {
		const { cluster, scheduler, ids, run, leader, keepAsking, healAndAgree } = await start(5, seed);
		const ways = bridge(ids, new Set(ids.slice(0, 2)), new Set(ids.slice(3)));
		cluster.network.cut(ways, "drop");
		await run(8_000);
		const { term } = leader().core ?? { term: 0 };
		const asked = keepAsking(cluster.members, scheduler.now + 4_000);
		await run(6_000);
		expect(leader().core?.term).toBe(term);
		expect(asked.filter(({ reply }) => isServed(reply)).length).toBeGreaterThan(100);
		await healAndAgree(ways);
	}
});

test("a leader that wakes up with old messages in its buffers is refused by term", async () => {
	for (const seed of seeds) {
		const { cluster, scheduler, ids, run, leader, keepAsking, write, healAndAgree } = await start(3, seed);
		const old = leader();
		const { term } = old.core ?? { term: 0 };
		// What it had sent waits on the way, and what was sent to it too; then it stands still.
		const ways = isolation(ids, old.id);
		cluster.network.cut(ways, "hold");
		keepAsking([old], scheduler.now + 200);
		await run(250);
		old.pause("suspended");
		await run(6_000);
		const next = leader();
		expect(next).not.toBe(old);
		expect(await write(next, "1")).toBe(true);
		const late = keepAsking([old], scheduler.now + 1_000);
		cluster.network.mend(ways);
		old.resume();
		await run(3_000);
		expect(leader()).toBe(next);
		expect(old.core?.role).toBe("follower");
		expect(old.core?.term).toBeGreaterThan(term);
		for (const { kind, reply } of late)
			if (kind === "read" && reply.type === "answer") expect(valueIn(reply.answer.outcome, 0)).toBe("1");
		await healAndAgree([]);
	}
});

/** Its lease holds four times as long as the others believe: no rule that counts time can stand that (leader-leases.md). */
test.for([false, true])("a clock that is slow beyond the bound, and leases: %s", async (leaderLease) => {
	let fromThePast = 0;
	for (const seed of seeds) {
		const world = await start(3, seed, leaderLease);
		const { cluster, scheduler, ids, run, until, leader, keepAsking, write, healAndAgree } = world;
		const old = leader();
		old.clock?.setRate(0.25);
		const ways = isolation(ids, old.id);
		cluster.network.cut(ways, "drop");
		expect(await until(() => leader() !== old, 5_000)).toBe(true);
		expect(await write(leader(), "1")).toBe(true);
		const asked = keepAsking([old], scheduler.now + 2_000);
		await run(5_000);
		const served = asked.filter(({ reply }) => isServed(reply));
		expect(told(served.filter(({ kind }) => kind === "write"))).toEqual([]);
		fromThePast += served.length;
		await healAndAgree(ways);
	}
	// Who cannot trust clocks switches leases off, and nothing is read from the past then.
	if (leaderLease) expect(fromThePast).toBeGreaterThan(0);
	else expect(fromThePast).toBe(0);
});
