// POST /sql: what somebody with curl sends and reads.
import { expect, test } from "vitest";
import { startTestApi } from "./testing/test-api.ts";

test("one statement", async () => {
	await using api = await startTestApi();
	await api.post("/sql", { sql: "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)" });
	const inserted = await api.post("/sql", { sql: "INSERT INTO t (name) VALUES (?)", args: ["Akka"] });
	expect(inserted.headers.get("content-type")).toBe("application/json");
	expect(inserted.headers.get("skein-session")).toBe("1.2");
	expect(inserted.body).toEqual({ columns: [], rows: [], changes: 1, lastInsertRowid: 1, index: 2 });
	const selected = await api.post("/sql", { sql: "SELECT * FROM t WHERE id = :id", args: { ":id": 1 } });
	expect(selected.text).toBe(
		'{"columns":["id","name"],"rows":[[1,"Akka"]],"changes":0,"lastInsertRowid":null,"index":3}',
	);
});

test("an answer says what it reflects, how old that is at most, and what its session has seen", async () => {
	await using api = await startTestApi();
	const level = { "skein-consistency": "session", "skein-session": "3.42" };
	const read = await api.post("/sql", { sql: "SELECT 1" }, level);
	const headers = ["skein-session", "skein-index", "skein-staleness-ms", "skein-in-sync"].map((name) =>
		read.headers.get(name),
	);
	// This service is behind the token, as a transaction that holds its state may be: the session keeps what it had.
	expect(headers).toEqual(["3.42", "1", "4", "true"]);
	const written = await api.post("/sql", { sql: "CREATE TABLE t (a)" });
	expect(written.headers.get("skein-staleness-ms")).toBe(null);
	expect(written.headers.get("skein-in-sync")).toBe(null);
	await api.post("/sql", { sql: "SELECT 1" }, { "skein-consistency": "bounded;max-staleness-ms=250" });
	expect(api.service.programs.map(({ options }) => options.consistency)).toEqual([
		{ level: "session", token: { term: 3, index: 42 } },
		{ level: "linearizable" },
		{ level: "bounded", maxStalenessMs: 250 },
	]);
});

test("a write says when it is to be answered, else its node does", async () => {
	await using api = await startTestApi();
	for (const mode of ["async", "semi-sync", "semi-sync;k=2", "quorum", "sync", "sync;strict", "chain"])
		await api.post("/sql", { sql: "SELECT 1" }, { "skein-ack": mode });
	await api.post("/sql", { sql: "SELECT 1" });
	expect(api.service.programs.map(({ options }) => options.acknowledgement)).toEqual([
		{ mode: "async" },
		{ mode: "semi-sync", followers: 1 },
		{ mode: "semi-sync", followers: 2 },
		{ mode: "quorum" },
		{ mode: "sync", strict: false },
		{ mode: "sync", strict: true },
		{ mode: "chain" },
		null,
	]);
});

test("values", async () => {
	await using api = await startTestApi();
	const answer = await api.post("/sql", {
		sql: "SELECT typeof(?1), typeof(?2), ?3, ?4, ?5, ?6, typeof(?7), ?8",
		args: [1, 1.5, { base64: "AP8=" }, { integer: "9007199254740993" }, true, null, 1e300, -9007199254740991],
	});
	expect(answer.body["rows"]).toEqual([
		["integer", "real", { base64: "AP8=" }, "9007199254740993", 1, null, "real", -9007199254740991],
	]);
});

test.each([
	[{ sql: 1 }, "sql must be a string"],
	[{ sql: "SELECT 1", arg: [] }, "arg is not known"],
	[{ sql: "SELECT ?", args: [[1]] }, "args[0] must be"],
	[[{ sql: "SELECT 1" }, { sql: "SELECT :a", args: { a: { b: 1 } } }], "[1].args.a must be"],
	['{"sql": "SELECT ?", "args": [9007199254740993]}', "args[0] is beyond 2^53"],
	[[{ sql: "/* x */ COMMIT" }], "[0].sql begins or ends a transaction"],
	[[{ sql: "; rollback transaction" }], "[0].sql begins or ends a transaction"],
	["[3]", "[0] must be"],
	[{ sql: "BEGIN" }, "cannot stay open"],
	[{ sql: "SELECT 9e999" }, "JSON cannot carry"],
	[{ sql: "SELECT 1\0 + 1" }, "a NUL character"],
	[["CREATE TABLE t (a)", "SELECT '\ud800'"], "half of a surrogate pair"],
	[{ sql: "SELECT ?", args: ["x\udc00"] }, "args[0] holds half of a surrogate pair"],
])("%j is refused with: %s", async (body, message) => {
	await using api = await startTestApi();
	const answer = await api.post("/sql", body);
	expect(answer.status).toBe(400);
	expect(answer.body["message"]).toContain(message);
	expect(api.service.openStreams()).toBe(0);
});

test("an array is one transaction, and a failure takes all of it back", async () => {
	await using api = await startTestApi();
	const made = await api.post("/sql", [
		{ sql: "CREATE TABLE t (a UNIQUE)" },
		{ sql: "INSERT INTO t VALUES (?)", args: [1] },
	]);
	expect(made.body["results"]).toMatchObject([{ changes: 0 }, { changes: 1 }]);
	expect(api.service.programs).toHaveLength(1);
	const failed = await api.post("/sql", [
		{ sql: "INSERT INTO t VALUES (2)" },
		{ sql: "INSERT INTO t VALUES (1)" },
		{ sql: "INSERT INTO t VALUES (3)" },
	]);
	expect(failed.status).toBe(400);
	expect(failed.body).toEqual({
		message: "[1]: UNIQUE constraint failed: t.a",
		code: "SQLITE_CONSTRAINT",
		outcome: "did-not-happen",
		extendedCode: "SQLITE_CONSTRAINT_UNIQUE",
	});
	expect((await api.post("/sql", { sql: "SELECT count(*) FROM t" })).body["rows"]).toEqual([[1]]);
	expect((await api.post("/sql", [])).body).toEqual({ results: [] });
});

test("in an array: savepoints may be rolled back to, and comments in front cost nothing", async () => {
	await using api = await startTestApi();
	const answer = await api.post("/sql", [
		{ sql: "SAVEPOINT s" },
		{ sql: "CREATE TABLE gone (x)" },
		{ sql: "ROLLBACK TRANSACTION TO s" },
		// A pattern that can read these in many ways would try them all.
		{ sql: `${"/**/".repeat(40)}SELECT 1` },
	]);
	expect(answer.status).toBe(200);
});

test("more SQL, or more statements, than one request may bring is refused before it is read", async () => {
	await using api = await startTestApi();
	const long = `SELECT 1 -- ${"x".repeat(4 * 1024 * 1024)}`;
	const many = "SELECT 1;".repeat(20_001);
	for (const [path, body] of [
		["/sql", { sql: long }],
		["/sql", Array.from({ length: 20_001 }, () => ({ sql: "SELECT 1" }))],
	] as const) {
		const answer = await api.post(path, body);
		expect([answer.status, answer.body["code"]]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
	}
	const requests = [
		{ type: "sequence", sql: long },
		{ type: "execute", stmt: { sql: "SELECT 1" } },
	];
	const { body } = await api.post("/v2/pipeline", { requests });
	expect(body["results"]).toMatchObject([
		{ type: "error", error: { code: "PAYLOAD_TOO_LARGE" } },
		{ type: "error", error: { code: "PAYLOAD_TOO_LARGE" } },
	]);
	const sequence = await api.post("/v2/pipeline", { requests: [{ type: "sequence", sql: many }] });
	expect(sequence.body["results"]).toMatchObject([{ type: "error", error: { code: "PAYLOAD_TOO_LARGE" } }]);
	expect(api.service.programs).toEqual([]);
});
