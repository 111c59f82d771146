// What is made again of a lost transaction leaves what the transaction itself leaves, or nothing.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StatementInput } from "../../../../client/src/index.ts";
import { createLogFormats } from "../../database/changes/formats.ts";
import { notedTransaction } from "../../database/changes/noted-transaction.ts";
import { defaultDatabaseSettings } from "../../database/settings.ts";
import type { NotedChange } from "../../database/transaction-note.ts";
import { createWriter } from "../../database/writer.ts";
import { replayStatements } from "./replay-statements.ts";
import { createScratchSchema, schemaQuery } from "./scratch-schema.ts";

const setup = `
	create table goose (id integer primary key, name text, weight, unique (name));
	create table egg (nest text, place int, goose references goose on delete cascade, big generated always as (place > 9), primary key (nest, place)) without rowid;
	create table log (line, more default 'x');
	create table purse (id text primary key, amount);
	create table owner (name text primary key, code int unique) without rowid;
	create table thing (id integer primary key, owner int references owner (code) on update cascade on delete set null);
	create virtual table words using fts5 (text);
	insert into purse values ('a', 0);
	insert into owner values ('x', 1);
	insert into thing values (1, 1);
	insert into goose values (1, 'Akka', 4.0), (2, 'Yksi', null), (3, 'Kaksi', x'00ff');
	insert into egg (nest, place, goose) values ('a', 1, 1), ('a', 10, 2);
	insert into log values ('first', 1), ('second', 2)`;

let directory: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "skein-replay-"));
});

afterEach(() => {
	rmSync(directory, { recursive: true, force: true });
});

/** What a report tells of a transaction that came behind the setup. */
function lostChanges(sql: string): readonly NotedChange[] {
	const writer = createWriter({
		path: join(directory, "leader"),
		formats: createLogFormats(),
		settings: defaultDatabaseSettings,
		now: () => performance.now(),
	});
	try {
		writer.prepareToLead();
		const run = (text: string, isEarly: boolean): Uint8Array | null => {
			const steps = text.split(";").map((one) => ({
				condition: null,
				statement: { sql: one, arguments: [], namedArguments: [], wantRows: false },
			}));
			const note = {
				client: "n1/1",
				idempotencyKey: null,
				wallTimeMs: 0,
				acknowledgement: { mode: "async" },
			} as const;
			const [done] = writer.execute([
				{
					program: { steps },
					foreignKeys: true,
					interactive: false,
					idempotencyKey: isEarly ? "k" : null,
					note: isEarly ? note : null,
					receivedAtMs: 0,
					timeoutMs: 10_000,
				},
			]);
			expect(done?.outcome.errors.find((error) => error !== null)).toBe(undefined);
			return done?.payload ?? null;
		};
		run(setup, false);
		writer.commit({ index: 1, term: 1 });
		const payload = run(sql, true);
		const noted = payload === null ? null : notedTransaction(payload, true);
		if (noted === null) throw new Error("nothing is noted");
		// As it comes from the file.
		return JSON.parse(JSON.stringify(noted.changes)) as NotedChange[];
	} finally {
		writer.close();
	}
}

interface Plain extends Disposable {
	readonly connection: DatabaseSync;
	contents(): unknown;
	/** Null: it is done; else what failed, and nothing happened. */
	replay(changes: readonly NotedChange[]): string | null;
}

function plain(...texts: readonly string[]): Plain {
	const connection = new DatabaseSync(":memory:");
	for (const text of [setup, ...texts]) connection.exec(text);
	const columnsOf = (table: string): string[] =>
		connection
			.prepare("select name from pragma_table_xinfo(?) where hidden = 0 order by cid")
			.all(table)
			.map(({ name }) => String(name));
	return {
		connection,
		contents() {
			const tables = connection.prepare("select name, sql from sqlite_schema order by name").all();
			return tables.map((table) => {
				if (!String(table["sql"]).toLowerCase().startsWith("create table")) return table;
				const columns = columnsOf(String(table["name"]));
				const parts = columns.map((name) => `typeof(${name}) || quote(${name})`);
				return [
					table,
					connection
						.prepare(`select ${parts.join(" || ")} as row from ${String(table["name"])} order by 1`)
						.all(),
				];
			});
		},
		replay(changes) {
			connection.exec("begin");
			try {
				const statements = connection.prepare(schemaQuery).all();
				using schema = createScratchSchema(statements.map((one) => String(one["sql"])));
				for (const { sql, args } of replayStatements(changes, schema))
					run(connection, { sql, ...(args && { args }) });
				connection.exec("commit");
				return null;
			} catch (error) {
				if (connection.isTransaction) connection.exec("rollback");
				return String(error);
			}
		},
		[Symbol.dispose]: () => connection.close(),
	};
}

function run(connection: DatabaseSync, { sql, args = [] }: StatementInput): void {
	if (!(args instanceof Array)) throw new Error("arguments by name");
	const bound = args.map((argument) => {
		// As the client binds it.
		const isInteger = Number.isSafeInteger(argument) && !Object.is(argument, -0);
		return (isInteger ? BigInt(argument as number) : argument) as SQLInputValue;
	});
	connection.prepare(sql).all(...bound);
}

const transactions: Readonly<Record<string, string>> = {
	inserts:
		"insert into goose values (7, 'Kolme', 1.0), (8, 'Neljä', 9223372036854775807), (9, null, -0.0), (10, null, 9e999)",
	"bytes, text that is none, and the empty":
		"insert into goose values (7, '', x''), (8, cast(x'ff00' as text), 1e300)",
	updates:
		"update goose set weight = null where id = 1; update goose set name = 'Nelja', weight = 0.5 where id = 2",
	"a key that changes": "update egg set nest = 'b' where place = 10; update goose set id = 20 where id = 3",
	"deletes, with what hangs on it": "delete from goose where id < 3",
	"parents that come after their children":
		"insert into goose (id) values (50); insert into egg (nest, place, goose) values ('c', 1, 50)",
	"a column, and rows that have it":
		"alter table goose add column age; update goose set age = 4 where id = 1; insert into goose (id, age) values (9, 1)",
	"a parent's key that its children refer to":
		"update owner set code = 2 where name = 'x'; insert into owner values ('y', 3)",
	"a table, and rows in it":
		"create table feather (colour text primary key, n); insert into feather values ('grey', 1), ('white', 2.0); create table down (id integer primary key, n); insert into down values (1, 'soft')",
	"an index and a column":
		"create index by_weight on goose (weight); alter table goose add column age int default 3",
};

test.each(Object.keys(transactions))("%s", (name) => {
	const sql = transactions[name] ?? "";
	const changes = lostChanges(sql);
	using want = plain("pragma foreign_keys = on", sql);
	using got = plain("pragma foreign_keys = on");
	expect(got.replay(changes)).toBe(null);
	expect(got.contents()).toEqual(want.contents());
	// What is there already is let be.
	if (changes.some(({ operation }) => operation === "sql")) return;
	expect(got.replay(changes)).toBe(null);
	expect(got.contents()).toEqual(want.contents());
});

test.each([
	[
		"an update of a row that was changed",
		"update goose set weight = 5 where id = 1",
		"update goose set weight = 6 where id = 1",
	],
	[
		"an update of a row that is gone",
		"update goose set weight = 5 where id = 3",
		"delete from goose where id = 3",
	],
	[
		"a delete of a row that was changed",
		"delete from goose where id = 3",
		"update goose set weight = 6 where id = 3",
	],
	[
		"an insert where there is another row",
		"insert into goose values (7, 'Kolme', 1)",
		"insert into goose values (7, 'Neljä', 1)",
	],
	["a row without a key", "insert into log values ('third', 1)", "select 1"],
	["a row without a key that changed", "update log set more = 2 where line = 'first'", "delete from log"],
	["a delete of a row without a key", "delete from log where line = 'second'", "select 1"],
	["a key that may be null", "update purse set amount = 1", "delete from purse"],
	[
		"a child that came since and would go along",
		"delete from goose where id = 1",
		"insert into egg (nest, place, goose) values ('new', 5, 1)",
	],
	[
		"a child that came since and would change along",
		"update owner set code = 2",
		"insert into thing values (2, 1)",
	],
	["a table that went, with what came since", "drop table purse", "insert into purse values ('new', 1)"],
	[
		"rows of a table that another name was given",
		"alter table purse rename to pocket; update pocket set amount = 2",
		"delete from purse",
	],
	[
		"a row that hangs on one that is gone",
		"insert into egg (nest, place, goose) values ('c', 1, 3)",
		"delete from goose where id = 3",
	],
	[
		"a table with other columns",
		"insert into goose values (7, 'Kolme', 1)",
		"alter table goose add column age",
	],
])("nothing happens: %s", (_, sql, meanwhile) => {
	const changes = [...lostChanges("insert into egg (nest, place) values ('z', 1)"), ...lostChangesAgain(sql)];
	using database = plain("pragma foreign_keys = on", meanwhile);
	const before = database.contents();
	expect(database.replay(changes)).not.toBe(null);
	expect(database.contents()).toEqual(before);
});

function lostChangesAgain(sql: string): readonly NotedChange[] {
	rmSync(join(directory, "leader"));
	return lostChanges(sql);
}

test("of what FTS5 keeps is told why it cannot be made again", () => {
	const changes = lostChanges("insert into words values ('lost')");
	using database = plain();
	expect(database.replay(changes)).toMatch(/words_\w+ is, or belongs to, a virtual table .*by hand/);
	// Also where a report has the rows of a hidden number: of a table that the same transaction made.
	const withTable = lostChangesAgain(
		"create virtual table more using fts5 (text); insert into more values ('lost')",
	);
	expect(database.replay(withTable)).toMatch(/virtual table .*by hand/);
});

test("what was logged as SQL is refused, with the SQL", () => {
	const changes = [{ operation: "statement", sql: "delete from goose where id = ?", values: [1] }] as const;
	using schema = createScratchSchema([]);
	expect(() => replayStatements(changes, schema)).toThrow(
		/logged as SQL \(log format statement\).*: delete from goose where id = \?.*by hand, as skein lost show has/,
	);
});
