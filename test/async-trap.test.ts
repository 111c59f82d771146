// The async trap: a leader answers and dies before its followers have heard of the write. In mode async the write is
// lost, as that mode says, and is reported; in every other mode it is there. The link is slow, since on loopback the
// kernel still delivers what a dead process had written.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { LostTransaction } from "../packages/skein/src/node/lost-transactions.ts";
import { useCluster } from "./support/cluster.ts";
import { post, run, sql, view } from "./support/http.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { until } from "./support/until.ts";

const cluster = useCluster();

const door = resolve(import.meta.dirname, "../packages/skein/bin/skein.js");

/** One way. */
const delayMs = 100;

/** The leader dies with the answer, and what is on its way goes with its connections (proxy.ts). Returns it when it is back, as a follower. */
async function dieAfterAnswering(mode: string, row = mode): Promise<NodeProcess> {
	const leader = await cluster().leader();
	await run(leader.url, "create table if not exists trap (mode text primary key) without rowid");
	await cluster().caughtUp();
	cluster().network.delay(delayMs);
	const options = { headers: { "skein-ack": mode }, idempotencyKey: `trap ${row}` };
	// Where this machine is so busy that a tenth of a second passes in between, a slow link alone would bring the write.
	if (mode === "async") cluster().network.isolate(leader.id);
	const answer = await sql(leader.url, { sql: "insert into trap values (?)", args: [row] }, options);
	await leader.kill();
	// What the cut link holds would arrive when it is mended: then others must have gone on without it.
	if (mode !== "async") cluster().network.mend();
	expect(answer).toMatchObject({ ok: true });
	const next = await cluster().leader();
	cluster().network.mend();
	expect(next.id).not.toBe(leader.id);
	await run(next.url, "insert or ignore into trap values ('after')");
	await cluster().heal();
	return leader;
}

/** The command's output. Not waited for by standing still: the nodes' links run in this process. */
async function lost(...words: readonly string[]): Promise<string> {
	const { stdout, stderr } = await promisify(execFile)(process.execPath, [door, "lost", ...words]);
	expect(stderr).toBe("");
	return stdout;
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
	expect(JSON.stringify(report)).toContain('{"operation":"insert","table":"trap","key":[0],"row":["async"]}');
	expect((await view(old.url)).members[old.id]).toMatchObject({ lostTransactions: 1 });

	const data = join(cluster().directory, old.id, "data");
	const name = (names[0] ?? "").replace(".json", "");
	const listed = JSON.parse(await lost("list", "--json", "--data", data)) as unknown[];
	expect(listed).toEqual([report]);
	expect(await lost("list", "--data", data)).toMatch(
		new RegExp(`${name} .* trap async .* async .* lost .* 1`),
	);
	expect(JSON.parse(await lost("show", name, "--data", data))).toEqual(report);
	// Once, however often it is asked for.
	for (const url of [old.url, (await cluster().leader()).url]) {
		await lost("replay", name, "--data", data, "--url", url);
		expect(await kept("async")).toBe(true);
	}
	const { url } = await cluster().leader();
	await run(url, "delete from trap where mode = 'async'");
	expect(await lost("replay", name, "--data", data, "--url", url)).toMatch(/were made again before/);
	expect(await kept("async")).toBe(false);

	await lost("dismiss", name, "--yes", "--data", data);
	await until({ what: "a report that is counted no more", timeoutMs: 5_000 }, async () => {
		return (await view(old.url)).members[old.id]?.lostTransactions === 0;
	});
});

test("a lost write that its client has sent again itself is not made once more", async () => {
	const old = await dieAfterAnswering("async", "twice");
	const data = join(cluster().directory, old.id, "data");
	const reports = JSON.parse(await lost("list", "--json", "--data", data)) as LostTransaction[];
	const { term, index } = reports.find(({ idempotencyKey }) => idempotencyKey === "trap twice") ?? {};
	const { url } = await cluster().leader();
	await sql(url, { sql: "insert into trap values (?)", args: ["twice"] }, { idempotencyKey: "trap twice" });
	await run(url, "delete from trap where mode = 'twice'");
	const said = await lost("replay", `${term}-${index}`, "--data", data, "--url", url);
	expect(said).toMatch(/was sent again under its idempotency key/);
	expect(await kept("twice")).toBe(false);
});

test("what was logged as SQL is reported as SQL, and not made again: it would change what fits today", async () => {
	const { url } = await cluster().leader();
	expect((await post(url, "/cluster/format", { format: "statement" })).status).toBe(200);
	const old = await dieAfterAnswering("async", "as sql");
	const data = join(cluster().directory, old.id, "data");
	const reports = JSON.parse(await lost("list", "--json", "--data", data)) as LostTransaction[];
	const { term, index, changes } =
		reports.find(({ idempotencyKey }) => idempotencyKey === "trap as sql") ?? {};
	expect(changes).toEqual([
		{ operation: "statement", sql: "insert into trap values (?)", values: ["as sql"] },
	]);
	const next = await cluster().leader();
	await expect(lost("replay", `${term}-${index}`, "--data", data, "--url", next.url)).rejects.toMatchObject({
		code: 1,
		stderr: expect.stringContaining("it was logged as SQL (log format statement)"),
	});
	expect(await kept("as sql")).toBe(false);
	expect((await view(old.url)).format).toBe("statement");
	expect((await post(next.url, "/cluster/format", { format: "row" })).status).toBe(200);
});

test("more followers than there are is an error, and nothing happens", async () => {
	const { url } = await cluster().leader();
	const statement = { sql: "insert into trap values ('none')" };
	const answer = await sql(url, statement, { headers: { "skein-ack": "semi-sync;k=3" } });
	expect(answer).toMatchObject({ ok: false, code: "BAD_REQUEST", outcome: "did-not-happen" });
	expect(await kept("none")).toBe(false);
});
