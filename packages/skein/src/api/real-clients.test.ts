// The real @libsql/client against the API: what each of its calls sends is answered as it expects.
import { createClient, LibsqlError } from "@libsql/client";
import { expect, test } from "vitest";
import { startTestApi } from "./testing/test-api.ts";

test("execute: values keep their types", async () => {
	await using api = await startTestApi();
	const client = createClient({ url: api.url, intMode: "bigint" });
	await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, s TEXT, b BLOB)");
	const inserted = await client.execute({
		sql: "INSERT INTO t VALUES (?, ?, ?, ?)",
		args: [9007199254740993n, 1, "Akka — 雁", new Uint8Array([0, 255, 7])],
	});
	expect(inserted.rowsAffected).toBe(1);
	expect(inserted.lastInsertRowid).toBe(9007199254740993n);
	const { rows, columns, columnTypes } = await client.execute(
		"SELECT id, r, typeof(r) AS k, s, b, NULL AS n FROM t",
	);
	expect(columns).toEqual(["id", "r", "k", "s", "b", "n"]);
	expect(columnTypes).toEqual(["INTEGER", "REAL", "", "TEXT", "BLOB", ""]);
	expect(rows[0]?.["id"]).toBe(9007199254740993n);
	expect(rows[0]?.["r"]).toBe(1);
	expect(rows[0]?.["k"]).toBe("real");
	expect(rows[0]?.["s"]).toBe("Akka — 雁");
	expect(new Uint8Array(rows[0]?.["b"] as ArrayBuffer)).toEqual(new Uint8Array([0, 255, 7]));
	expect(rows[0]?.["n"]).toBe(null);
	expect(api.service.programs).toHaveLength(3);
	expect(api.service.openStreams()).toBe(0);
});

test("a constraint that fails has SQLite's base name and own words", async () => {
	await using api = await startTestApi();
	const client = createClient({ url: api.url });
	await client.execute("CREATE TABLE t (a UNIQUE)");
	await client.execute("INSERT INTO t VALUES (1)");
	const error = await client.execute("INSERT INTO t VALUES (1)").catch((each: unknown) => each);
	expect(error).toBeInstanceOf(LibsqlError);
	expect((error as LibsqlError).code).toBe("SQLITE_CONSTRAINT");
	expect((error as LibsqlError).message).toContain("UNIQUE constraint failed: t.a");
});

test("batch is one program, and all or nothing", async () => {
	await using api = await startTestApi();
	const client = createClient({ url: api.url });
	const results = await client.batch(
		[
			"CREATE TABLE t (a UNIQUE)",
			{ sql: "INSERT INTO t VALUES (:a)", args: { ":a": "x" } },
			"SELECT a FROM t",
		],
		"write",
	);
	expect(results[2]?.rows[0]?.["a"]).toBe("x");
	expect(api.service.programs).toHaveLength(1);
	await expect(
		client.batch(["INSERT INTO t VALUES ('y')", "INSERT INTO t VALUES ('x')"], "write"),
	).rejects.toThrow(/UNIQUE/);
	expect((await client.execute("SELECT count(*) AS n FROM t")).rows[0]?.["n"]).toBe(1);
});

test("an interactive transaction holds its stream, commits and rolls back", async () => {
	await using api = await startTestApi();
	const client = createClient({ url: api.url });
	await client.execute("CREATE TABLE t (a)");
	const kept = await client.transaction("write");
	await kept.execute("INSERT INTO t VALUES (1)");
	await kept.batch(["INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)"]);
	await kept.executeMultiple("INSERT INTO t VALUES (4); INSERT INTO t VALUES (';')");
	await kept.commit();
	const dropped = await client.transaction("deferred");
	await dropped.execute("DELETE FROM t");
	await dropped.rollback();
	const forgotten = await client.transaction("write");
	await forgotten.execute("DELETE FROM t");
	forgotten.close();
	expect((await client.execute("SELECT count(*) AS n FROM t")).rows[0]?.["n"]).toBe(5);
	expect(api.service.openStreams()).toBe(0);
});

test("executeMultiple and migrate", async () => {
	await using api = await startTestApi();
	const client = createClient({ url: api.url });
	await client.executeMultiple(`
		CREATE TABLE t (a); -- one; two
		CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET a = 'end;'; SELECT CASE WHEN 1 THEN 2 END; END;
		INSERT INTO t VALUES ('x');`);
	expect((await client.execute("SELECT a FROM t")).rows[0]?.["a"]).toBe("end;");
	await client.migrate(["CREATE TABLE p (id INTEGER PRIMARY KEY)", "ALTER TABLE t ADD COLUMN b"]);
	expect((await client.execute("SELECT * FROM t")).columns).toEqual(["a", "b"]);
	expect(api.service.openStreams()).toBe(0);
});

test("a client that was idle longer than a stream lives goes on", async () => {
	await using api = await startTestApi({ streamIdleMs: 20 });
	const client = createClient({ url: api.url });
	await client.execute("SELECT 1");
	await new Promise((resolve) => setTimeout(resolve, 60));
	expect((await client.execute("SELECT 2 AS two")).rows[0]?.["two"]).toBe(2);
	const transaction = await client.transaction("write");
	await transaction.execute("SELECT 1");
	await new Promise((resolve) => setTimeout(resolve, 60));
	await expect(transaction.execute("SELECT 1")).rejects.toMatchObject({ code: "STREAM_EXPIRED" });
	expect(api.service.openStreams()).toBe(0);
});

test("under a base path for the database", async () => {
	await using api = await startTestApi();
	const client = createClient({ url: `${api.url}/db/default/` });
	expect((await client.execute("SELECT 1 AS one")).rows[0]?.["one"]).toBe(1);
	const other = createClient({ url: `${api.url}/db/nobody/` });
	await expect(other.execute("SELECT 1")).rejects.toMatchObject({ code: "NOT_FOUND" });
});
