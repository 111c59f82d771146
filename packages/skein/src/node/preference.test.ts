/** Members that are to lead, and members that are not: running nodes. */
import { expect, test } from "vitest";
import type { Priority } from "../consensus/types.ts";
import {
	type Cluster,
	createCluster,
	insert,
	type Member,
	program,
	request,
	watch,
} from "./testing/cluster.ts";

const settings = { takeoverDelayMs: 2_000 };

async function setPriority(
	cluster: Cluster,
	...wishes: readonly (readonly [Member, Priority])[]
): Promise<void> {
	const changes = wishes.map(([{ id }, priority]) => ({ change: "priority", id, priority }) as const);
	const asked = cluster.members.find(({ node }) => node?.core.leader !== null);
	const changed = watch(
		asked?.node?.service.changeMembers({ changes, confirm: null, dryRun: false }) ?? Promise.reject(),
	);
	await cluster.clock.run(1_000);
	expect(changed.error).toBe(null);
}

const leads = ({ node }: Member): boolean => node?.core.established === true;

test("a preferred member gets leadership when it has been well for a while, and no write fails", async () => {
	const cluster = await createCluster({ size: 3, seed: 41, settings });
	const leader = await cluster.leader();
	const preferred = cluster.members.find((member) => member !== leader);
	if (preferred === undefined) throw new Error("no follower");
	await setPriority(cluster, [preferred, "preferred"]);
	expect(leads(leader)).toBe(true);
	const writes = [];
	for (let number = 0; number < 40; number++) {
		writes.push(
			watch(
				leader.node?.service.openStream().run(program(insert(`v${number}`)), request) ?? Promise.reject(),
			),
		);
		await cluster.clock.run(100);
	}
	expect(leads(preferred)).toBe(true);
	for (const { error, settled } of writes) expect([error, settled]).toEqual([null, true]);
	// Away and back: it is waited for, then it leads again.
	cluster.network.cut(preferred.id, true);
	await cluster.clock.run(3_000);
	const other = await cluster.leader();
	expect(other).not.toBe(preferred);
	cluster.network.cut(preferred.id, false);
	await cluster.clock.run(1_500);
	expect(leads(other)).toBe(true);
	await cluster.clock.run(4_000);
	expect(leads(preferred)).toBe(true);
});

test("not while it rests or elections are paused, not while it is unwell, and not for ever again", async () => {
	const cluster = await createCluster({ size: 3, seed: 42, settings });
	const preferred = await cluster.leader();
	await setPriority(cluster, [preferred, "preferred"]);
	const asked = { term: null, restMs: 8_000, confirm: null, dryRun: false };
	watch(preferred.node?.service.stepDown(asked) ?? Promise.reject());
	await cluster.clock.run(6_000);
	expect(leads(preferred)).toBe(false);
	const paused = { forMs: 10_000, confirm: null, dryRun: false };
	watch(preferred.node?.service.pauseElections(paused) ?? Promise.reject());
	await cluster.clock.run(9_000);
	expect(leads(preferred)).toBe(false);
	await cluster.clock.run(6_000);
	expect(leads(preferred)).toBe(true);
	// It keeps leadership for a moment only, each time.
	let reigns = 0;
	for (let second = 0; second < 600; second++) {
		if (leads(preferred)) {
			reigns++;
			watch(stepDown(preferred));
		}
		await cluster.clock.run(1_000);
	}
	expect(reigns).toBeGreaterThan(2);
	expect(reigns).toBeLessThan(12);
	const given = cluster.members.flatMap(({ lines }) => lines.filter((line) => line.includes("did not keep")));
	expect(given.length).toBeGreaterThan(0);
});

const stepDown = (member: Member): Promise<object> =>
	member.node?.service.stepDown({ term: null, restMs: 0, confirm: null, dryRun: false }) ?? Promise.reject();

test("one that never leads is not asked to, refuses, and serves no writes where nobody else is left", async () => {
	const cluster = await createCluster({ size: 3, seed: 43, settings: { ...settings, leaderWaitMs: 500 } });
	const leader = await cluster.leader();
	const [first, second] = cluster.members.filter((member) => member !== leader);
	if (first === undefined || second === undefined) throw new Error("no followers");
	await setPriority(cluster, [first, "never"]);
	const refused = watch(leader.node?.service.transfer(first.id) ?? Promise.reject());
	const anybody = watch(leader.node?.service.transfer(null, true) ?? Promise.reject());
	await cluster.clock.run(100);
	expect(String(refused.error)).toMatch(/never leads, by its priority/);
	expect(anybody.value?.leader).toBe(second.id);
	// Who leads and is not to any more hands over first.
	await setPriority(cluster, [leader, "never"]);
	expect(leads(second)).toBe(true);
	await cluster.clock.run(1_000);
	cluster.network.cut(second.id, true);
	await cluster.clock.run(5_000);
	const caretaker = [leader, first].find(leads);
	expect(caretaker?.node?.service.readiness().reason).toMatch(/never leads/);
	const written = watch(
		leader.node?.service.openStream().run(program(insert("a")), request) ?? Promise.reject(),
	);
	await cluster.clock.run(3_000);
	expect(written.error).toMatchObject({ code: "NO_LEADER", outcome: "did-not-happen" });
	// A majority is there, so that is not what keeps it from being written.
	expect(String(written.error)).toContain(`${caretaker?.id} never leads, by its priority`);
	// It can be asked for other priorities all the same.
	await setPriority(cluster, [first, "normal"]);
	await cluster.clock.run(3_000);
	expect(leads(first)).toBe(true);
	const again = watch(
		leader.node?.service.openStream().run(program(insert("b")), request) ?? Promise.reject(),
	);
	await cluster.clock.run(1_000);
	expect(again.error).toBe(null);
});
