// The log format is changed on a running cluster: under load, by the command line, through restarts and a snapshot.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { expectEqualMembers } from "./support/compare.ts";
import { get, post, run } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";
import { until } from "./support/until.ts";

// Everything small, so that a follower that was away comes back by a snapshot.
const cluster = useCluster({
	settings: {
		logSegmentBytes: 64 * 1024,
		compactLogBytes: 128 * 1024,
		checkpointBytes: 64 * 1024,
		logTailEntries: 50,
		compactionIntervalMs: 50,
		snapshotChunkBytes: 16 * 1024,
	},
});

async function formats(): Promise<unknown[]> {
	const answers = await Promise.all(cluster().urls.map((url) => get(url, "/cluster")));
	return answers.map(({ body }) => JSON.parse(body).databases.default.format);
}

async function skein(...words: readonly string[]): Promise<string> {
	const command = ["packages/skein/bin/skein.js", ...words, "--url", cluster().urls.join(",")];
	return (await promisify(execFile)(process.execPath, command)).stdout.trim();
}

test("changed on any node under load: nobody sees an error, all members are equal", async () => {
	const report = await underLoad(cluster(), async (ledger) => {
		for (const [place, format] of ["statement", "wal", "row", "wal", "statement"].entries()) {
			const answer = await post(cluster().urls[place % 3] ?? "", "/cluster/format", { format });
			expect(answer.status, answer.body).toBe(200);
			expect(JSON.parse(answer.body)).toMatchObject({ format, index: expect.any(Number) });
			await ledger.progress(20);
		}
	});
	expect(report.failures).toEqual({});
	await cluster().caughtUp();
	expect(await formats()).toEqual(["statement", "statement", "statement"]);
	await expectEqualMembers(cluster());
});

test("skein format tells it, changes it, and knows no other", async () => {
	expect(await skein("format")).toBe("statement");
	expect(await skein("format", "row")).toMatch(/^the log format is row behind index \d+$/);
	expect(JSON.parse(await skein("format", "--json"))).toEqual({ format: "row" });
	await expect(skein("format", "braid")).rejects.toMatchObject({ code: 2 });
});

test("skein explain says how a statement is logged, by the schema of the node", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table explained (id integer primary key, n, at default current_timestamp)");
	await run(url, "create table calm (id integer primary key, n)");
	await cluster().caughtUp();
	const sql = "update calm set n = 1; insert into explained (n) values (1)";
	const answer = JSON.parse(await skein("explain", "--json", "--format", "statement", sql));
	expect(answer).toEqual({
		format: "statement",
		statements: [
			{ sql: "update calm set n = 1", logged: "statement", reasons: [expect.any(String)] },
			{
				sql: "insert into explained (n) values (1)",
				logged: "rows",
				reasons: [expect.stringContaining("current_timestamp")],
			},
		],
	});
	expect(await skein("explain", "select 1")).toContain("not logged:");
	await expect(skein("explain")).rejects.toMatchObject({ code: 2 });
	await expect(skein("explain", "--format", "braid", "select 1")).rejects.toMatchObject({ code: 2 });
});

test("all are killed and come back: the log holds both formats, and the format is known", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table mixed (id integer primary key, x)");
	await run(url, "insert into mixed values (1, 'row'), (2, 'row')");
	await post(url, "/cluster/format", { format: "statement" });
	await run(url, "update mixed set x = x || ' and statement' where id < 10");
	await Promise.all(cluster().nodes.map((node) => node.kill()));
	await cluster().heal();
	expect(await formats()).toEqual(["statement", "statement", "statement"]);
	const contents = await expectEqualMembers(cluster());
	expect(contents["table mixed"]).toHaveLength(2);
});

test("a member that holds other rows than the leader does not go on: it gets the leader's", async () => {
	const { url } = await cluster().leader();
	await post(url, "/cluster/format", { format: "statement" });
	await run(url, "create table flock (id integer primary key, name)");
	await run(url, "insert into flock values (1, 'Akka'), (2, 'Yksi'), (3, 'Kaksi')");
	await cluster().caughtUp();
	const [follower] = await cluster().followers();
	await follower?.kill();
	const database = new DatabaseSync(join(follower?.dataDirectory ?? "", "default.sqlite"));
	database.exec("DELETE FROM flock WHERE id = 2");
	database.close();
	await follower?.start();
	await run(url, "update flock set name = name || '!' where name like 'Y%'");
	await until({ what: "the follower to notice", timeoutMs: 15_000 }, async () =>
		Promise.resolve(/serves nothing until a snapshot/.test(follower?.logText() ?? "")),
	);
	await cluster().caughtUp();
	const contents = await expectEqualMembers(cluster());
	expect(contents["table flock"]).toHaveLength(3);
});

test("a member that comes back by a snapshot knows the format, also as leader", async () => {
	const leader = await cluster().leader();
	const [follower] = await cluster().followers();
	await post(leader.url, "/cluster/format", { format: "row" });
	await cluster().caughtUp();
	await follower?.kill();
	await post(leader.url, "/cluster/format", { format: "statement" });
	await run(leader.url, "create table filler (id integer primary key, x blob)");
	for (let round = 0; round < 60; round++) {
		await run(leader.url, "insert into filler (x) values (randomblob(20000))");
	}
	await follower?.start();
	await until({ what: "a snapshot", timeoutMs: 30_000 }, async () =>
		Promise.resolve(/snapshot/i.test(follower?.logText() ?? "")),
	);
	await cluster().caughtUp();
	await post(leader.url, "/cluster/transfer", { to: follower?.id });
	expect(await formats()).toEqual(["statement", "statement", "statement"]);
	await expectEqualMembers(cluster());
});

/** What SQLite reads of a node's database, page by page; the node goes on. */
function imageOf(node: { readonly dataDirectory: string }): Buffer {
	const database = new DatabaseSync(join(node.dataDirectory, "default.sqlite"), { readOnly: true });
	try {
		return Buffer.from(database.serialize());
	} finally {
		database.close();
	}
}

test("in wal databases are the same byte for byte: under load, after kills, and by a snapshot", async () => {
	const { url } = await cluster().leader();
	await post(url, "/cluster/format", { format: "wal" });
	const [follower] = await cluster().followers();
	const report = await underLoad(cluster(), async (ledger) => {
		await ledger.progress(20);
		await follower?.kill();
		for (let round = 0; round < 40; round++)
			await run(url, "insert into filler (x) values (randomblob(20000))");
		await follower?.start();
		await ledger.progress(20);
		await post(url, "/cluster/transfer", { to: follower?.id });
		await ledger.progress(20);
	});
	const old = await cluster().leader();
	await old.kill();
	await cluster().leader();
	await old.start();
	await cluster().caughtUp();
	expect(await formats()).toEqual(["wal", "wal", "wal"]);
	await expectEqualMembers(cluster());
	const [first, ...rest] = cluster().nodes.map(imageOf);
	for (const other of rest) expect(other.equals(first ?? other)).toBe(true);
	// Whose client asks the node that is killed finds nobody there; no other write fails.
	const { NETWORK, ...others } = report.failures;
	expect(others, `beside ${NETWORK} of the killed node's client`).toEqual({});
});
