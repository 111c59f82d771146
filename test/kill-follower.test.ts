// A follower is killed while clients write: no election, no pause, and it catches up when it is back.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { sql, view } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";

/** Who hears no leader says so sooner than by default: these tests wait for that. */
const cluster = useCluster({ settings: { leaderWaitMs: 1_500 } });

test("SIGKILL of a follower: the leader stays, the follower catches up", async () => {
	const leader = await cluster().leader();
	const { term } = await view(leader.url);
	const [follower] = await cluster().followers();
	await underLoad(cluster(), async (ledger) => {
		await follower?.kill();
		await ledger.progress(100);
		expect((await cluster().leader()).id).toBe(leader.id);
		await follower?.start();
		await ledger.progress(20);
	});
	expect((await view(leader.url)).term).toBe(term);
});

test("both followers are killed: the leader acknowledges nothing until one is back", async () => {
	const [one, two] = await cluster().followers();
	await underLoad(
		cluster(),
		async (ledger) => {
			await Promise.all([one?.kill(), two?.kill()]);
			// Everything that was acknowledged from here on had no majority. Requests that were on their way end first.
			const leader = cluster().nodes.find((node) => node.isRunning);
			const refused = await sql(leader?.url ?? "", { sql: "create table never (x)" }, { timeoutMs: 20_000 });
			expect(refused.ok).toBe(false);
			await one?.start();
			await ledger.progress(20);
		},
		{ requestTimeoutMs: 3_000 },
	);
});
