/** The elector of running nodes: chosen at the start, recorded in the log, changed on the running cluster; and a node that is told to stand. */
import { expect, test } from "vitest";
import { defaultConsensusSettings } from "../consensus/settings.ts";
import type { ElectorName } from "../consensus/types.ts";
import type { NodeSettings } from "./settings.ts";
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

const chosen = (elector: ElectorName): Partial<NodeSettings> => ({
	consensus: { ...defaultConsensusSettings, elector },
});

const shown = ({ node }: Member): string | undefined => node?.service.ownView().databases["default"]?.elector;
const inLog = ({ node }: Member): string | undefined => node?.core.configuration.elector;

function service({ node }: Member): NonNullable<Member["node"]>["service"] {
	if (node === null) throw new Error("it does not run");
	return node.service;
}

function stand(asked: Member, node: string | null, dryRun = false): Watched<object> {
	return watch(service(asked).stand({ node, dryRun }));
}

function change(asked: Member, elector: ElectorName): Watched<object> {
	const changes = [{ change: "elector", elector }] as const;
	return watch(service(asked).changeMembers({ changes, confirm: null, dryRun: false }));
}

function othersThan(cluster: Cluster, one: Member): [Member, Member] {
	const [first, second] = cluster.members.filter((member) => member !== one);
	if (first === undefined || second === undefined) throw new Error("too few members");
	return [first, second];
}

test("what the first leader was started with is written to the log, and counts for all from then on", async () => {
	const settingsOf = (id: string): Partial<NodeSettings> => chosen(id === "n1" ? "raft" : "bully");
	const cluster = await createCluster({ size: 3, seed: 1, settingsOf });
	const leader = await cluster.leader();
	await cluster.clock.run(2_000);
	const recorded = leader.id === "n1" ? "raft" : "bully";
	for (const member of cluster.members) expect([shown(member), inLog(member)]).toEqual([recorded, recorded]);
	// Whoever was started with another one says so, once.
	const warned = cluster.members.filter(({ lines }) =>
		lines.some((line) => line.startsWith(`the log says elector ${recorded}`)),
	);
	expect(warned.map(({ id }) => id)).toEqual(recorded === "raft" ? ["n2", "n3"] : ["n1"]);
});

test("where nobody chose one the log does not name any, and raft decides", async () => {
	const cluster = await createCluster({ size: 3, seed: 2 });
	await cluster.leader();
	await cluster.clock.run(2_000);
	for (const member of cluster.members) expect([shown(member), inLog(member)]).toEqual(["raft", undefined]);
});

test("on a running cluster: manual from now on, nobody takes over, and one that is told to does", async () => {
	const cluster = await createCluster({ size: 3, seed: 3 });
	const leader = await cluster.leader();
	const [asked, other] = othersThan(cluster, leader);
	const changed = change(asked, "manual");
	await cluster.clock.run(500);
	expect(changed.value).toMatchObject({ changed: true });
	expect(cluster.members.map(shown)).toEqual(["manual", "manual", "manual"]);
	const again = change(other, "manual");
	// Who leads is not deposed by it.
	const early = stand(other, null);
	await cluster.clock.run(500);
	expect(again.value).toMatchObject({ changed: false });
	expect(String(early.error)).toMatch(`${leader.id} leads: skein transfer ${other.id}`);

	cluster.network.cut(leader.id, true);
	await cluster.clock.run(10_000);
	for (const { node } of cluster.members)
		expect([node?.core.established, node?.core.leader]).toEqual([false, null]);
	const stream = service(asked).openStream();
	const write = watch(stream.run(program(insert("kept waiting")), request));
	await cluster.clock.run(10_000);
	expect(String(write.error)).toMatch(/with elector manual nobody stands by itself: skein stand n1/);

	const rehearsed = stand(asked, other.id, true);
	const told = stand(asked, other.id);
	await cluster.clock.run(2_000);
	expect(rehearsed.value).toEqual({ changed: false, leader: other.id });
	expect(told.value).toEqual({ changed: true, leader: other.id });
	expect(other.node?.core.established).toBe(true);
	const repeated = stand(other, null);
	await cluster.clock.run(100);
	expect(repeated.value).toEqual({ changed: false, leader: other.id });
});

test("one that no majority answers does not come to lead, and says so", async () => {
	const cluster = await createCluster({ size: 3, seed: 4, settings: chosen("manual") });
	await cluster.clock.run(3_000);
	for (const { id } of cluster.members) cluster.network.cut(id, true);
	const [first] = cluster.members;
	if (first === undefined) throw new Error("no members");
	const told = stand(first, null);
	await cluster.clock.run(5_000);
	expect(String(told.error)).toMatch(/n1 did not come to lead in 2000 ms/);
	for (const { id } of cluster.members) cluster.network.cut(id, false);
	const again = stand(first, null);
	await cluster.clock.run(2_000);
	expect(again.value).toEqual({ changed: true, leader: "n1" });
	await cluster.clock.run(1_000);
	expect(cluster.members.map(inLog)).toEqual(["manual", "manual", "manual"]);
});

test("with a witness: it is told at once that it never leads, and its vote makes a leader of the other one", async () => {
	const cluster = await createCluster({ size: 2, seed: 5 });
	const leader = await cluster.leader();
	const witness = await cluster.join("w1", "witness");
	const add = [{ change: "add", id: "w1", peer: "w1:1", as: "witness" }] as const;
	const added = watch(service(leader).changeMembers({ changes: add, confirm: null, dryRun: false }));
	await cluster.clock.run(2_000);
	const changed = change(leader, "manual");
	await cluster.clock.run(2_000);
	expect([added.value, changed.value]).toMatchObject([{ changed: true }, { changed: true }]);
	expect(inLog(witness)).toBe("manual");
	const other = cluster.members.find((member) => member !== leader && member !== witness);
	if (other === undefined) throw new Error("too few members");
	cluster.network.cut(leader.id, true);
	await cluster.clock.run(3_000);
	const refused = [stand(other, "w1"), stand(witness, null, true)];
	await cluster.clock.run(200);
	for (const { error } of refused) expect(String(error)).toMatch(/w1 is a witness and never leads/);
	const told = stand(witness, other.id);
	await cluster.clock.run(3_000);
	expect(told.value).toEqual({ changed: true, leader: other.id });
});
