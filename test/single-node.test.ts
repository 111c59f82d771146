// One node alone is a cluster too: it leads itself, and survives SIGKILL.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { get, run, sql, view } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";

const cluster = useCluster({ nodes: 1 });

test("it leads, writes, and has everything after SIGKILL", async () => {
	const [node] = cluster().nodes;
	if (node === undefined) throw new Error("no node");
	await run(node.url, "create table t (x integer)");
	for (let x = 1; x <= 20; x += 1) await run(node.url, "insert into t values (?)", [x]);
	await node.kill();
	await node.start();
	await cluster().leader();
	expect((await run(node.url, "select sum(x) from t")).rows).toEqual([[210]]);
	expect(await view(node.url)).toMatchObject({
		leader: "n1",
		members: { n1: { kind: "voter", role: "leader" } },
	});
});

test("SIGKILL under load, again and again", async () => {
	const [node] = cluster().nodes;
	await underLoad(cluster(), async (ledger) => {
		for (let round = 0; round < 3; round += 1) {
			await ledger.progress(50);
			await node?.kill();
			await node?.start();
		}
		await ledger.progress(20);
	});
});

test("the paths for machines", async () => {
	const { url } = await cluster().leader();
	for (const path of ["/health", "/ready", "/version", "/v2", "/v3"]) {
		expect((await get(url, path)).status, path).toBe(200);
	}
	const missing = await get(url, "/nothing-here");
	expect(missing.status).toBe(404);
	expect(missing.headers.get("content-type")).toBe("application/json");
});

test("the answer of POST /sql, to the letter", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table goose (id integer primary key, name text)");
	const inserted = await run(url, "insert into goose (name) values (?), (?)", ["Akka", "Martin"]);
	expect(inserted).toEqual({
		columns: [],
		rows: [],
		changes: 2,
		lastInsertRowid: 2,
		index: expect.any(Number),
	});
	const read = await run(url, "select id, name from goose order by id");
	expect(read).toEqual({
		columns: ["id", "name"],
		rows: [
			[1, "Akka"],
			[2, "Martin"],
		],
		changes: 0,
		lastInsertRowid: null,
		index: expect.any(Number),
	});
	expect(read.index).toBeGreaterThanOrEqual(inserted.index);
	const values = await run(url, "select 9007199254740993, x'00ff', 1.5, null, 'é'");
	expect(values.rows).toEqual([["9007199254740993", { base64: "AP8=" }, 1.5, null, "é"]]);
});

test("an array is one transaction: all or nothing", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table pair (x integer unique)");
	const failed = await sql(url, [
		{ sql: "insert into pair values (1)" },
		{ sql: "insert into pair values (1)" },
	]);
	expect(failed).toMatchObject({
		ok: false,
		code: "SQLITE_CONSTRAINT",
		extendedCode: "SQLITE_CONSTRAINT_UNIQUE",
		outcome: "did-not-happen",
	});
	expect((await run(url, "select count(*) from pair")).rows).toEqual([[0]]);
	const done = await sql(url, [{ sql: "insert into pair values (1)" }, { sql: "select x from pair" }]);
	expect(done.ok && done.results.map((result) => result.rows)).toEqual([[], [[1]]]);
});
