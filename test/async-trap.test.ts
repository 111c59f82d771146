// The async trap: a leader answers and dies before its followers have heard of the write. In mode async the write is
// lost, as that mode says, and is reported; in every other mode it is there. The link is slow, since on loopback the
// kernel still delivers what a dead process had written.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { run, sql, view } from "./support/http.ts";
import type { NodeProcess } from "./support/node-process.ts";

const cluster = useCluster();

/** One way. */
const delayMs = 100;

/** The leader dies with the answer, and what is on its way goes with its connections (proxy.ts). Returns it when it is back, as a follower. */
async function dieAfterAnswering(mode: string): Promise<NodeProcess> {
	const leader = await cluster().leader();
	await run(leader.url, "create table if not exists trap (mode text primary key) without rowid");
	await cluster().caughtUp();
	cluster().network.delay(delayMs);
	const options = { headers: { "skein-ack": mode }, idempotencyKey: `trap ${mode}` };
	const answer = await sql(leader.url, { sql: "insert into trap values (?)", args: [mode] }, options);
	cluster().network.delay(0);
	await leader.kill();
	expect(answer).toMatchObject({ ok: true });
	const next = await cluster().leader();
	expect(next.id).not.toBe(leader.id);
	await run(next.url, "insert or ignore into trap values ('after')");
	await cluster().heal();
	return leader;
}

async function kept(mode: string): Promise<boolean> {
	const { url } = await cluster().leader();
	return (await run(url, `select 1 from trap where mode = '${mode}'`)).rows.length === 1;
}

test.each(["quorum", "semi-sync", "semi-sync;k=2"])("%s: the write is there", async (mode) => {
	await dieAfterAnswering(mode);
	expect(await kept(mode)).toBe(true);
	expect((await view((await cluster().leader()).url)).lostTransactions).toBe(0);
});

test("async: the write is lost, nobody sees it, and it is reported", async () => {
	const old = await dieAfterAnswering("async");
	expect(await kept("async")).toBe(false);
	const directory = join(cluster().directory, old.id, "data", "lost");
	const names = readdirSync(directory);
	expect(names.length).toBe(1);
	const report = JSON.parse(readFileSync(join(directory, names[0] ?? ""), "utf8")) as unknown;
	expect(report).toMatchObject({
		certain: true,
		idempotencyKey: "trap async",
		acknowledgement: "async",
	});
	expect(JSON.stringify(report)).toContain('{"operation":"insert","table":"trap","after":["async"]}');
	expect((await view(old.url)).members[old.id]).toMatchObject({ lostTransactions: 1 });
});

test("more followers than there are is an error, and nothing happens", async () => {
	const { url } = await cluster().leader();
	const statement = { sql: "insert into trap values ('none')" };
	const answer = await sql(url, statement, { headers: { "skein-ack": "semi-sync;k=3" } });
	expect(answer).toMatchObject({ ok: false, code: "BAD_REQUEST", outcome: "did-not-happen" });
	expect(await kept("none")).toBe(false);
});
