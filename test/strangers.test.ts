// Nodes that do not belong here: of another cluster, or without the secret. Refused, and said so in the log.
import { join } from "node:path";
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { run, sql, view } from "./support/http.ts";
import { createNodeProcess, type NodeProcess } from "./support/node-process.ts";
import { underLoad } from "./support/under-load.ts";
import { until } from "./support/until.ts";

/** Who hears no leader says so sooner than by default: half of the time of these tests was that wait. */
const settings = { leaderWaitMs: 1_500 };
const cluster = useCluster({ settings });

/** A process under the name and at the ports of a member that is down, with its own empty data. */
async function impostor(
	member: NodeProcess,
	changes: { readonly name: string; readonly clusterId?: string; readonly secret?: string },
): Promise<NodeProcess> {
	const identity = cluster().identity;
	return createNodeProcess({
		...identity,
		...changes,
		id: member.id,
		directory: join(cluster().directory, changes.name),
		port: member.port,
		peerPort: member.peerPort,
		settings,
	});
}

test.each([
	{ name: "foreign-cluster", clusterId: "another-cluster" },
	{ name: "wrong-secret", secret: "not the secret of this cluster" },
])("$name: refused, logged on both sides, and the cluster goes on", async (changes) => {
	const leader = await cluster().leader();
	const [member] = await cluster().followers();
	if (member === undefined) throw new Error("no follower");
	await member.stop();
	const stranger = await impostor(member, changes);
	const before = leader.logLines().length;
	try {
		await stranger.start();
		await until({ what: "the refusal in the leader's log", timeoutMs: 10_000 }, () =>
			leader
				.logLines()
				.slice(before)
				.some((line) => JSON.stringify(line).includes(changes.name)),
		);
		await until({ what: "the refusal in the stranger's log", timeoutMs: 10_000 }, () =>
			stranger.logLines().some((line) => JSON.stringify(line).includes(changes.name)),
		);
		const { members } = await view(leader.url);
		expect(members[member.id]?.reachable).toBe(false);
		await run(leader.url, "create table if not exists t (x)");
		// A node that nobody lets in has nothing to tell.
		expect((await sql(stranger.url, { sql: "select 1" }, { timeoutMs: 15_000 })).ok).toBe(false);
	} finally {
		await stranger.kill();
	}
	await cluster().heal();
});

test("the own name with empty data is another incarnation: it must not vote for what it forgot", async () => {
	const leader = await cluster().leader();
	const [member] = await cluster().followers();
	if (member === undefined) throw new Error("no follower");
	await member.stop();
	const stranger = await impostor(member, { name: "incarnation" });
	const before = leader.logLines().length;
	try {
		await stranger.start();
		await until({ what: "the refusal in the leader's log", timeoutMs: 10_000 }, () =>
			leader
				.logLines()
				.slice(before)
				.some((line) => JSON.stringify(line).includes("incarnation")),
		);
		expect((await view(leader.url)).members[member.id]?.reachable).toBe(false);
	} finally {
		await stranger.kill();
	}
	await cluster().heal();
});

test("two of three with empty data do not found the cluster again while the third is away", async () => {
	const leader = await cluster().leader();
	const followers = await cluster().followers();
	for (const node of [leader, ...followers]) await node.stop();
	const strangers = await Promise.all(followers.map((node) => impostor(node, { name: `empty-${node.id}` })));
	try {
		await Promise.all(strangers.map((stranger) => stranger.start()));
		await until({ what: "the two have met", timeoutMs: 10_000 }, () =>
			strangers.every((stranger) => stranger.logLines().some(({ msg }) => msg.includes("connected to peer"))),
		);
		await new Promise((resolve) => setTimeout(resolve, 3_000));
		for (const { url } of strangers) expect((await view(url)).leader).toBeNull();
	} finally {
		for (const stranger of strangers) await stranger.kill();
	}
	await cluster().heal();
});

test("two processes on one data directory: the second refuses to start", async () => {
	const [node] = cluster().nodes;
	if (node === undefined) throw new Error("no node");
	const second = createNodeProcess({
		...cluster().identity,
		id: node.id,
		directory: join(node.dataDirectory, ".."),
		port: node.port,
		peerPort: node.peerPort,
		settings,
	});
	expect((await second.startAndFail()).code).toBe(1);
	expect((await view(node.url)).leader).not.toBeNull();
});

test("under load: what reaches a stranger in a member's place is never said to be done", async () => {
	const [member] = await cluster().followers();
	if (member === undefined) throw new Error("no follower");
	await underLoad(
		cluster(),
		async (ledger) => {
			await ledger.progress(20);
			await member.stop();
			const stranger = await impostor(member, { name: "under-load", clusterId: "another-cluster" });
			try {
				await stranger.start();
				await ledger.progress(50);
			} finally {
				await stranger.kill();
			}
			await member.start();
			await ledger.progress(20);
		},
		{ requestTimeoutMs: 2_000 },
	);
});
