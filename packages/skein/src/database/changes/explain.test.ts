// What is told of a statement, of every kind, and that it is what then happens.
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { guardConnection } from "../connection.ts";
import { explainLogging } from "./explain.ts";

function explain(sql: string, format: "row" | "statement" = "statement") {
	const connection = new DatabaseSync(":memory:");
	connection.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)");
	return explainLogging(connection, guardConnection(connection), format, sql);
}

test.each([
	["update t set n = n + 1", "statement", "in whatever order"],
	["update t set n = random()", "rows", "random"],
	["create table u (x)", "schema", "every format"],
	["create table u as select * from t", "rows", "asked once"],
	["pragma user_version = 3", "schema", "header"],
	["select * from t", "nothing", "only reads"],
	["commit", "nothing", "as a whole"],
	["pragma cache_size = 3", "nothing", "nothing in the database"],
	["vacuum", "refused", "VACUUM is refused"],
	["update absent set n = 1", "refused", "no such table"],
	["delete from sqlite_schema", "refused", "may not be modified"],
] as const)("%s: %s", (sql, logged, reason) => {
	const { format, statements } = explain(sql);
	expect(format).toBe("statement");
	expect(statements).toEqual([{ sql, logged, reasons: expect.any(Array) }]);
	expect(statements[0]?.reasons.join()).toContain(reason);
});

test("several statements, in either format", () => {
	const sql = "update t set n = 1; select 1;\n delete from t";
	expect(explain(sql).statements.map(({ logged }) => logged)).toEqual(["statement", "nothing", "statement"]);
	const rows = explain(sql, "row").statements;
	expect(rows.map(({ logged }) => logged)).toEqual(["rows", "nothing", "rows"]);
	expect(rows[0]?.reasons).toEqual(["the log format is row"]);
});

test("nothing runs", () => {
	const connection = new DatabaseSync(":memory:");
	connection.exec("CREATE TABLE t (n); INSERT INTO t VALUES (1)");
	explainLogging(
		connection,
		guardConnection(connection),
		"statement",
		"delete from t; drop table t; create table u (x)",
	);
	expect(connection.prepare("SELECT n FROM t").all()).toHaveLength(1);
});
