// Time travel: a client that reads from a node that is up to date, and then from one that is behind, goes back in
// time with `eventual`, and never with `session`; a bounded read is young enough or refused.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { connect } from "../packages/client/src/index.ts";
import { open } from "../packages/skein/src/index.ts";
import { useCluster } from "./support/cluster.ts";
import { run, sql } from "./support/http.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { freePorts } from "./support/ports.ts";
import { until } from "./support/until.ts";

const cluster = useCluster();
const question = "select tick from clock";

interface Nodes {
	readonly leader: NodeProcess;
	readonly fresh: NodeProcess;
	readonly stale: NodeProcess;
}

async function nodesWithClock(): Promise<Nodes> {
	const leader = await cluster().leader();
	const [fresh, stale] = await cluster().followers();
	if (fresh === undefined || stale === undefined) throw new Error("too few followers");
	await run(leader.url, "create table if not exists clock (id integer primary key, tick integer)");
	await run(leader.url, "insert or replace into clock values (1, 1)");
	await cluster().caughtUp();
	return { leader, fresh, stale };
}

async function eventual(node: NodeProcess): Promise<unknown> {
	return (await run(node.url, question, [], { consistency: "eventual" })).rows[0]?.[0];
}

test("time travel: back with eventual, never with session", async () => {
	const { leader, fresh, stale } = await nodesWithClock();
	cluster().network.isolate(stale.id);
	await run(leader.url, "update clock set tick = 2");
	await until(
		{ what: "the other follower to be up to date", timeoutMs: 10_000 },
		async () => (await eventual(fresh)) === 2,
	);
	// The past, as was asked for.
	expect(await eventual(stale)).toBe(1);

	const first = await sql(fresh.url, { sql: question }, { consistency: "session" });
	if (!first.ok) throw new Error(first.message);
	expect(first.results[0]?.rows).toEqual([[2]]);
	// Without what the session has seen any committed state will do.
	const other = await sql(stale.url, { sql: question }, { consistency: "session" });
	expect(other.ok && other.results[0]?.rows).toEqual([[1]]);
	let answered = false;
	const second = sql(
		stale.url,
		{ sql: question },
		{ consistency: "session", session: first.session, timeoutMs: 60_000 },
	).finally(() => {
		answered = true;
	});
	const old = await sql(
		stale.url,
		{ sql: question },
		{ consistency: "bounded;max-staleness-ms=200", timeoutMs: 30_000 },
	);
	expect(old).toMatchObject({ ok: false, code: "TOO_STALE", status: 503, outcome: "did-not-happen" });
	// It has waited for all these seconds.
	expect(answered).toBe(false);
	cluster().network.mend();
	const caughtUp = await second;
	expect(caughtUp.ok && caughtUp.results[0]?.rows).toEqual([[2]]);
	const young = await sql(
		stale.url,
		{ sql: question },
		{ consistency: "bounded;max-staleness-ms=200", timeoutMs: 30_000 },
	);
	expect(young).toMatchObject({ ok: true });
	expect(young.ok && young.stalenessMs).toBeGreaterThanOrEqual(0);
	await cluster().heal();
});

test("a client goes from node to node while one falls behind again and again: its session never goes back", async () => {
	const { leader, fresh, stale } = await nodesWithClock();
	const client = connect([fresh.url, stale.url], { consistency: "session" });
	const elsewhere = connect(stale.url, { consistency: "session" });
	let [tick, sessionToken, back] = [1, "", 0];
	for (let round = 0; round < 10; round++) {
		cluster().network.cut(leader.id, stale.id);
		await run(leader.url, "update clock set tick = tick + 1");
		tick++;
		await until(
			{ what: "the fresh follower", timeoutMs: 10_000 },
			async () => (await eventual(fresh)) === tick,
		);
		if (Number(await eventual(stale)) < tick) back++;
		const seen = await client.execute(question);
		expect(seen.rows).toEqual([[tick]]);
		sessionToken = seen.session ?? "";
		const read = sql(
			stale.url,
			{ sql: question },
			{ consistency: "session", session: sessionToken, timeoutMs: 30_000 },
		);
		cluster().network.mend();
		const answer = await read;
		expect(answer.ok && answer.results[0]?.rows).toEqual([[tick]]);
	}
	expect(back).toBeGreaterThan(0);

	// The node that the client has used is gone; the one it goes to was behind.
	cluster().network.cut(leader.id, stale.id);
	await client.execute("update clock set tick = 100");
	await fresh.kill();
	const read = client.execute(question);
	expect((await elsewhere.execute(question)).rows).toEqual([[tick]]);
	cluster().network.mend();
	expect((await read).rows).toEqual([[100]]);
	await cluster().heal();
});

test("a process that was stopped does not take its old proof for a young one, nor what lies in its socket for a new", async () => {
	const { leader, stale } = await nodesWithClock();
	const bounded = { consistency: "bounded;max-staleness-ms=500", timeoutMs: 30_000 } as const;
	expect(await sql(stale.url, { sql: question }, bounded)).toMatchObject({ ok: true });
	stale.pause();
	// Heartbeats gather in its socket; nothing that comes later does.
	await sleep(300);
	cluster().network.isolate(stale.id);
	await run(leader.url, "update clock set tick = 2");
	// Until the write is older than what will be asked for.
	await sleep(1_000);
	const reads = Array.from({ length: 20 }, () => sql(stale.url, { sql: question }, bounded));
	stale.resume();
	for (const answer of await Promise.all(reads))
		expect(answer).toMatchObject({ ok: false, code: "TOO_STALE" });
	await cluster().heal();
});

test("a member inside this process: the levels, and a session of its own", async () => {
	const [port = 0, peerPort = 0] = await freePorts(2);
	const directory = mkdtempSync(join(tmpdir(), "skein-member-"));
	const host = "127.0.0.1";
	const member = await open({
		id: "n1",
		data: directory,
		listen: { host, port },
		peer: { host, port: peerPort },
	});
	try {
		await member.execute("create table t (x)");
		const { session } = await member.execute("insert into t values (1)");
		for (const consistency of ["session", "bounded;max-staleness-ms=1000", "eventual"] as const) {
			const read = await member.execute("select x from t", [], { consistency });
			// The last comes behind reads that waited until it was there.
			expect([read.rows, read.session]).toEqual([[[1]], session]);
		}
		const strange = member.execute("select x from t", [], { consistency: "session", session: "9.5000" });
		await expect(strange).rejects.toMatchObject({
			code: "BAD_REQUEST",
			extendedCode: "BAD_REQUEST_SESSION",
		});
		await expect(
			member.execute("select 1", [], { consistency: "session", session: "9" }),
		).rejects.toMatchObject({
			code: "BAD_REQUEST",
		});
	} finally {
		await member.close();
		rmSync(directory, { recursive: true });
	}
});
