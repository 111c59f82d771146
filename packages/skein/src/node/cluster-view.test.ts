/** What `GET /cluster` shows of acknowledgement modes, and of what they lost. */
import { expect, test } from "vitest";
import { shownBy } from "./cluster-view.ts";
import type { DatabaseView } from "./service.ts";
import type { Cluster, Member } from "./testing/cluster.ts";
import { createCluster, watch } from "./testing/cluster.ts";

async function viewOf(cluster: Cluster, member: Member | undefined): Promise<DatabaseView | undefined> {
	const asked = watch(member?.node?.service.cluster() ?? Promise.reject(new Error("not running")));
	await cluster.clock.run(500);
	return asked.value?.databases["default"];
}

async function pretendLost({ disk }: Member, ...names: readonly string[]): Promise<void> {
	await disk.makeDirectory("lost");
	for (const name of names) await (await disk.open(`lost/${name}`, { create: true })).close();
}

test("what members report as lost is added up, whoever is asked", async () => {
	const cluster = await createCluster({ size: 3, seed: 4 });
	await cluster.leader();
	const [first, second] = cluster.members;
	if (first === undefined || second === undefined) throw new Error("there are three");
	for (const member of [first, second]) await cluster.stop(member);
	await pretendLost(first, "2-901.json", "2-902.json");
	await pretendLost(second, "3-901.json");
	for (const member of [first, second]) await cluster.start(member);
	await cluster.leader();
	await cluster.clock.run(1_000);
	for (const member of cluster.members) expect((await viewOf(cluster, member))?.lostTransactions).toBe(3);
});

test("of its own lease a node shows what it knows itself, and of the others what the leader said", async () => {
	const cluster = await createCluster({ size: 3, seed: 4 });
	const leader = await cluster.leader();
	await cluster.clock.run(500);
	const seen = leader.node?.service.ownView();
	if (seen === undefined) throw new Error("the leader does not run");
	const inSyncOf = (view: typeof seen) =>
		Object.values(view.databases["default"]?.members ?? {}).map(({ inSync }) => inSync);
	expect(inSyncOf(seen)).toEqual([true, true, true]);
	const elections = { pausedForMs: 7, restsForMs: 0 };
	const own = { self: "n2", version: "v", inSync: false, lostTransactions: 4, elections };
	const shown = shownBy(seen, own);
	expect(inSyncOf(shown)).toEqual([true, false, true]);
	expect(shown.databases["default"]?.elections).toEqual(elections);
	expect([shown.node, shown.version]).toEqual(["n2", "v"]);
	// It knows sooner than the leader what it lost.
	expect(shown.databases["default"]?.lostTransactions).toBe(4);
});
