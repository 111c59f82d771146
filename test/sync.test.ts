/**
 * Mode sync on real processes: after the answer a local read on every in-sync member sees the write; a follower whose
 * process stands still (SIGSTOP) or dies (SIGKILL) holds writes up for its lease and no longer, and does not call itself
 * in-sync when it wakes up.
 */
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { get, post, run, sql } from "./support/http.ts";
import { until } from "./support/until.ts";

/** The limit of a request, too. */
const cluster = useCluster({ settings: { statementTimeoutMs: 5_000 } });

/** A lease, an election, and what a busy machine takes. */
const longestMs = 4_000;

interface Look {
	readonly inSync: boolean;
	readonly tick: number;
}

async function look(url: string): Promise<Look> {
	const answer = await post(
		url,
		"/sql",
		{ sql: "select tick from clock" },
		{ consistency: "eventual", timeoutMs: 15_000 },
	);
	expect(answer.status).toBe(200);
	return { inSync: answer.headers.get("skein-in-sync") === "true", tick: JSON.parse(answer.body).rows[0][0] };
}

async function write(url: string, tick: number): Promise<number> {
	const begunAt = performance.now();
	const answer = await sql(
		url,
		{ sql: "update clock set tick = ?", args: [tick] },
		{ headers: { "skein-ack": "sync" }, timeoutMs: 15_000 },
	);
	expect(answer).toMatchObject({ ok: true });
	return performance.now() - begunAt;
}

async function untilAllInSync(): Promise<void> {
	await until({ what: "everybody in-sync", timeoutMs: 15_000 }, async () => {
		const looks = await Promise.all(cluster().nodes.map((node) => look(node.url)));
		return looks.every(({ inSync }) => inSync) ? true : null;
	});
}

test("in-sync members show every write; one that stood still, or died, holds up one write and is out", async () => {
	const leader = await cluster().leader();
	await run(leader.url, "create table clock (tick integer)");
	await run(leader.url, "insert into clock values (0)");
	await untilAllInSync();

	let shown = 0;
	for (let tick = 1; tick <= 200; tick++) {
		await write(cluster().nodes[tick % 3]?.url ?? leader.url, tick);
		for (const { inSync, tick: seen } of await Promise.all(cluster().nodes.map((node) => look(node.url)))) {
			if (!inSync) continue;
			shown++;
			expect(seen).toBe(tick);
		}
	}
	expect(shown).toBeGreaterThan(300);

	const stopped = cluster().nodes.find((node) => node.id !== leader.id);
	if (stopped === undefined) throw new Error("no follower");
	stopped.pause();
	expect(await write(leader.url, 1_000)).toBeLessThan(longestMs);
	// It was asked while it slept, and answers first of all.
	const asked = Array.from({ length: 10 }, () => look(stopped.url));
	stopped.resume();
	for (const { inSync, tick } of await Promise.all(asked)) if (inSync) expect(tick).toBe(1_000);
	await untilAllInSync();

	await stopped.kill();
	expect(await write(leader.url, 2_000)).toBeLessThan(longestMs);
	await until({ what: "the leader to say who is missing", timeoutMs: 10_000 }, async () => {
		const { body } = await get(leader.url, "/metrics");
		return /skein_acknowledgement_degraded_ms\{.*acknowledgement="sync",effect="answers-without",member="n\d"/.test(
			body,
		)
			? true
			: null;
	});
	const strict = await sql(
		leader.url,
		{ sql: "update clock set tick = 3000" },
		{ headers: { "skein-ack": "sync;strict" }, timeoutMs: 15_000 },
	);
	expect(strict).toMatchObject({ ok: false, code: "TIMEOUT", outcome: "unknown" });
	if (!strict.ok) expect(strict.message).toContain(`in mode sync;strict; not up to date: ${stopped.id}`);
	await stopped.start();
	await untilAllInSync();
	expect(await look(stopped.url)).toEqual({ inSync: true, tick: 3_000 });
});
