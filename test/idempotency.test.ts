// A write with an idempotency key happens once, however often and to whomever it is sent.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { run, sql } from "./support/http.ts";

const cluster = useCluster();
const insert = { sql: "insert into once (x) values (?) returning x, rowid", args: ["a"] };

test("sent to every node in turn and at once: one row, and always the first answer", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table once (x)");
	const urls = [...cluster().urls, ...cluster().urls, ...cluster().urls];
	const answers = [
		await sql(url, insert, { idempotencyKey: "key-1" }),
		...(await Promise.all(urls.map((at) => sql(at, insert, { idempotencyKey: "key-1" })))),
	];
	for (const answer of answers) expect(answer.ok && answer.results[0]?.rows).toEqual([["a", 1]]);
	expect((await run(url, "select count(*) from once")).rows).toEqual([[1]]);
});

test("another key is another write; no key is always another write", async () => {
	const { url } = await cluster().leader();
	await run(url, "delete from once");
	for (const key of ["key-2", "key-3"]) await sql(url, insert, { idempotencyKey: key });
	await sql(url, insert);
	await sql(url, insert);
	expect((await run(url, "select count(*) from once")).rows).toEqual([[4]]);
});

test("a failed write may be tried again under its key", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table strict_once (x integer not null) strict");
	const wrong = await sql(
		url,
		{ sql: "insert into strict_once values (?)", args: [null] },
		{ idempotencyKey: "key-4" },
	);
	expect(wrong).toMatchObject({ ok: false, code: "SQLITE_CONSTRAINT" });
	const right = await sql(
		url,
		{ sql: "insert into strict_once values (?)", args: [1] },
		{ idempotencyKey: "key-4" },
	);
	expect(right.ok).toBe(true);
});

test("the key is known after a change of leader and after a restart of all", async () => {
	const old = await cluster().leader();
	await run(old.url, "delete from once");
	await sql(old.url, insert, { idempotencyKey: "key-5" });
	await old.kill();
	const next = await cluster().leader();
	expect((await sql(next.url, insert, { idempotencyKey: "key-5", timeoutMs: 20_000 })).ok).toBe(true);
	await cluster().heal();
	await Promise.all(cluster().nodes.map((node) => node.kill()));
	await cluster().heal();
	const { url } = await cluster().leader();
	expect((await sql(url, insert, { idempotencyKey: "key-5" })).ok).toBe(true);
	expect((await run(url, "select count(*) from once")).rows).toEqual([[1]]);
});

test.each(["", "x".repeat(256), "a\tb"])("a malformed key is refused: %j", async (key) => {
	const { url } = await cluster().leader();
	const answer = await sql(url, insert, { headers: { "idempotency-key": key } });
	expect(answer).toMatchObject({ ok: false, code: "BAD_REQUEST", status: 400 });
});
