// The wire of the libSQL protocol, request by request, over a real server.
import { describe, expect, onTestFinished, test } from "vitest";
import { SkeinError } from "../../../../client/src/errors.ts";
import { startTestApi, type TestApi } from "../testing/test-api.ts";

const execute = (sql: string, args: unknown[] = []) => ({
	type: "execute",
	stmt: { sql, args, want_rows: true },
});
const close = { type: "close" };

test("execute and close: one program, exact types, no baton", async () => {
	await using api = await startTestApi();
	const answer = await api.pipeline([
		execute("SELECT 1 AS a, 2.0 AS b, x'00ff07aa' AS c, 'é' AS d, NULL AS e"),
		close,
	]);
	expect(answer.status).toBe(200);
	expect(answer.headers.get("content-type")).toBe("application/json");
	expect(answer.headers.get("skein-session")).toBe("1.1");
	expect(answer.headers.get("skein-node")).toBe("n1");
	expect(answer.body).toEqual({
		baton: null,
		base_url: null,
		results: [
			{
				type: "ok",
				response: {
					type: "execute",
					result: {
						cols: ["a", "b", "c", "d", "e"].map((name) => ({ name, decltype: null })),
						rows: [
							[
								{ type: "integer", value: "1" },
								{ type: "float", value: 2 },
								{ type: "blob", base64: "AP8Hqg" },
								{ type: "text", value: "é" },
								{ type: "null" },
							],
						],
						affected_row_count: 0,
						last_insert_rowid: null,
					},
				},
			},
			{ type: "ok", response: { type: "close" } },
		],
	});
	expect(api.service.programs).toHaveLength(1);
});

test("every value comes back as it went in, padded base64 or not", async () => {
	await using api = await startTestApi();
	const values = [
		{ type: "integer", value: "-9223372036854775808" },
		{ type: "integer", value: "9223372036854775807" },
		{ type: "float", value: 1 },
		{ type: "float", value: 1e300 },
		{ type: "text", value: 'a"\\\u0000\u2028雁' },
		{ type: "blob", base64: "" },
		{ type: "null" },
	];
	const sql = `SELECT ${values.map(() => "?").join(", ")}, ?`;
	const answer = await api.pipeline([execute(sql, [...values, { type: "blob", base64: "AQ==" }]), close]);
	expect(answer.body["results"]?.["0"]?.["response"]?.["result"]?.["rows"]).toEqual([
		[...values, { type: "blob", base64: "AQ" }],
	]);
});

test("all requests run though one fails, and neighbours are one program", async () => {
	await using api = await startTestApi();
	const answer = await api.pipeline([
		execute("CREATE TABLE t (a UNIQUE)"),
		execute("INSERT INTO t VALUES (1)"),
		execute("nonsense"),
		{
			type: "batch",
			batch: {
				steps: [
					{ stmt: { sql: "INSERT INTO t VALUES (1)" } },
					{ stmt: { sql: "INSERT INTO t VALUES (2)" }, condition: { type: "ok", step: 0 } },
					{ stmt: { sql: "INSERT INTO t VALUES (3)" }, condition: { type: "error", step: 0 } },
				],
			},
		},
		{ type: "sequence", sql: "INSERT INTO t VALUES (4); INSERT INTO t VALUES (4); INSERT INTO t VALUES (5)" },
		{ type: "sequence", sql: " -- nothing" },
		execute("SELECT a FROM t"),
		close,
	]);
	const results = answer.body["results"] as unknown as {
		type: string;
		error?: object;
		response?: { result: object };
	}[];
	expect(results.map(({ type }) => type)).toEqual(["ok", "ok", "error", "ok", "error", "ok", "ok", "ok"]);
	expect(results[3]?.response?.result).toMatchObject({
		step_results: [null, null, { affected_row_count: 1, last_insert_rowid: "2" }],
		step_errors: [{ code: "SQLITE_CONSTRAINT", extendedCode: "SQLITE_CONSTRAINT_UNIQUE" }, null, null],
	});
	expect(results[6]?.response?.result).toMatchObject({
		rows: ["1", "3", "4"].map((value) => [{ type: "integer", value }]),
	});
	expect(api.service.programs).toHaveLength(1);
});

test("a baton is good once, and the stream goes on with the next", async () => {
	await using api = await startTestApi();
	const first = await api.pipeline([
		execute("BEGIN"),
		execute("CREATE TABLE t (a)"),
		{ type: "get_autocommit" },
	]);
	const baton = first.baton;
	expect(first.body["results"]?.["2"]).toEqual({
		type: "ok",
		response: { type: "get_autocommit", is_autocommit: false },
	});
	const second = await api.pipeline([execute("INSERT INTO t VALUES (1)")], baton);
	expect(second.status).toBe(200);
	expect(second.body["baton"]).not.toBe(baton);
	const again = await api.pipeline([execute("INSERT INTO t VALUES (1)")], baton);
	expect([again.status, again.body["code"]]).toEqual([400, "BATON_REUSED"]);
	const last = await api.pipeline([execute("COMMIT")], second.baton);
	// In autocommit again with nothing to remember: no baton, no stream.
	expect(last.body["baton"]).toBe(null);
	expect(api.service.openStreams()).toBe(0);
	const gone = await api.pipeline([close], second.baton);
	expect([gone.status, gone.body["code"]]).toEqual([400, "STREAM_NOT_OPEN"]);
});

test("two requests with one baton at the same time: one is refused", async () => {
	await using api = await startTestApi();
	const begun = await api.pipeline([execute("BEGIN")]);
	const letGo = api.service.hold();
	const baton = begun.baton;
	const both = [api.pipeline([execute("SELECT 1")], baton), api.pipeline([execute("SELECT 1")], baton)];
	await expect.poll(() => api.service.programs.length).toBe(2);
	expect((await Promise.race(both)).status).toBe(400);
	letGo();
	expect((await Promise.all(both)).filter(({ status }) => status === 200)).toHaveLength(1);
});

test("a baton that was made up, or changed into a neighbour's, is refused", async () => {
	await using api = await startTestApi();
	const kept = [{ type: "store_sql", sql_id: 1, sql: "SELECT 1" }];
	const [own, other] = [(await api.pipeline(kept)).baton, (await api.pipeline(kept)).baton];
	const bytes = Buffer.from(own ?? "", "base64");
	// The streams are 1 and 2, the sequence numbers equal: only the MAC tells.
	bytes[7] = (bytes[7] ?? 0) ^ 3;
	for (const forged of ["", "x", bytes.toString("base64"), Buffer.alloc(48).toString("base64")]) {
		const answer = await api.pipeline([execute("SELECT 1")], forged);
		expect([answer.status, answer.body["code"]]).toEqual([400, "STREAM_NOT_OPEN"]);
	}
	expect((await api.pipeline([close], own)).status).toBe(200);
	expect((await api.pipeline([close], other)).status).toBe(200);
});

test("stored SQL: kept with the stream, bounded, resolved in order", async () => {
	await using api = await startTestApi({ maxStoredTexts: 2, maxStoredTextLength: 20 });
	const store = (id: number, sql: string) => ({ type: "store_sql", sql_id: id, sql });
	const byId = (id: number) => ({ type: "execute", stmt: { sql_id: id } });
	const first = await api.pipeline([
		store(1, "SELECT 1"),
		byId(1),
		store(1, "SELECT 2"),
		store(2, "SELECT 2"),
		store(3, "SELECT 3"),
	]);
	const types = (body: typeof first.body) =>
		(body["results"] as unknown as { type: string; error?: { code: string } }[]).map(
			({ type, error }) => error?.code ?? type,
		);
	expect(types(first.body)).toEqual(["ok", "ok", "BAD_REQUEST", "ok", "SQL_STORE_TOO_MANY"]);
	const second = await api.pipeline(
		[byId(2), byId(9), { type: "close_sql", sql_id: 1 }, byId(1), store(4, "x".repeat(21)), close, byId(2)],
		first.baton,
	);
	expect(types(second.body)).toEqual([
		"ok",
		"BAD_REQUEST",
		"ok",
		"BAD_REQUEST",
		"SQL_STORE_TOO_LARGE",
		"ok",
		"STREAM_NOT_OPEN",
	]);
	expect(second.body["baton"]).toBe(null);
});

test("a failure of the whole request is each request's failure, with its outcome", async () => {
	await using api = await startTestApi();
	api.service.failNext(new SkeinError("the leader is gone", { code: "LEADERSHIP_LOST", outcome: "unknown" }));
	const answer = await api.pipeline([execute("INSERT"), execute("INSERT"), close]);
	const error = {
		type: "error",
		error: { message: "the leader is gone", code: "LEADERSHIP_LOST", outcome: "unknown" },
	};
	expect(answer.body["results"]).toEqual([error, error, { type: "ok", response: { type: "close" } }]);
	api.service.failNext(new TypeError("a bug"));
	const bug = await api.pipeline([execute("SELECT 1")]);
	expect(bug.body["results"]?.["0"]?.["error"]).toMatchObject({ code: "INTERNAL", outcome: "unknown" });
	expect(bug.text).not.toContain("a bug");
});

test("Infinity is an error, not bad JSON", async () => {
	await using api = await startTestApi();
	const answer = await api.pipeline([execute("SELECT 9e999"), execute("SELECT 1")]);
	expect(answer.body["results"]?.["0"]?.["error"]).toMatchObject({ code: "SQLITE_MISMATCH" });
	expect(answer.body["results"]?.["1"]?.["type"]).toBe("ok");
});

test("describe", async () => {
	await using api = await startTestApi();
	const answer = await api.pipeline([
		{ type: "describe", sql: "SELECT :a AS x, ?" },
		{ type: "describe", sql: "nonsense" },
	]);
	expect(answer.body["results"]).toEqual([
		{
			type: "ok",
			response: {
				type: "describe",
				result: {
					params: [{ name: ":a" }, { name: null }],
					cols: [
						{ name: "x", decltype: null },
						{ name: "?", decltype: null },
					],
					is_explain: false,
					is_readonly: true,
				},
			},
		},
		{ type: "error", error: expect.objectContaining({ code: "SQLITE_ERROR" }) },
	]);
});

test.each([
	[{}, "requests must be an array"],
	[[], "the body must be a JSON object"],
	[{ requests: [{ type: "exec" }] }, "requests[0].type"],
	[
		{ requests: [close, { type: "execute", stmt: {} }] },
		"requests[1].stmt must have exactly one of sql and sql_id",
	],
	[{ requests: [execute("x", [{ type: "integer", value: 1 }])] }, "requests[0].stmt.args[0].value"],
	[
		{ requests: [execute("x", [{ type: "null" }, { type: "integer", value: "9223372036854775808" }])] },
		"args[1].value",
	],
	[{ requests: [execute("x", [{ type: "blob", base64: "a" }])] }, "requests[0].stmt.args[0].base64"],
	[{ requests: [execute("x", [{ type: "blob", base64: "ab-_" }])] }, "requests[0].stmt.args[0].base64"],
	[
		{ requests: [{ type: "execute", stmt: { sql: "x", named_args: [{ name: "a", value: 3 }] } }] },
		"named_args[0]",
	],
	[
		{
			requests: [
				{ type: "batch", batch: { steps: [{ stmt: { sql: "x" }, condition: { type: "ok", step: 0 } }] } },
			],
		},
		"requests[0].batch.steps[0].condition.step",
	],
	[
		{
			requests: [
				execute(
					"x",
					Array.from({ length: 4 }, () => ({ type: "null" })),
				),
			],
		},
		"a statement can have 3",
	],
])("a bad body is refused by the path of its field: %j", async (body, path) => {
	await using api = await startTestApi({ maxArguments: 3 });
	const answer = await api.post("/v2/pipeline", body);
	expect([answer.status, answer.body["code"]]).toEqual([400, "BAD_REQUEST"]);
	expect(answer.body["message"]).toContain(path);
	expect(api.service.openStreams()).toBe(0);
});

test("the number of open streams is bounded", async () => {
	await using api = await startTestApi({ maxStreams: 1 });
	const begun = await api.pipeline([execute("BEGIN")]);
	const refused = await api.pipeline([execute("SELECT 1")]);
	expect([refused.status, refused.body["code"], refused.headers.get("retry-after")]).toEqual([
		503,
		"OVERLOADED",
		"1",
	]);
	await api.pipeline([close], begun.baton);
	expect((await api.pipeline([execute("SELECT 1")])).status).toBe(200);
});

test("a client that breaks off in a request loses its transaction", async () => {
	await using api = await startTestApi();
	const begun = await api.pipeline([execute("BEGIN")]);
	const letGo = api.service.hold();
	const stop = new AbortController();
	const broken = fetch(`${api.url}/v2/pipeline`, {
		method: "POST",
		body: JSON.stringify({ baton: begun.body["baton"], requests: [execute("SELECT 1")] }),
		signal: stop.signal,
	});
	await expect.poll(() => api.service.programs.length).toBe(2);
	stop.abort();
	await expect(broken).rejects.toThrow();
	// The server must have seen the socket close before the program ends.
	await new Promise((resolve) => setTimeout(resolve, 50));
	letGo();
	await expect.poll(() => api.service.openStreams()).toBe(0);
});

test("a kept stream is pinned to this node when its address is known", async () => {
	await using api = await startTestApi({}, { advertisedUrl: "http://n1.example:8080" });
	const pinned = await api.pipeline([execute("BEGIN")]);
	expect(pinned.body["base_url"]).toBe("http://n1.example:8080/");
	const named = await api.post("/db/default/v2/pipeline", {
		baton: pinned.body["baton"],
		requests: [execute("SELECT 1")],
	});
	expect(named.body["base_url"]).toBe("http://n1.example:8080/db/default/");
	expect((await api.pipeline([execute("COMMIT")], named.baton)).body["base_url"]).toBe(null);
});

test("each program of one request has an idempotency key of its own", async () => {
	await using api = await startTestApi();
	await api.post(
		"/v3/pipeline",
		{ requests: [execute("SELECT 1"), { type: "get_autocommit" }, execute("SELECT 2")] },
		{ "idempotency-key": "k", "skein-consistency": "eventual" },
	);
	expect(api.service.programs.map(({ options }) => options.idempotencyKey)).toEqual(["k", "k\n1"]);
	expect(api.service.programs[0]?.options.consistency).toEqual({ level: "eventual" });
});

describe("a transaction that ended with an error, without its client", () => {
	const autocommit = { type: "get_autocommit" };
	const insert = execute("INSERT INTO t VALUES (2)");
	const refused = { type: "error", error: { code: "OVERLOADED", outcome: "did-not-happen" } };

	async function begun(): Promise<{ api: TestApi; baton: string | null }> {
		const api = await startTestApi();
		onTestFinished(() => api.api.close());
		await api.post("/sql", { sql: "CREATE TABLE t (x)" });
		const { baton } = await api.pipeline([execute("BEGIN"), execute("INSERT INTO t VALUES (1)")]);
		api.service.failNext(new SkeinError("?", { code: "OVERLOADED" }));
		const failed = await api.pipeline(
			[insert, autocommit, insert, { type: "sequence", sql: insert.stmt.sql }],
			baton,
		);
		expect(failed.body["results"]).toMatchObject([
			refused,
			{ type: "ok", response: { is_autocommit: false } },
			refused,
			refused,
		]);
		return { api, baton: failed.baton };
	}

	test("what was to run inside does not run outside, also in later requests", async () => {
		const { api, baton } = await begun();
		const batch = { type: "batch", batch: { steps: [{ stmt: insert.stmt }] } };
		const later = await api.pipeline([insert, batch, execute("ROLLBACK"), autocommit, close], baton);
		expect(later.body["results"]).toMatchObject([
			refused,
			refused,
			{ type: "ok", response: { type: "execute", result: { cols: [], rows: [] } } },
			{ type: "ok", response: { is_autocommit: true } },
			{ type: "ok" },
		]);
		expect((await api.post("/sql", { sql: "SELECT count(*) FROM t" })).body["rows"]).toEqual([[0]]);
		expect(api.service.openStreams()).toBe(0);
	});

	test.each([
		["COMMIT", refused],
		["BEGIN", { type: "ok" }],
	])("%s ends that state", async (sql, result) => {
		const { api, baton } = await begun();
		const answer = await api.pipeline([execute(sql), insert, close], baton);
		expect(answer.body["results"]).toMatchObject([result, { type: "ok" }, { type: "ok" }]);
		const rows = (await api.post("/sql", { sql: "SELECT count(*) FROM t" })).body["rows"];
		expect(rows).toEqual([[sql === "BEGIN" ? 0 : 1]]);
	});
});

test("a program is not run any more when the answer is full", async () => {
	await using api = await startTestApi({ maxAnswerLength: 10_000 });
	const large = execute("SELECT printf('%.*c', 20000, 'x')");
	const state = { type: "get_autocommit" };
	const create = execute("CREATE TABLE t (x)");
	const answer = await api.pipeline([large, large, state, create, state, close]);
	expect(answer.body["results"]).toMatchObject([
		{ type: "ok" },
		{ type: "ok" },
		{ type: "ok" },
		{ type: "error", error: { code: "PAYLOAD_TOO_LARGE", outcome: "did-not-happen" } },
		{ type: "ok" },
		{ type: "ok" },
	]);
	expect(api.service.programs).toHaveLength(1);
});

test("the levels and the session's token count for every request of a stream", async () => {
	await using api = await startTestApi();
	const session = (token: string) => ({ "skein-consistency": "session", "skein-session": token });
	const begun = await api.post("/v3/pipeline", { requests: [execute("BEGIN")] }, session("1.1"));
	expect(begun.headers.get("skein-session")).toBe("1.1");
	const requests = [execute("SELECT 1"), { type: "get_autocommit" }, execute("COMMIT")];
	const ended = await api.post("/v2/pipeline", { baton: begun.body["baton"], requests }, session("1.2"));
	expect(ended.headers.get("skein-session")).toBe("1.3");
	expect(ended.headers.get("skein-index")).toBe("3");
	expect(api.service.programs.map(({ options }) => options.consistency)).toEqual(
		[1, 2, 2].map((index) => ({ level: "session", token: { term: 1, index } })),
	);
	const idle = await api.post("/v3/pipeline", { requests: [{ type: "get_autocommit" }] }, session("9.9"));
	expect(idle.headers.get("skein-session")).toBe("9.9");
	expect(idle.headers.get("skein-index")).toBe(null);
});

test("SQL behind a NUL character is never silently left out, whatever way it comes", async () => {
	await using api = await startTestApi();
	await api.pipeline([execute("CREATE TABLE t (a)"), execute("INSERT INTO t VALUES (1), (2)")]);
	const remove = "DELETE FROM t\0 WHERE a = 1";
	const answer = await api.pipeline([
		execute(remove),
		{
			type: "batch",
			batch: { steps: [{ stmt: { sql: "INSERT INTO t VALUES (3)" } }, { stmt: { sql: remove } }] },
		},
		{ type: "sequence", sql: `INSERT INTO t VALUES (4); ${remove}` },
		{ type: "describe", sql: remove },
		{ type: "store_sql", sql_id: 1, sql: remove },
		execute("SELECT group_concat(a), length(?) FROM t", [{ type: "text", value: "a\0b" }]),
		close,
	]);
	const results = answer.body["results"] as unknown as {
		error?: { code: string };
		response?: { result: object };
	}[];
	expect(results.slice(0, 5).map(({ error }) => error?.code)).toEqual(Array(5).fill("BAD_REQUEST"));
	expect(results[5]?.response?.result).toMatchObject({
		rows: [
			[
				{ type: "text", value: "1,2" },
				{ type: "integer", value: "1" },
			],
		],
	});
	const half = await api.pipeline([execute("SELECT ?", [{ type: "text", value: "\ud83d" }]), close]);
	expect([half.status, half.body["code"]]).toEqual([400, "BAD_REQUEST"]);
});
