// Equal databases have equal digests however they came to be; every difference that a client could see shows.
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { digestDatabase } from "./digest.ts";

function databaseOf(...statements: readonly string[]): DatabaseSync {
	const connection = new DatabaseSync(":memory:");
	connection.enableDefensive(false);
	for (const statement of statements) connection.exec(statement);
	return connection;
}

function digestOf(...statements: readonly string[]): string {
	const connection = databaseOf(...statements);
	try {
		return digestDatabase(connection).sha256;
	} finally {
		connection.close();
	}
}

const values = [
	"NULL",
	"0",
	"0.0",
	"-0.0",
	"''",
	"x''",
	"1",
	"1.0",
	"'1'",
	"'1.0'",
	"x'31'",
	"'a'",
	"'A'",
	"'a' || char(0)",
	"'a' || char(0) || 'b'",
	"CAST(x'ff' AS TEXT)",
	"CAST(x'fe' AS TEXT)",
	"x'ff'",
	"9e999",
	"-9e999",
	"0.1",
	"0.1 + 0.2",
	"0.3",
	"9223372036854775807",
	"9223372036854775806",
	"9223372036854775807.0",
	"zeroblob(70000)",
	"zeroblob(70001)",
	"CAST(zeroblob(70000) AS TEXT)",
];

test("every value has a digest of its own, wherever it is kept", () => {
	const tables = [
		"CREATE TABLE t (v)",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, v)",
		"CREATE TABLE t (k, v, PRIMARY KEY (k)) WITHOUT ROWID",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY) STRICT",
		"CREATE TABLE t (a, v, b AS (v) STORED)",
	];
	for (const table of tables) {
		const digests = values.map((value) =>
			digestOf(
				table,
				`INSERT INTO t (${table.includes("(k") ? "k, v" : "v"}) VALUES (${table.includes("(k") ? "1, " : ""}${value})`,
			),
		);
		expect(new Set(digests).size, table).toBe(values.length);
	}
});

test("a value and its neighbour cannot be mistaken for another pair", () => {
	const pairs = ["'ab', 'c'", "'a', 'bc'", "'abc', ''", "'', 'abc'", "NULL, 'abc'", "'abc', NULL"];
	const digests = pairs.map((pair) => digestOf("CREATE TABLE t (a, b)", `INSERT INTO t VALUES (${pair})`));
	expect(new Set(digests).size).toBe(pairs.length);
});

const base = [
	"CREATE TABLE t (x, y)",
	"CREATE TABLE o (id INTEGER PRIMARY KEY AUTOINCREMENT, x)",
	"INSERT INTO t VALUES (1, 2), (3, 4)",
	"INSERT INTO o (x) VALUES (1), (2)",
];

test.each([
	["a rowid", "UPDATE t SET rowid = 9 WHERE x = 3"],
	["a row less", "DELETE FROM t WHERE x = 3"],
	["a row twice", "INSERT INTO t SELECT * FROM t WHERE x = 3"],
	["two rows swapped", "UPDATE t SET x = 4 - x, y = 6 - y"],
	["a row in another table", "INSERT INTO o (id, x) VALUES (0, 0)"],
	["the last AUTOINCREMENT id", "UPDATE sqlite_sequence SET seq = 77"],
	["an index", "CREATE INDEX i ON t (x)"],
	["a trigger", "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END"],
	["a view", "CREATE VIEW v AS SELECT 1"],
	["an empty table", "CREATE TABLE e (x)"],
	["a column's name", "ALTER TABLE t RENAME COLUMN y TO z"],
	["user_version", "PRAGMA user_version = 5"],
	["application_id", "PRAGMA application_id = 5"],
	["full-text content", "CREATE VIRTUAL TABLE f USING fts5 (x)", "INSERT INTO f VALUES ('goose')"],
])("%s shows", (_name, ...statements) => {
	expect(digestOf(...base, ...statements)).not.toBe(digestOf(...base));
	expect(digestOf(...base, ...statements)).not.toBe(digestOf(...base, ...statements.slice(0, -1)));
});

test("the way to the same content does not matter, nor where its pages are", () => {
	const fresh = digestOf(
		"CREATE TABLE a (k TEXT COLLATE NOCASE, n, PRIMARY KEY (n DESC, k)) WITHOUT ROWID",
		"CREATE TABLE b (x)",
		"CREATE INDEX a_n ON a (n)",
		"INSERT INTO a VALUES ('b', 1), ('C', 1), ('a', 2)",
		"INSERT INTO b (rowid, x) VALUES (5, 'five'), (7, 'seven')",
	);
	const used = digestOf(
		"PRAGMA page_size = 512",
		"CREATE TABLE gone (x)",
		"INSERT INTO gone VALUES (zeroblob(100000))",
		"CREATE TABLE b (x)",
		"CREATE TABLE a (k TEXT COLLATE NOCASE, n, PRIMARY KEY (n DESC, k)) WITHOUT ROWID",
		"INSERT INTO b (rowid, x) VALUES (7, 'other'), (6, zeroblob(50000)), (5, 'five')",
		"INSERT INTO a VALUES ('a', 2), ('C', 1), ('x', 9), ('b', 1)",
		"CREATE INDEX a_n ON a (n)",
		"DELETE FROM a WHERE k = 'x'",
		"DELETE FROM b WHERE rowid = 6",
		"UPDATE b SET x = 'seven' WHERE rowid = 7",
		"DROP TABLE gone",
	);
	expect(used).toBe(fresh);
});

test("what ANALYZE found has no order", () => {
	const analyzed = [...base, "CREATE INDEX i ON t (x)", "CREATE INDEX j ON t (y)", "ANALYZE"];
	const moved = "UPDATE sqlite_stat1 SET rowid = 100 - rowid";
	expect(digestOf(...analyzed, moved)).toBe(digestOf(...analyzed));
	expect(digestOf(...analyzed, "UPDATE sqlite_stat1 SET stat = '9 9'")).not.toBe(digestOf(...analyzed));
});

test("the table that differs is named; a schema that differs is told apart from rows", () => {
	const one = databaseOf(...base);
	const other = databaseOf(...base, "UPDATE t SET y = 2.0 WHERE x = 1");
	const third = databaseOf(...base, "CREATE INDEX i ON t (x)");
	const [a, b, c] = [one, other, third].map(digestDatabase);
	expect(a?.tables.map(({ name, rows }) => [name, rows])).toEqual([
		["o", 2],
		["sqlite_sequence", 1],
		["t", 2],
	]);
	const differing = a?.tables.filter((table, place) => table.sha256 !== b?.tables[place]?.sha256);
	expect(differing?.map(({ name }) => name)).toEqual(["t"]);
	expect(b?.schemaSha256).toBe(a?.schemaSha256);
	expect(c?.schemaSha256).not.toBe(a?.schemaSha256);
	expect(c?.tables).toEqual(a?.tables);
	for (const connection of [one, other, third]) connection.close();
});

test("wide tables, odd names, hidden rowids, and columns that cannot be computed", () => {
	const names = Array.from({ length: 1_990 }, (_, place) => `c${place}`);
	const wide = `CREATE TABLE wide (${names.join(", ")})`;
	const rows = ["INSERT INTO wide (c0) VALUES (1), (2)"];
	expect(digestOf(wide, ...rows, "UPDATE wide SET c1989 = 1 WHERE c0 = 2")).not.toBe(digestOf(wide, ...rows));
	const odd = 'CREATE TABLE "o""dd" ("a b", rowid, "select")';
	const insert = (rowid: number): string =>
		`INSERT INTO "o""dd" (_rowid_, "a b", rowid, "select") VALUES (${rowid}, 1, 2, -9223372036854775808)`;
	const bad = 'ALTER TABLE "o""dd" ADD COLUMN bad AS (abs("select"))';
	expect(digestOf(odd, insert(1), bad)).not.toBe(digestOf(odd, insert(2), bad));
});

test("it sees the state of the open transaction, and leaves none open that it began", () => {
	const connection = databaseOf(...base);
	const before = digestDatabase(connection).sha256;
	expect(connection.isTransaction).toBe(false);
	connection.exec("BEGIN; DELETE FROM t");
	expect(digestDatabase(connection).sha256).not.toBe(before);
	expect(connection.isTransaction).toBe(true);
	connection.exec("ROLLBACK");
	expect(digestDatabase(connection).sha256).toBe(before);
	connection.close();
});
