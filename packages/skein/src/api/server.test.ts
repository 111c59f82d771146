// What every request meets: the shape of errors, limits, CORS, operations, and the graceful stop.
import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { SkeinError } from "../../../client/src/errors.ts";
import { answerOf, startTestApi } from "./testing/test-api.ts";

test.each([
	["GET", "/nowhere", {}, undefined, 404, "NOT_FOUND"],
	["GET", "/v3-protobuf", {}, undefined, 404, "NOT_FOUND"],
	["POST", "/v3-protobuf/pipeline", {}, "x", 404, "NOT_FOUND"],
	["GET", "/v2/pipeline", {}, undefined, 405, "METHOD_NOT_ALLOWED"],
	["PUT", "/db/default/sql", {}, "{}", 405, "METHOD_NOT_ALLOWED"],
	["POST", "/health", {}, "{}", 405, "METHOD_NOT_ALLOWED"],
	["GET", "/db/nobody/v2", {}, undefined, 404, "NOT_FOUND"],
	["POST", "/db/nobody/v2/pipeline", {}, "{}", 404, "NOT_FOUND"],
	["POST", "/sql", {}, "{", 400, "BAD_REQUEST"],
	["POST", "/sql", {}, "", 400, "BAD_REQUEST"],
	["POST", "/sql", {}, new Uint8Array([0x22, 0xff, 0x22]), 400, "BAD_REQUEST"],
	["POST", "/sql", { "content-type": "application/xml" }, "{}", 415, "UNSUPPORTED_MEDIA_TYPE"],
	["POST", "/sql", { "skein-consistency": "bounded" }, '{"sql":"SELECT 1"}', 400, "BAD_REQUEST"],
	["POST", "/sql", { "skein-session": "4" }, '{"sql":"SELECT 1"}', 400, "BAD_REQUEST"],
	[
		"POST",
		"/v2/pipeline",
		{ "skein-consistency": "session", "skein-session": "7.x" },
		'{"requests":[]}',
		400,
		"BAD_REQUEST",
	],
	["POST", "/sql", { "skein-ack": "chain;k=1" }, '{"sql":"SELECT 1"}', 400, "BAD_REQUEST"],
	["POST", "/sql", { "skein-ack": "semi-sync;k=0" }, '{"sql":"SELECT 1"}', 400, "BAD_REQUEST"],
	["POST", "/v3/pipeline", { "skein-ack": "some" }, '{"requests":[]}', 400, "BAD_REQUEST"],
	["POST", "/sql", { "idempotency-key": "x".repeat(256) }, '{"sql":"SELECT 1"}', 400, "BAD_REQUEST"],
	["POST", "/sql", { "content-encoding": "gzip" }, "zipped", 415, "UNSUPPORTED_MEDIA_TYPE"],
	["POST", "/v2/pipeline", { "content-encoding": "br, gzip" }, "zipped", 415, "UNSUPPORTED_MEDIA_TYPE"],
	["GET", "/%zz", {}, undefined, 400, "BAD_REQUEST"],
] as const)("%s %s %j: an error in the one shape", async (method, path, headers, body, status, code) => {
	await using api = await startTestApi();
	const answer = await answerOf(await fetch(api.url + path, { method, headers, body: body ?? null }));
	expect(answer.headers.get("content-type")).toBe("application/json");
	expect([answer.status, answer.body["code"]]).toEqual([status, code]);
	expect(answer.body["message"]).toBeTypeOf("string");
	expect(answer.headers.get("access-control-allow-origin")).toBe("*");
	expect(api.service.programs).toHaveLength(0);
});

test("bodies are bounded, with and without a length", async () => {
	await using api = await startTestApi({ maxBodyBytes: 1_000 });
	const big = JSON.stringify({ sql: "x".repeat(5_000_000) });
	const known = await api.post("/sql", big);
	expect([known.status, known.body["code"]]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
	const response = await fetch(`${api.url}/sql`, {
		method: "POST",
		body: new Blob([big]).stream(),
		duplex: "half",
	});
	const chunked = await answerOf(response);
	expect([chunked.status, chunked.body["code"]]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
	expect((await api.post("/sql", { sql: "SELECT 1" })).status).toBe(200);
});

test("the values of a body are bounded before they are parsed; a long text is one value", async () => {
	await using api = await startTestApi();
	const ones = (count: number): string => `[${"1,".repeat(count)}1]`;
	// Parsed, the first would be told from JSON.
	for (const text of [`${ones(1_000_000)}x`, `{"sql":"SELECT ?","args":${ones(1_000_000)}}`]) {
		const many = await api.post("/sql", text);
		expect([many.status, many.body["code"]]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
		expect(many.body["message"]).toContain("1000000 JSON values");
	}
	expect((await api.post("/sql", ones(999_000))).body["code"]).toBe("BAD_REQUEST");
	const text = ",[{".repeat(1_000_000);
	const long = await api.post("/sql", { sql: "SELECT length(?)", args: [text] });
	expect(long.body["rows"]).toEqual([[3_000_000]]);
});

test("requests in flight are bounded; health is always answered", async () => {
	await using api = await startTestApi({ maxInFlight: 2 });
	const letGo = api.service.hold();
	const running = [api.post("/sql", { sql: "SELECT 1" }), api.post("/sql", { sql: "SELECT 2" })];
	await expect.poll(() => api.service.programs.length).toBe(2);
	const refused = await api.post("/sql", { sql: "SELECT 3" });
	expect([refused.status, refused.body["code"], refused.headers.get("retry-after")]).toEqual([
		503,
		"OVERLOADED",
		"1",
	]);
	expect((await fetch(`${api.url}/health`)).status).toBe(200);
	letGo();
	expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200]);
	expect((await api.post("/sql", { sql: "SELECT 4" })).status).toBe(200);
});

test("bytes in flight are bounded, and given back", async () => {
	await using api = await startTestApi({ maxBufferedBytes: 1_000 });
	const letGo = api.service.hold();
	const running = api.post("/sql", { sql: `SELECT '${"x".repeat(800)}'` });
	await expect.poll(() => api.service.programs.length).toBe(1);
	expect((await api.post("/sql", { sql: `SELECT '${"x".repeat(800)}'` })).status).toBe(503);
	letGo();
	await running;
	expect((await api.post("/sql", { sql: `SELECT '${"x".repeat(800)}'` })).status).toBe(200);
});

test("what is not HTTP, or too slow, is told so", async () => {
	await using api = await startTestApi({ headersTimeoutMs: 100, receiveTimeoutMs: 100 });
	async function raw(text: string): Promise<string> {
		const socket = connect(api.port, "127.0.0.1");
		socket.write(text);
		let answer = "";
		socket.on("data", (chunk) => {
			answer += String(chunk);
		});
		await once(socket, "close");
		return answer;
	}
	expect(await raw("nonsense\r\n\r\n")).toMatch(/^HTTP\/1.1 400 .*"code":"BAD_REQUEST"/s);
	expect(await raw("POST /sql HTTP/1.1\r\nHost: x\r\nContent-Le")).toMatch(
		/^HTTP\/1.1 408 .*Content-Type: application\/json\r\n/s,
	);
	expect(await raw(`GET / HTTP/1.1\r\nA: ${"x".repeat(70_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
});

test("browsers may call", async () => {
	await using api = await startTestApi();
	const answer = await fetch(`${api.url}/v2/pipeline`, {
		method: "OPTIONS",
		headers: { origin: "http://a.example", "access-control-request-method": "POST" },
	});
	expect(answer.status).toBe(204);
	expect(answer.headers.get("access-control-allow-origin")).toBe("*");
	expect(answer.headers.get("access-control-allow-headers")).toContain("idempotency-key");
});

test("POST /cluster/format changes the log format, and takes no other", async () => {
	await using api = await startTestApi();
	expect((await api.post("/cluster/format", { format: "statement" })).body).toMatchObject({
		format: "statement",
		index: 9,
	});
	for (const body of [{}, { format: "braid" }, { format: "row", at: 3 }, null])
		expect((await api.post("/cluster/format", body)).status).toBe(400);
});

test("POST /cluster/acknowledgement changes the mode of writes that name none, and takes no other", async () => {
	await using api = await startTestApi();
	expect((await api.post("/cluster/acknowledgement", { acknowledgement: "semi-sync; k=2" })).body).toEqual({
		acknowledgement: "semi-sync;k=2",
		index: 9,
	});
	for (const body of [{}, { acknowledgement: "soon" }, { acknowledgement: "sync", at: 3 }, null])
		expect((await api.post("/cluster/acknowledgement", body)).status).toBe(400);
});

test("POST /explain says how statements would be logged, for a database and a format", async () => {
	await using api = await startTestApi();
	const sql = "delete from t";
	const answer = await api.post("/explain", { sql });
	expect(answer.body).toEqual({ format: "row", statements: [{ sql, logged: "rows", reasons: ["a test"] }] });
	expect((await api.post("/db/default/explain", { sql, format: "statement" })).body["format"]).toBe(
		"statement",
	);
	for (const body of [{}, { sql: 3 }, { sql, format: "braid" }, { sql, args: [] }, "delete"])
		expect((await api.post("/explain", body)).status).toBe(400);
	expect((await api.post("/db/other/explain", { sql })).status).toBe(404);
});

test("operations", async () => {
	await using api = await startTestApi();
	const get = async (path: string) => answerOf(await fetch(api.url + path));
	expect((await get("/")).text).toContain("node n1");
	expect((await get("/health")).body).toEqual({ status: "ok" });
	expect((await get("/version")).body).toEqual({ version: "1.2.3" });
	expect((await get("/v2")).status).toBe(200);
	expect((await get("/db/default/v3")).status).toBe(200);
	expect((await get("/cluster")).body["node"]).toBe("n1");
	expect((await get("/ready")).status).toBe(200);
	api.service.setReadiness(false, "no leader is known");
	const ready = await get("/ready");
	expect([ready.status, ready.body["message"]]).toEqual([503, "no leader is known"]);
	expect((await api.post("/cluster/transfer", { to: "n3" })).body["leader"]).toBe("n3");
	expect(
		(await answerOf(await fetch(`${api.url}/cluster/transfer`, { method: "POST" }))).body["leader"],
	).toBe("n2");
	expect((await api.post("/cluster/transfer", { to: 3 })).status).toBe(400);
	const misspelt = await api.post("/cluster/transfer", { target: "n3" });
	expect(misspelt.status).toBe(400);
	expect(misspelt.body["message"]).toContain(`unknown field "target"`);
});

test("stopping: what is in flight is answered, kept connections are told, then nobody listens", async () => {
	const api = await startTestApi({ drainMs: 300 });
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	const get = (): Promise<{ status: number | undefined; connection: string | undefined }> =>
		new Promise((resolve, reject) => {
			httpRequest(`${api.url}/health`, { agent }, (response) => {
				response.resume();
				resolve({ status: response.statusCode, connection: response.headers.connection });
			})
				.on("error", reject)
				.end();
		});
	expect((await get()).connection).toBe("keep-alive");
	const letGo = api.service.hold();
	const running = api.post("/sql", { sql: "SELECT 1" });
	await expect.poll(() => api.service.programs.length).toBe(1);
	const stopped = api.api.close();
	// On the connection from before: received, so answered.
	expect(await get()).toEqual({ status: 200, connection: "close" });
	// A new connection finds nobody.
	await expect(fetch(`${api.url}/health`)).rejects.toThrow();
	await new Promise((resolve) => setTimeout(resolve, 400));
	letGo();
	expect((await running).status).toBe(200);
	await stopped;
	expect(api.service.openStreams()).toBe(0);
	await api.api.close();
});

test("stopping closes streams that hold a transaction", async () => {
	const api = await startTestApi();
	await api.pipeline([{ type: "execute", stmt: { sql: "BEGIN" } }]);
	expect(api.service.openStreams()).toBe(1);
	await api.api.close();
	expect(api.service.openStreams()).toBe(0);
});

test.each([
	["NO_LEADER", 503],
	["LEADERSHIP_LOST", 503],
	["TIMEOUT", 504],
	["OVERLOADED", 503],
	["DISK_FULL", 507],
	["UNSUPPORTED_SQL", 400],
	["PAYLOAD_TOO_LARGE", 413],
	["TRANSACTION_TIMEOUT", 400],
	["SQLITE_CONSTRAINT", 400],
])("%s is status %i", async (code, status) => {
	await using api = await startTestApi();
	api.service.failNext(new SkeinError("so it is", { code, outcome: "unknown" }));
	const answer = await api.post("/sql", { sql: "SELECT 1" });
	expect(answer.status).toBe(status);
	expect(answer.body).toEqual({ message: "so it is", code, outcome: "unknown" });
});
