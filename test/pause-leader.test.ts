// The leader's process stands still (SIGSTOP: a frozen machine) and wakes up deposed: it must neither
// answer from the past nor call a write done that is not.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { run, sql, view } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";
import { until } from "./support/until.ts";

const cluster = useCluster();

test("a paused leader is replaced; awake again, it answers no read from the past", async () => {
	const old = await cluster().leader();
	await run(old.url, "create table clock (id integer primary key, tick integer)");
	await run(old.url, "insert into clock values (1, 0)");
	old.pause();
	const awake = cluster().nodes.filter((node) => node !== old);
	const next = await until({ what: "another leader", timeoutMs: 10_000 }, async () => {
		for (const node of awake) {
			const { leader } = await view(node.url, { timeoutMs: 1_000 });
			if (leader !== null && leader !== old.id) return cluster().node(leader);
		}
		return null;
	});
	await run(next.url, "update clock set tick = 1");
	// These reads and this write lie in its socket when it wakes: the first things it does are to answer them.
	const reads = Array.from({ length: 20 }, () =>
		sql(old.url, { sql: "select tick from clock" }, { timeoutMs: 15_000 }),
	);
	const write = sql(
		old.url,
		{ sql: "update clock set tick = tick + 10 returning tick" },
		{ timeoutMs: 15_000 },
	);
	old.resume();
	for (const answer of await Promise.all(reads)) {
		// An error would be honest; a 0 would be the past.
		if (answer.ok) expect([[[1]], [[11]]]).toContainEqual(answer.results[0]?.rows);
	}
	const written = await write;
	const now = (await run(next.url, "select tick from clock")).rows[0]?.[0];
	if (written.ok) expect(now).toBe(11);
	else if (written.outcome === "did-not-happen") expect(now).toBe(1);
	await cluster().heal();
});

test("under load", async () => {
	await underLoad(
		cluster(),
		async (ledger) => {
			const old = await cluster().leader();
			old.pause();
			await ledger.progress(20, 20_000);
			old.resume();
			await ledger.progress(20);
		},
		{ requestTimeoutMs: 2_000 },
	);
});
