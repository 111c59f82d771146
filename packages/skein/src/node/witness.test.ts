/** A witness among nodes with data: what it keeps, what it says, and that what a machine is it stays. */
import { expect, test } from "vitest";
import { createCluster, type Member, program } from "./testing/cluster.ts";

const request = {
	consistency: { level: "linearizable" },
	idempotencyKey: null,
	acknowledgement: null,
	timeoutMs: 5_000,
} as const;

type Cluster = Awaited<ReturnType<typeof createCluster>>;

async function add(cluster: Cluster, id: string, as: "witness" | "voter"): Promise<void> {
	const leader = await cluster.leader();
	const change = { change: "add", id, peer: `${id}:1`, as } as const;
	const changing = leader.node?.service.changeMembers({ changes: [change], confirm: null, dryRun: false });
	await cluster.clock.run(2_000);
	await changing;
}

async function write(cluster: Cluster, count: number): Promise<void> {
	const leader = await cluster.leader();
	const stream = leader.node?.service.openStream();
	for (let number = 0; number < count; number++) {
		const answer = stream?.run(program(["INSERT ?", `${number}${"a".repeat(200)}`]), request);
		await cluster.clock.run(100);
		await answer;
	}
	await stream?.close();
}

const kindOf = (member: Member, id: string) =>
	member.node?.service.ownView().databases["default"]?.members[id]?.kind;

test("a witness follows without data, and is sent where the log begins when it was away for too long", async () => {
	const settings = {
		compactionIntervalMs: 100,
		compactLogBytes: 500,
		checkpointBytes: 100,
		logTailEntries: 2,
		logSegmentBytes: 512,
	};
	const cluster = await createCluster({ size: 2, seed: 31, settings });
	const witness = await cluster.join("w1", "witness");
	await add(cluster, "w1", "witness");
	await write(cluster, 5);
	await cluster.clock.run(1_000);
	const leader = await cluster.leader();
	expect(kindOf(leader, "w1")).toBe("witness");
	expect(witness.node?.core.lastIndex).toBe(leader.node?.core.lastIndex);
	expect(witness.node?.core.commitIndex).toBe(leader.node?.core.commitIndex);

	expect(witness.file.content.items).toEqual([]);
	expect(leader.file.content.items.length).toBe(5);

	await cluster.stop(witness);
	await write(cluster, 30);
	await cluster.clock.run(2_000);
	const { base } = leader.node?.core ?? { base: { index: 0 } };
	await cluster.start(witness);
	await cluster.clock.run(3_000);
	expect(base.index).toBeGreaterThan(10);
	expect(witness.node?.core.base.index).toBeGreaterThanOrEqual(base.index);
	expect(witness.node?.core.lastIndex).toBe(leader.node?.core.lastIndex);
	expect(witness.failure).toBeNull();
	for (const member of cluster.members) await cluster.stop(member);
});

test("it serves nobody and says who does", async () => {
	const cluster = await createCluster({ size: 2, seed: 32 });
	const witness = await cluster.join("w1", "witness");
	await add(cluster, "w1", "witness");
	const { id } = await cluster.leader();
	expect(() => witness.node?.service.openStream()).toThrow(`${id} leads, at http://${id}`);
	expect(witness.node?.service.readiness()).toEqual({
		ready: false,
		reason: "a witness: it votes and holds no data, so send clients to another node",
	});
	const view = witness.node?.service.ownView().databases["default"];
	expect(view?.members["w1"]).toMatchObject({ kind: "witness", role: "follower", inSync: null });
	const refusal = witness.node?.service.transfer("w1").catch((error: unknown) => error);
	await cluster.clock.run(500);
	expect(String(await refusal)).toMatch(/is a witness/);
	for (const member of cluster.members) await cluster.stop(member);
});

test("a machine that is added as what it is not stops before it is counted", async () => {
	const cluster = await createCluster({ size: 3, seed: 33 });
	const data = await cluster.join("n9");
	const leader = await cluster.leader();
	const changes = [{ change: "add", id: "n9", peer: "n9:1", as: "witness" }] as const;
	const changing = leader.node?.service.changeMembers({ changes, confirm: null, dryRun: false });
	await cluster.clock.run(2_000);
	await changing;
	expect(String(data.failure)).toMatch(/n9 is (a member with data|sent entry)/);
	await cluster.stop(data);

	const witness = await cluster.join("w9", "witness");
	await add(cluster, "w9", "voter");
	expect(String(witness.failure)).toMatch(/w9 is a witness/);
	for (const member of cluster.members) await cluster.stop(member);
});
