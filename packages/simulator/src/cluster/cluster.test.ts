import { expect, test } from "vitest";
import { defaultNodeSettings } from "../../../skein/src/node/settings.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import { programOf, readStatement, statementOf } from "../machine/statements.ts";
import { registersProfile } from "../machine/store.ts";
import { createWatch } from "../properties/watch.ts";
import { createTrace } from "../trace/trace.ts";
import { calmDisk } from "../world/disk-settings.ts";
import { calmNetwork } from "../world/network-settings.ts";
import { createCluster } from "./cluster.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function world(size: number, seed: number) {
	const scheduler = createScheduler(settle);
	const trace = createTrace({ now: () => scheduler.now, kept: 50 });
	const watch = createWatch();
	const cluster = createCluster({
		size,
		scheduler,
		chance: createChance(seed),
		profile: registersProfile(settle),
		settings: defaultNodeSettings,
		networkSettings: calmNetwork,
		diskSettingsOf: () => calmDisk,
		storeSettings: {
			payloads: "group",
			executeMs: 0.05,
			readMs: 0.05,
			storedOutcomeAgeMs: 3_600_000,
			maxTransactionBytes: 1_000_000,
			format: { first: "row", changesEveryMs: null },
		},
		tell: trace.tell,
		observe: (observation) => watch.observe(observation),
	});
	const run = async (spanMs: number): Promise<void> => {
		await scheduler.runUntil(scheduler.now + spanMs, () => {
			cluster.look();
			if (cluster.broken !== null) throw cluster.broken;
		});
	};
	const leader = () => cluster.members.find(({ core }) => core?.established === true);
	return { cluster, run, leader, trace, watch };
}

const options = {
	consistency: { level: "linearizable" },
	idempotencyKey: null,
	acknowledgement: null,
	timeoutMs: 5_000,
} as const;

test.for([1, 3, 5])(
	"%i members elect a leader, take writes, and keep them over a loss of power",
	async (size) => {
		const { cluster, run, leader, watch } = world(size, size);
		for (const member of cluster.members) member.start();
		await run(3_000);
		const stream = cluster.members[0]?.server?.service.openStream();
		const written = stream?.run(programOf([statementOf({ kind: "write", key: "a", value: "1" })]), options);
		await run(200);
		expect((await written)?.outcome.errors).toEqual([null]);

		for (const member of cluster.members) member.crash("power");
		await run(100);
		expect(leader()).toBe(undefined);
		for (const member of cluster.members) member.start();
		await run(3_000);
		expect(cluster.members.map(({ failure }) => failure)).toEqual(cluster.members.map(() => null));
		const again = cluster.members
			.at(-1)
			?.server?.service.openStream()
			.run(programOf([readStatement("a")]), options);
		await run(200);
		expect((await again)?.outcome.results[0]?.rows).toEqual([["1"]]);
		expect(watch.committedIndex()).toBeGreaterThan(2);
	},
);

test("a paused leader is replaced and comes back; a stopped one hands over", async () => {
	const { cluster, run, leader } = world(3, 7);
	for (const member of cluster.members) member.start();
	await run(3_000);
	const first = leader();
	first?.pause("stopped");
	await run(3_000);
	const both = cluster.members.filter(({ core }) => core?.established === true);
	expect(both.length).toBe(2);
	first?.resume();
	await run(1_000);
	expect(leader()).not.toBe(first);
	const second = leader();
	second?.stop();
	await run(2_000);
	expect(second?.state).toBe("down");
	expect(leader()).not.toBe(undefined);
});

test("the same seed gives the same run, another one another", async () => {
	const hashes: string[] = [];
	for (const seed of [1, 1, 2]) {
		const { cluster, run, trace } = world(3, seed);
		for (const member of cluster.members) member.start();
		await run(2_000);
		cluster.members[0]?.crashAtAction(20, "power");
		await run(500);
		cluster.members[0]?.start();
		await run(2_000);
		hashes.push(trace.hash());
	}
	expect(hashes[0]).toBe(hashes[1]);
	expect(hashes[0]).not.toBe(hashes[2]);
});

test("a member whose disk is lost comes back with an empty one, and the others know it for another", async () => {
	const { cluster, run, leader, watch } = world(3, 11);
	for (const member of cluster.members) member.start();
	await run(3_000);
	// Acknowledged by two: one of them is to lose it, the other one is down.
	const old = leader();
	const [lost, left] = cluster.members.filter((member) => member !== old);
	if (old === undefined || lost === undefined || left === undefined) throw new Error("a leader");
	left.crash("kill");
	const program = programOf([statementOf({ kind: "write", key: "a", value: "1" })]);
	const written = old.server?.service.openStream().run(program, options);
	await run(500);
	expect((await written)?.outcome.errors).toEqual([null]);
	old.crash("kill");
	lost.wipe();
	expect(lost.store.registers().size).toBe(0);
	lost.start();
	left.start();
	await run(5_000);
	expect([lost.state, left.state, lost.hasLostDisk]).toEqual(["running", "running", true]);
	expect(leader()).toBe(undefined);
	// It holds nothing up: with those who have their disks there is a leader, and the write is there.
	old.start();
	await run(5_000);
	expect([old, left]).toContain(leader());
	expect(left.store.registers().get("a")).toBe("1");
	expect(lost.store.registers().size).toBe(0);
	expect(watch.broken).toBe(null);
});

test("a majority that has lost its disks does not begin anew, with or without the member that knows them", async () => {
	const { cluster, run, leader } = world(3, 12);
	for (const member of cluster.members) member.start();
	await run(3_000);
	const [left, ...lost] = cluster.members;
	left?.crash("power");
	for (const member of lost) {
		member.wipe();
		member.start();
	}
	await run(10_000);
	expect(leader()).toBe(undefined);
	left?.start();
	await run(10_000);
	expect(leader()).toBe(undefined);
	expect(cluster.members.map(({ state }) => state)).toEqual(["running", "running", "running"]);
});

test("who has never taken part does not wait for a member that was removed", async () => {
	const { cluster, run, leader, watch } = world(5, 13);
	const { members } = cluster;
	for (const member of members) member.start();
	while (!members.some(({ core }) => (core?.term ?? 0) > 1)) await run(0.1);
	const late = members.find(({ core }) => core?.term === 1);
	late?.crash("power");
	await run(3_000);
	const asked = leader();
	const removed = members.find((member) => member !== late && member !== asked);
	if (late === undefined || asked === undefined || removed === undefined) throw new Error("a leader");
	const changes = [{ change: "remove", id: removed.id }] as const;
	const change = asked.server?.service.changeMembers({ changes, confirm: null, dryRun: false });
	await run(1_000);
	expect((await change)?.changed).toBe(true);
	removed.crash("power");
	late.start();
	await run(500);
	expect(late.core?.lastIndex).toBe(1);
	await run(2_000);
	expect(late.core?.lastIndex).toBe(leader()?.core?.lastIndex);
	expect(watch.broken).toBe(null);
});
