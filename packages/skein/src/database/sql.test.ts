// What is known of a statement before SQLite sees it; SQLite itself is the judge where it can be asked.
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bind } from "./arguments.ts";
import type { StatementKind } from "./parsed-statement.ts";
import type { Statement, Value } from "./program.ts";
import { parseStatement, splitStatements } from "./sql.ts";
import { nextToken } from "./sql-tokens.ts";

function tokens(sql: string): string[] {
	const found: string[] = [];
	for (let token = nextToken(sql, 0); token !== null; token = nextToken(sql, token.end))
		found.push(`${token.type}:${token.text}`);
	return found;
}

test.each<[sql: string, expected: string[]]>([
	["select 'it''s; fine'", ["word:SELECT", "string:it's; fine"]],
	[
		'"a""b" [c]]d] `e``f`',
		['quoted:a"b', "quoted:c", "punctuation:]", "word:D", "punctuation:]", "quoted:e`f"],
	],
	["x'00ff' X'AA' x", ["string:00ff", "string:AA", "word:X"]],
	["-- ; a\n;/* ; */;", ["punctuation:;", "punctuation:;"]],
	["a-- no end", ["word:A"]],
	["a/* no end", ["word:A"]],
	[
		"?1 ? :a @b $c $d::e",
		["variable:?1", "variable:?", "variable::a", "variable:@b", "variable:$c", "variable:$d::e"],
	],
	[
		"1e-5+2 0x1F .5 1_000",
		["number:1e-5", "punctuation:+", "number:2", "number:0x1F", "number:.5", "number:1_000"],
	],
	["été$1", ["word:éTé$1"]],
	["'never ends", ["string:never ends"]],
])("tokens of %s", (sql, expected) => {
	expect(tokens(sql)).toEqual(expected);
});

const trigger =
	"CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN 1 THEN 2 END; SELECT 1; END";

test.each<[script: string, statements: string[]]>([
	["", []],
	[";;  -- nothing\n;", []],
	["select 1; select 2;", ["select 1", "select 2"]],
	[" ; ;; -- only a comment;\n /* ; */", []],
	["select ';' ; select \";\", `;`, [;] ;", ["select ';'", 'select ";", `;`, [;]']],
	["select 'it''s;'; select 2", ["select 'it''s;'", "select 2"]],
	["select 1 -- a;\n; select 2", ["select 1 -- a;", "select 2"]],
	["select 'never closed; select 2", ["select 'never closed; select 2"]],
	["create table trigger_log (a); select 1", ["create table trigger_log (a)", "select 1"]],
	[`${trigger}; select 1`, [trigger, "select 1"]],
	[`EXPLAIN ${trigger}; select 1`, [`EXPLAIN ${trigger}`, "select 1"]],
	[
		trigger.replace("TRIGGER", "TEMP TRIGGER IF NOT EXISTS"),
		[trigger.replace("TRIGGER", "TEMP TRIGGER IF NOT EXISTS")],
	],
	["create table trigger (begin, end); select 1", ["create table trigger (begin, end)", "select 1"]],
	["begin; select case when 1 then 2 end; end", ["begin", "select case when 1 then 2 end", "end"]],
	[
		"create trigger g after insert on t begin select new.end; end; select 2",
		["create trigger g after insert on t begin select new.end; end", "select 2"],
	],
])("statements of %s", (script, statements) => {
	expect(splitStatements(script)).toEqual(statements);
});

test("a script of statements with strings, names and comments is cut where they were joined", () => {
	const piece = fc.oneof(
		fc.constantFrom(
			"select 1",
			"insert into t values ('a;b')",
			'select ";"',
			"select /* ; */ 2",
			"select [;]",
			trigger,
		),
		fc.string().map((text) => `select '${text.replaceAll("'", "''").replaceAll("\0", "")}'`),
	);
	fc.assert(
		fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
			expect(splitStatements(pieces.join(" ;\n"))).toEqual(pieces);
		}),
	);
});

test.each([
	"delete from t\0 where id = 1",
	"select 1\0",
	"-- \0\nselect 1",
	"select '\ud800'",
	"select 1 as \udc00",
])("%j is not what SQLite would read", (sql) => {
	expect(parseStatement(sql).problem?.code).toBe("BAD_REQUEST");
});

test.each<[sql: string, kind: StatementKind]>([
	["select 1", "read"],
	["values (1)", "read"],
	["-- comment\n select 1", "read"],
	["explain delete from t", "read"],
	["explain query plan select 1", "read"],
	["with a as (select 1) select * from a", "read"],
	["with a(x) as (select 1), b as (values (2)) insert into t select * from a", "write"],
	["with recursive a as (select 1) update t set a = 1", "write"],
	["with a as materialized (select 1) delete from t", "write"],
	["with a as (select 1) replace into t select 1", "write"],
	["insert into t values (1) returning *", "write"],
	["replace into t values (1)", "write"],
	["create table x (a)", "schema"],
	["drop table x", "schema"],
	["alter table x add b", "schema"],
	["analyze", "schema"],
	["reindex", "schema"],
	["begin", "begin"],
	["commit transaction", "commit"],
	["END", "commit"],
	["rollback", "rollback"],
	["rollback transaction to savepoint a", "rollback-to"],
	["rollback to a", "rollback-to"],
	["savepoint a", "savepoint"],
	["release savepoint a", "release"],
	["release a", "release"],
	["pragma table_info(t)", "read"],
	["pragma main.table_info('t')", "read"],
	["pragma user_version", "read"],
	["pragma user_version = 5", "pragma-write"],
	["PRAGMA main.user_version=5", "pragma-write"],
	["pragma application_id(7)", "pragma-write"],
	["pragma foreign_keys", "read"],
	["pragma foreign_keys = off", "pragma-foreign-keys"],
	["pragma defer_foreign_keys = on", "pragma-foreign-keys"],
	["pragma busy_timeout = 5000", "no-op"],
	["pragma cache_size = -64000", "no-op"],
])("the kind of %s", (sql, kind) => {
	expect(parseStatement(sql)).toMatchObject({ kind, problem: null });
});

test.each([
	["begin", "deferred"],
	["begin deferred transaction", "deferred"],
	["BEGIN IMMEDIATE", "immediate"],
	["begin exclusive transaction", "exclusive"],
	["BEGIN TRANSACTION READONLY", "readonly"],
])("the mode of %s", (sql, mode) => {
	expect(parseStatement(sql).beginMode).toBe(mode);
});

test.each([
	['savepoint "A b"', "a b"],
	["release savepoint [X]", "x"],
	["rollback transaction to savepoint 'y'", "y"],
	["rollback to É -- undo", "É"],
	["release É /* done */", "É"],
])("the name in %s", (sql, name) => {
	expect(parseStatement(sql).savepoint).toBe(name);
});

test.each([
	["", "SQL_NO_STATEMENT"],
	["-- nothing", "SQL_NO_STATEMENT"],
	["select 1; select 2", "SQL_MANY_STATEMENTS"],
])("%s is no one statement", (sql, code) => {
	expect(parseStatement(sql).problem?.code).toBe(code);
});

test.each([
	["on", true],
	["1", true],
	["2", true],
	["'yes'", true],
	["true", true],
	["off", false],
	["0", false],
	["false", false],
	["nonsense", false],
])("PRAGMA foreign_keys = %s as SQLite reads it", (value, on) => {
	const database = new DatabaseSync(":memory:");
	database.exec(`pragma foreign_keys = ${value}`);
	expect(database.prepare("pragma foreign_keys").get()?.["foreign_keys"]).toBe(on ? 1 : 0);
	expect(parseStatement(`pragma foreign_keys = ${value}`).foreignKeys).toBe(on);
});

const parameter = fc.constantFrom("?", "?1", "?3", "?7", ":a", "@a", "$a", ":b", ":A");

/** What SQLite binds to each number when it is asked by number, as its C interface does. */
test("arguments reach the parameters that SQLite gives their numbers", () => {
	const database = new DatabaseSync(":memory:");
	fc.assert(
		fc.property(fc.array(parameter, { minLength: 1, maxLength: 6 }), (parameters) => {
			const sql = `select ${parameters.join(", ")}`;
			const parsed = parseStatement(sql).parameters;
			const values = parsed.map((_, place) => BigInt(place + 1));
			const expected = numbersOf(parameters).map(BigInt);
			expect(run(database, sql, statementWith({ arguments: values }))).toEqual(expected);
			const named = parsed.map((name, place) => ({
				name: name ?? `?${place + 1}`,
				value: BigInt(place + 1),
			}));
			expect(run(database, sql, statementWith({ namedArguments: named }))).toEqual(expected);
		}),
	);
});

/** https://sqlite.org/lang_expr.html#parameters */
function numbersOf(parameters: readonly string[]): number[] {
	const names = new Map<string, number>();
	let highest = 0;
	return parameters.map((text) => {
		const number =
			text === "?" ? highest + 1 : (names.get(text) ?? Number(/^\?(\d+)/.exec(text)?.[1] ?? highest + 1));
		if (text !== "?") names.set(text, number);
		highest = Math.max(highest, number);
		return number;
	});
}

function statementWith(some: Partial<Statement>): Statement {
	return { sql: "", arguments: [], namedArguments: [], wantRows: true, ...some };
}

function run(database: DatabaseSync, sql: string, statement: Statement): Value[] {
	const bound = bind(statement, parseStatement(sql).parameters, false);
	if (!bound.ok) throw new Error(bound.failure.message);
	const prepared = database.prepare(sql);
	prepared.setReturnArrays(true);
	prepared.setReadBigInts(true);
	prepared.setAllowBareNamedParameters(false);
	const row =
		bound.named === null ? prepared.get(...bound.anonymous) : prepared.get(bound.named, ...bound.anonymous);
	return row as unknown as Value[];
}

test("values come back as they went in", () => {
	const database = new DatabaseSync(":memory:");
	const value = fc.oneof(
		fc.constant(null),
		fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
		fc.double({ noNaN: true }),
		fc.string({ unit: "grapheme" }),
		fc.uint8Array(),
	);
	fc.assert(
		fc.property(value, (sent) => {
			const [back] = run(database, "select ?", statementWith({ arguments: [sent] }));
			expect(back).toEqual(sent);
		}),
	);
});

test.each<[name: string, sql: string, some: Partial<Statement>, code: string]>([
	["too few", "select ?, ?", { arguments: [1n] }, "ARGS_INVALID"],
	["too many", "select ?", { arguments: [1n, 2n] }, "ARGS_INVALID"],
	["an unknown name", "select :a", { namedArguments: [{ name: "b", value: 1n }] }, "ARGS_INVALID"],
	["another sigil", "select :a", { namedArguments: [{ name: "@a", value: 1n }] }, "ARGS_INVALID"],
	["one missing", "select :a, :b", { namedArguments: [{ name: "a", value: 1n }] }, "ARGS_INVALID"],
	[
		"both",
		"select ?",
		{ arguments: [1n], namedArguments: [{ name: "a", value: 1n }] },
		"ARGS_BOTH_POSITIONAL_AND_NAMED",
	],
])("arguments: %s", (_name, sql, some, code) => {
	const bound = bind(statementWith(some), parseStatement(sql).parameters, false);
	expect(bound.ok ? null : bound.failure.code).toBe(code);
});

test("a name without a sigil fits any", () => {
	const database = new DatabaseSync(":memory:");
	const named = [
		{ name: "a", value: 1n },
		{ name: "b", value: 2n },
		{ name: "$c", value: 3n },
	];
	expect(run(database, "select :a, @b, $c", statementWith({ namedArguments: named }))).toEqual([1n, 2n, 3n]);
});

// By the tokens kept, not by time: a text of megabytes must not become millions of objects on the event loop.
test("behind numbers and operators in a row, parameters and refusals are still seen", () => {
	const sum = `select ${"1+".repeat(100)}`;
	expect(parseStatement(`${sum}:a+:a+?`)).toMatchObject({ problem: null, parameters: [":a", null] });
	expect(parseStatement(`${sum}load_extension('x')`).problem?.code).toBe("UNSUPPORTED_SQL");
	expect(parseStatement(`insert into t select ${"1+".repeat(100)}x from skein_y`).problem?.code).toBe(
		"UNSUPPORTED_SQL",
	);
});
