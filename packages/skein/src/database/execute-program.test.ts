// Programs on the writer beside the same statements on plain SQLite: the same rows, counts, errors and transaction state.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { createLogFormats } from "./changes/formats.ts";
import type { Program, ProgramOutcome, Step, Value } from "./program.ts";
import { defaultDatabaseSettings } from "./settings.ts";
import { failureOf, isSqliteError } from "./sqlite-failure.ts";
import { createWriter, type Writer } from "./writer.ts";

const schema = [
	"create table p (id integer primary key, name text unique)",
	"create table c (id integer primary key, p references p on delete cascade)",
	"create table d (id integer primary key, p references p deferrable initially deferred)",
	"create table n (a integer not null, b text)",
	"create table a (id integer primary key autoincrement, x check (x <> 13))",
	"create table w (k text primary key, v) without rowid",
	"create trigger after_p after insert on p when new.name = 'fire' begin insert into n values (new.id, 'by trigger'); insert into a (x) values (new.id); end",
	"create trigger no_w before insert on w when new.k = 'bad' begin select raise(abort, 'not this one'); end",
	"insert into p values (1, 'one')",
];

const text = fc.oneof(
	{
		weight: 3,
		arbitrary: fc.constantFrom(
			"begin",
			"begin immediate",
			"commit",
			"end transaction",
			"rollback",
			"savepoint s",
			"savepoint r",
			"release s",
			"release savepoint r",
			"rollback to s",
			"rollback transaction to savepoint r",
			"pragma defer_foreign_keys = on",
		),
	},
	{
		weight: 6,
		arbitrary: fc.constantFrom(
			"insert into p values (2, 'two')",
			"insert into p values (3, 'one')",
			"insert or ignore into p values (2, 'again')",
			"insert or replace into p values (2, 'one')",
			"insert or fail into p values (7, 'seven'), (1, 'eight')",
			"insert into p values (5, 'fire')",
			"insert into p values (9, 'nine') on conflict do update set name = name || '+' returning id, name",
			"insert into p values (4, 'four') returning *",
			"update p set name = 'x' where id > 1",
			"update or fail p set id = id + 1",
			"delete from p where id = 2",
			"delete from p returning id",
			"insert into c values (null, 1)",
			"insert into c values (null, 99)",
			"insert into d values (null, 99)",
			"insert into d values (null, 2)",
			"insert into p values (99, 'ninety-nine')",
			"delete from d",
			"insert into n values (1, 'a'), (2, 'b')",
			"insert into n values (null, 'c')",
			"with v(x) as (values (8), (9)) insert into n select x, 'with' from v",
			"delete from n",
			"insert into a (x) values (1)",
			"insert into a (x) values (13)",
			"delete from a where id = (select max(id) from a)",
			"insert into w values ('k', 1)",
			"insert into w values ('bad', 1)",
			"insert or rollback into w values ('k', 1)",
		),
	},
	{
		weight: 3,
		arbitrary: fc.constantFrom(
			"select count(*), max(id) from p",
			"select changes()",
			"select last_insert_rowid()",
			"select * from n",
			"select id, id from d order by id",
			"explain query plan select * from p",
			"select nothing from nowhere",
			"this is not SQL",
			"begin nonsense here",
			"commit now please",
			"pragma user_version",
			"pragma user_version = 3",
			"create table x (y)",
			"create table x2 as select * from n",
			"alter table n add column more",
			"drop table if exists x",
			"drop table x2",
			"create index n_a on n (a)",
			"select * from n limit 1",
		),
	},
);

interface Answer {
	readonly rows: readonly (readonly Value[])[];
	readonly columns: readonly string[];
	readonly error: string | null;
	/** Of INSERT, UPDATE and DELETE. */
	readonly changes: number | null;
	readonly inTransaction: boolean;
}

/** They tell of the connection's last statement; between two requests that may be another client's. */
const ofConnection = new Set(["select changes()", "select last_insert_rowid()"]);

const refusedHere = new Set(["insert or rollback into w values ('k', 1)"]);

function isDml(sql: string): boolean {
	return /^(insert|update|delete|with)/.test(sql);
}

function onPlainSqlite(database: DatabaseSync, statements: readonly string[]): Answer[] {
	return statements.map((sql) => {
		const failed = (error: string): Answer => ({
			rows: [],
			columns: [],
			error,
			changes: null,
			inTransaction: database.isTransaction,
		});
		if (refusedHere.has(sql)) return failed("UNSUPPORTED_SQL");
		try {
			const statement = database.prepare(sql);
			statement.setReadBigInts(true);
			statement.setReturnArrays(true);
			const columns = statement.columns().map(({ name }) => name ?? "");
			const rows = statement.all() as unknown as Value[][];
			const counted = database.prepare("select changes()");
			counted.setReturnArrays(true);
			const [changes] = counted.get() as unknown as [number];
			return {
				rows,
				columns,
				error: null,
				changes: isDml(sql) ? changes : 0,
				inTransaction: database.isTransaction,
			};
		} catch (error) {
			if (!isSqliteError(error)) throw error;
			const { code, extendedCode, message } = failureOf(error);
			return failed(`${code} ${extendedCode} ${message}`);
		}
	});
}

function programOf(statements: readonly string[]): Program {
	return {
		steps: statements.map((sql): Step => {
			return { condition: null, statement: { sql, arguments: [], namedArguments: [], wantRows: true } };
		}),
	};
}

function answersOf(outcome: ProgramOutcome): Omit<Answer, "inTransaction">[] {
	return outcome.results.map((result, place) => {
		const error = outcome.errors[place] ?? null;
		if (error !== null) {
			const words = `${error.code} ${error.extendedCode} ${error.message}`;
			return {
				rows: [],
				columns: [],
				error: error.code === "UNSUPPORTED_SQL" ? error.code : words,
				changes: null,
			};
		}
		if (result === null) throw new Error("neither result nor error");
		return {
			rows: result.rows,
			columns: result.columns.map(({ name }) => name),
			error,
			changes: result.changes,
		};
	});
}

function withoutState({ rows, columns, error, changes }: Answer): Omit<Answer, "inTransaction"> {
	return { rows, columns, error, changes };
}

interface Pair {
	readonly leader: Writer;
	readonly follower: Writer;
	readonly plain: DatabaseSync;
	readonly directory: string;
	index: number;
}

function openPair(): Pair {
	const directory = mkdtempSync(join(tmpdir(), "skein-program-"));
	const open = (name: string): Writer =>
		createWriter({
			path: join(directory, name),
			formats: createLogFormats(),
			settings: defaultDatabaseSettings,
			now: () => 0,
		});
	const pair = {
		leader: open("leader"),
		follower: open("follower"),
		plain: new DatabaseSync(":memory:"),
		directory,
		index: 0,
	};
	pair.leader.prepareToLead();
	for (const sql of schema) {
		pair.plain.exec(sql);
		runOnLeader(pair, [sql], false);
	}
	return pair;
}

function close({ leader, follower, plain, directory }: Pair): void {
	leader.close();
	follower.close();
	plain.close();
	rmSync(directory, { recursive: true, force: true });
}

function runOnLeader(pair: Pair, statements: readonly string[], interactive: boolean): ProgramOutcome {
	const [done] = pair.leader.execute([
		{
			program: programOf(statements),
			foreignKeys: true,
			interactive,
			idempotencyKey: null,
			note: null,
			receivedAtMs: 0,
			timeoutMs: 60_000,
		},
	]);
	if (done === undefined) throw new Error("no outcome");
	if (!done.outcome.autocommit) return done.outcome;
	if (done.payload === null) {
		// Nothing to replicate: nothing may differ when it is taken back.
		pair.leader.rollback();
		return done.outcome;
	}
	const position = { index: ++pair.index, term: 1 };
	pair.leader.commit(position);
	pair.follower.apply([{ position, kind: "command", payload: done.payload, configuration: null }]);
	return done.outcome;
}

function contentOf(database: DatabaseSync): unknown {
	const names = database
		.prepare(
			"select name from sqlite_schema where type = 'table' and name not like 'skein%' and name not like 'sqlite_stat%' order by name",
		)
		.all()
		.map((row) => String(row["name"]));
	const content = names.map((name) => [name, database.prepare(`select * from "${name}"`).all()]);
	return { content, version: database.prepare("pragma user_version").get() };
}

function contentOfFile(path: string): unknown {
	const database = new DatabaseSync(path, { readOnly: true });
	try {
		return contentOf(database);
	} finally {
		database.close();
	}
}

function expectSameContent({ plain, directory }: Pair): void {
	const expected = contentOf(plain);
	expect(contentOfFile(join(directory, "leader"))).toEqual(expected);
	expect(contentOfFile(join(directory, "follower"))).toEqual(expected);
}

test("programs answer as plain SQLite does, and leave the same rows on leader and follower", () => {
	fc.assert(
		fc.property(fc.array(fc.array(text, { minLength: 1, maxLength: 8 }), { maxLength: 6 }), (programs) => {
			const pair = openPair();
			try {
				for (const program of programs) {
					// changes() is promised right after a change: schema statements of the capture's own come between.
					const statements = ["insert into a (x) values (50)", ...program].filter(
						(sql, place, all) => sql !== "select changes()" || isDml(all[place - 1] ?? ""),
					);
					const expected = onPlainSqlite(pair.plain, statements);
					const outcome = runOnLeader(pair, statements, false);
					// … and a change that failed is none: what came before it may have been a schema statement.
					const isPromised = (_: unknown, place: number): boolean =>
						statements[place] !== "select changes()" || expected[place - 1]?.error === null;
					expect(answersOf(outcome).filter(isPromised)).toEqual(
						expected.map(withoutState).filter(isPromised),
					);
					// What a program leaves open is rolled back, as when a connection ends.
					if (pair.plain.isTransaction) pair.plain.exec("rollback");
					pair.plain.exec("pragma defer_foreign_keys = off");
					expectSameContent(pair);
				}
			} finally {
				close(pair);
			}
		}),
		{ numRuns: 40 },
	);
});

test("the same over several requests: an interactive transaction", () => {
	fc.assert(
		fc.property(fc.array(text, { minLength: 1, maxLength: 14 }), (statements) => {
			const pair = openPair();
			try {
				for (const sql of statements) {
					const [expected] = onPlainSqlite(pair.plain, [sql]);
					const outcome = runOnLeader(pair, [sql], true);
					// It holds for the request's transaction; by itself it ends with its request.
					if (outcome.autocommit) pair.plain.exec("pragma defer_foreign_keys = off");
					const own = { sql, ...answersOf(outcome)[0], inTransaction: !outcome.autocommit };
					if (ofConnection.has(sql)) continue;
					expect(own).toEqual({ sql, ...expected });
				}
				if (pair.plain.isTransaction) {
					pair.plain.exec("rollback");
					pair.leader.abandonInteractive();
					pair.leader.rollback();
				}
				expectSameContent(pair);
			} finally {
				close(pair);
			}
		}),
		{ numRuns: 40 },
	);
});

test("conditions: ok, error, not, and, or, is-autocommit", () => {
	const pair = openPair();
	onTestFinished(() => close(pair));
	const step = (sql: string, condition: Step["condition"]): Step => ({
		condition,
		statement: { sql, arguments: [], namedArguments: [], wantRows: true },
	});
	const steps = [
		step("begin", null),
		step("insert into p values (1, 'taken')", { type: "ok", step: 0 }),
		step("select 'skipped'", { type: "ok", step: 1 }),
		step("rollback", { type: "error", step: 1 }),
		step("select 'skipped'", {
			type: "or",
			conditions: [
				{ type: "ok", step: 2 },
				{ type: "error", step: 2 },
			],
		}),
		step("select 'in autocommit'", {
			type: "and",
			conditions: [{ type: "is-autocommit" }, { type: "ok", step: 3 }],
		}),
		step("select 'skipped'", { type: "not", condition: { type: "is-autocommit" } }),
	];
	const [done] = pair.leader.execute([
		{
			program: { steps },
			foreignKeys: true,
			interactive: false,
			idempotencyKey: null,
			note: null,
			receivedAtMs: 0,
			timeoutMs: 1_000,
		},
	]);
	pair.leader.rollback();
	expect(done?.outcome.results.map((result) => result !== null)).toEqual([
		true,
		false,
		false,
		true,
		false,
		true,
		false,
	]);
	expect(done?.outcome.errors.map((error) => error !== null)).toEqual([
		false,
		true,
		false,
		false,
		false,
		false,
		false,
	]);
});
