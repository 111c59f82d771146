// Everything has a limit, and each limit an error of its own that says whether the write happened.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { execute, get, pipeline, post, run, type SqlAnswer, sql } from "./support/http.ts";
import { until } from "./support/until.ts";

const cluster = useCluster({
	settings: { statementTimeoutMs: 700, maxQueuedWrites: 20, maxTransactionBytes: 1024 * 1024 },
});
// Ends by itself after a few seconds: SQLite cannot be interrupted, and the next tests need the processor.
const endless =
	"with recursive c(x) as (values(1) union all select x + 1 from c limit 12000000) select max(x) from c";

test("more writes than the queue holds: OVERLOADED, which did not happen; the others are there", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table queue (x integer)");
	// While a transaction is open all others wait for it.
	const begun = await pipeline(url, [execute("begin immediate")]);
	let answered = 0;
	const sent = Array.from({ length: 60 }, async (_, x) => {
		const answer = await sql(url, { sql: "insert into queue values (?)", args: [x] });
		answered += 1;
		return answer;
	});
	await until({ what: "the queue to be full", timeoutMs: 5_000 }, async () => answered >= 40);
	await pipeline(url, [execute("commit"), { type: "close" }], { baton: begun.baton });
	const answers = await Promise.all(sent);
	const refused = answers.filter((answer): answer is Extract<SqlAnswer, { ok: false }> => !answer.ok);
	expect(refused.length).toBe(40);
	for (const answer of refused) {
		expect(answer).toMatchObject({ code: "OVERLOADED", outcome: "did-not-happen" });
	}
	expect((await run(url, "select count(*) from queue")).rows).toEqual([[20]]);
});

test("a body that is too large: 413, before it is read to its end", async () => {
	const { url } = await cluster().leader();
	const answer = await post(
		url,
		"/sql",
		JSON.stringify({ sql: "select ?", args: ["x".repeat(65 * 1024 * 1024)] }),
	).catch((error: unknown) => error);
	// A server may close the connection on somebody who goes on sending; a good one has answered before.
	if (answer instanceof Error) throw answer;
	expect(answer).toMatchObject({ status: 413 });
	expect((await get(url, "/health")).status).toBe(200);
});

test("a result that is too large is refused", async () => {
	const { url } = await cluster().leader();
	const answer = await sql(url, {
		sql: "with recursive c(x) as (values(1) union all select x + 1 from c limit 5000000) select x, 'filler' from c",
	});
	expect(answer.ok).toBe(false);
	expect(await run(url, "select 1")).toMatchObject({ rows: [[1]] });
});

test("a statement that runs too long: TIMEOUT, on the leader and on a follower", async () => {
	for (const node of cluster().nodes) {
		const started = performance.now();
		const answer = await sql(node.url, { sql: endless }, { timeoutMs: 10_000 });
		expect(answer).toMatchObject({ ok: false, code: "TIMEOUT", status: 504 });
		expect(performance.now() - started).toBeLessThan(5_000);
		expect((await run(node.url, "select 1")).rows).toEqual([[1]]);
	}
});

test("a transaction that changes too much is refused, and nothing of it happened", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table big (x blob)");
	const answer = await sql(url, { sql: "insert into big values (randomblob(3000000))" });
	expect(answer).toMatchObject({ ok: false, code: "PAYLOAD_TOO_LARGE", outcome: "did-not-happen" });
	expect((await run(url, "select count(*) from big")).rows).toEqual([[0]]);
});

test.each([
	["attach database 'x' as y", "UNSUPPORTED_SQL"],
	["create temp table t (x)", "UNSUPPORTED_SQL"],
	["create table skein_mine (x)", "UNSUPPORTED_SQL"],
	["update skein_state set term = 1", "UNSUPPORTED_SQL"],
	["vacuum", "UNSUPPORTED_SQL"],
	["pragma writable_schema = on", "UNSUPPORTED_SQL"],
	["select load_extension('x')", "UNSUPPORTED_SQL"],
	["selekt 1", "SQLITE_ERROR"],
])("%s: %s, on every node", async (text, code) => {
	for (const url of cluster().urls) {
		const answer = await sql(url, { sql: text });
		expect(answer).toMatchObject({ ok: false, outcome: "did-not-happen" });
		expect(answer.ok ? "" : answer.code).toMatch(
			code === "SQLITE_ERROR" ? /SQLITE_ERROR|SQL_PARSE_ERROR/ : code,
		);
	}
});

test("errors are JSON with exactly that content type", async () => {
	const { url } = await cluster().leader();
	for (const [path, body] of [
		["/sql", "{"],
		["/sql", '{"sql": 1}'],
		["/v2/pipeline", '{"requests": 1}'],
		["/nothing", "{}"],
	] as const) {
		const answer = await post(url, path, body);
		expect(answer.status, `${path} ${body}`).toBeGreaterThanOrEqual(400);
		expect(answer.headers.get("content-type")).toBe("application/json");
		expect(JSON.parse(answer.body)).toMatchObject({ code: expect.any(String), message: expect.any(String) });
	}
});

test("what comes later is refused, never silently less", async () => {
	const { url } = await cluster().leader();
	for (const headers of [
		{ "skein-consistency": "bounded" },
		{ "skein-session": "nonsense" },
		{ "skein-consistency": "nonsense" },
		{ "skein-ack": "chain;k=2" },
		{ "skein-ack": "semi-sync;k=0" },
	]) {
		expect(await sql(url, { sql: "select 1" }, { headers })).toMatchObject({
			ok: false,
			code: "BAD_REQUEST",
		});
	}
});
