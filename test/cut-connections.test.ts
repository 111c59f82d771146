// Links between nodes are cut without a reset, as a broken switch does it; also one way only.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { run, sql, view } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";
import { until } from "./support/until.ts";

/** Who hears no leader says so sooner than by default: these tests wait for that. */
const cluster = useCluster({ settings: { leaderWaitMs: 1_500 } });
const impatient = { requestTimeoutMs: 3_000 };

test("the leader is cut off: the majority goes on, the old leader acknowledges nothing", async () => {
	const old = await cluster().leader();
	await run(old.url, "create table isolated (x)");
	cluster().network.isolate(old.id);
	const others = cluster().nodes.filter((node) => node !== old);
	const next = await until({ what: "the majority to elect", timeoutMs: 10_000 }, async () => {
		const { leader } = await view(others[0]?.url ?? "");
		return leader !== null && leader !== old.id ? cluster().node(leader) : null;
	});
	await run(next.url, "insert into isolated values ('majority')");
	const [write, read, local] = await Promise.all([
		sql(old.url, { sql: "insert into isolated values ('minority')" }, { timeoutMs: 20_000 }),
		sql(old.url, { sql: "select x from isolated" }, { timeoutMs: 20_000 }),
		sql(old.url, { sql: "select x from isolated" }, { consistency: "eventual" }),
	]);
	expect(write.ok).toBe(false);
	expect(read.ok).toBe(false);
	// Some past is all that an eventual read promises, and that it still has.
	expect(local.ok && local.results[0]?.rows).toEqual([]);
	await cluster().heal();
	const after = await run(old.url, "select x from isolated");
	if (!write.ok && write.outcome === "did-not-happen") expect(after.rows).toEqual([["majority"]]);
	else expect(after.rows).toContainEqual(["majority"]);
});

test("under load: the leader is cut off and comes back", async () => {
	await underLoad(
		cluster(),
		async (ledger) => {
			const old = await cluster().leader();
			cluster().network.isolate(old.id);
			await ledger.progress(20, 20_000);
			cluster().network.mend();
			await ledger.progress(20);
		},
		impatient,
	);
});

test("under load: the leader can send but not hear, so it must step down", async () => {
	await underLoad(
		cluster(),
		async (ledger) => {
			const old = await cluster().leader();
			for (const node of cluster().nodes) if (node !== old) cluster().network.cutOneWay(node.id, old.id);
			await ledger.progress(20, 20_000);
			expect((await view(cluster().nodes.find((node) => node !== old)?.url ?? "")).leader).not.toBe(old.id);
		},
		impatient,
	);
});

test("a follower that hears nothing does not depose the leader when it is back", async () => {
	const leader = await cluster().leader();
	const [follower] = await cluster().followers();
	const { term } = await view(leader.url);
	await underLoad(
		cluster(),
		async (ledger) => {
			cluster().network.cutOneWay(leader.id, follower?.id ?? "");
			await ledger.progress(30, 30_000);
			cluster().network.mend();
			await ledger.progress(50);
		},
		impatient,
	);
	expect(await view(leader.url)).toMatchObject({ term, leader: leader.id });
});

test("the link between the two followers is cut: nobody notices", async () => {
	const leader = await cluster().leader();
	const { term } = await view(leader.url);
	const [one, two] = await cluster().followers();
	const report = await underLoad(cluster(), async (ledger) => {
		cluster().network.cut(one?.id ?? "", two?.id ?? "");
		await ledger.progress(100);
	});
	expect((await view(leader.url)).term).toBe(term);
	expect(report.unknown).toBe(0);
});
