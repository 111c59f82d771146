/**
 * The statement format: SQL and its arguments, where they do the same on every member (log-as.ts), and the rows
 * that changed where they might not. With each statement goes what must come out equal; a member for which it
 * does not has diverged, and stops. DESIGN.md has the rules and their reasons.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { bind, valuesByNumber } from "../arguments.ts";
import type { Guard } from "../connection.ts";
import type { Statement } from "../program.ts";
import { parseStatement } from "../sql.ts";
import { isSqliteError } from "../sqlite-failure.ts";
import type { ChangeFormat } from "./format.ts";
import { createStatementJudge, type LoggedAs, type StatementJudge } from "./log-as.ts";
import type { LoggedStatement } from "./logged-statement.ts";
import type { Part } from "./payload.ts";
import type { RowFormat, StatementApply, StatementCapture } from "./row.ts";
import type { SchemaKnowledge } from "./schema.ts";

export function createStatementFormat(row: RowFormat): ChangeFormat {
	let capturing: { readonly connection: DatabaseSync; readonly statements: StatementCapture } | null = null;
	let applying: { readonly connection: DatabaseSync; readonly statements: StatementApply } | null = null;

	return {
		name: "statement",
		// What both formats need of the connection the row format sees to.
		prepareToCapture(connection, guard) {
			applying = null;
			capturing = { connection, statements: createStatementCapture(connection, guard) };
		},
		beginCapture(connection) {
			if (capturing?.connection !== connection)
				throw new Error("beginCapture on a connection that was not prepared");
			return row.beginMixedCapture(connection, capturing.statements);
		},
		prepareToApply(connection) {
			capturing = null;
			applying = { connection, statements: createStatementApply(connection) };
		},
		apply(connection, payload) {
			if (applying?.connection !== connection) throw new Error("apply on a connection that was not prepared");
			row.applyMixed(connection, payload, applying.statements);
		},
		applyRolledBack() {},
	};
}

/** Rows that the last statement changed by itself, and the last rowid that was given. */
interface Counters {
	readonly changes: number;
	readonly lastRowid: bigint;
}

function createCounters(connection: DatabaseSync): () => Counters {
	const statement = connection.prepare("SELECT changes(), last_insert_rowid()");
	statement.setReturnArrays(true);
	statement.setReadBigInts(true);
	return () => {
		const [changes = 0n, lastRowid = 0n] = statement.get() as unknown as readonly bigint[];
		return { changes: Number(changes), lastRowid };
	};
}

function createStatementCapture(connection: DatabaseSync, guard: Guard): StatementCapture {
	const judge: StatementJudge = createStatementJudge(connection, guard);
	const counters = createCounters(connection);
	const savepoint = createSavepoint(connection, "skein_logged");
	let schema: SchemaKnowledge | null = null;

	/**
	 * Null: it was taken back, and its rows must be watched. Because rowids came to their end while it ran, or because
	 * it failed: SQLite keeps what some failing statements did before (a row of OR REPLACE before one of a wrong type).
	 */
	function runGuarded<T>(
		logged: LoggedAs & { readonly as: "statement" },
		run: () => T,
	): { result: T } | null {
		if (logged.plainInsert) return { result: run() };
		savepoint.begin();
		let result: T;
		try {
			result = run();
		} catch (error) {
			if (!connection.isTransaction) throw error;
			savepoint.back();
			savepoint.end();
			// What Skein itself refused has left nothing, and may have taken long.
			if (!isSqliteError(error)) throw error;
			return null;
		}
		const isAtEnd = logged.nearTheEnd();
		if (isAtEnd) savepoint.back();
		savepoint.end();
		return isAtEnd ? null : { result };
	}

	return {
		// Not by the schema's version: after a rollback the same number may come again for another schema.
		schema(current) {
			if (current !== schema) judge.forget();
			schema = current;
		},
		write({ statement, parameters, sight }, run, before) {
			const { sql } = statement;
			const logged = judge.judge(sql, sight);
			if (logged.as === "rows" || logged.nearTheEnd()) return null;
			before();
			const ran = runGuarded(logged, run);
			if (ran === null) return null;
			const { changes, lastRowid } = counters();
			if (changes === 0 && logged.nothingIfUnchanged) return { result: ran.result, part: null };
			const part: Part = {
				type: "statement",
				statement: {
					sql,
					values: valuesByNumber(statement, parameters),
					firesTriggers: logged.firesTriggers,
					changes,
					lastRowid: changes > 0 && logged.tellsRowid ? lastRowid : null,
				},
			};
			return { result: ran.result, part };
		},
	};
}

function createSavepoint(connection: DatabaseSync, name: string) {
	const [begin, back, end] = [`SAVEPOINT ${name}`, `ROLLBACK TO ${name}`, `RELEASE ${name}`].map((sql) =>
		connection.prepare(sql),
	);
	return {
		begin: () => void begin?.run(),
		back: () => void back?.run(),
		end: () => void end?.run(),
	};
}

const maxPrepared = 256;

function createStatementApply(connection: DatabaseSync): StatementApply {
	const counters = createCounters(connection);
	const prepared = new Map<string, { readonly run: (statement: Statement) => void }>();

	function prepare(sql: string): { readonly run: (statement: Statement) => void } {
		const known = prepared.get(sql);
		if (known !== undefined) return known;
		const { parameters } = parseStatement(sql);
		const made: StatementSync = connection.prepare(sql);
		made.setAllowBareNamedParameters(false);
		const one = {
			run(statement: Statement) {
				const bound = bind(statement, parameters, false);
				if (!bound.ok) throw new Error(`a logged statement does not fit: ${bound.failure.message}`);
				if (bound.named === null) made.run(...bound.anonymous);
				else made.run(bound.named, ...bound.anonymous);
			},
		};
		if (prepared.size >= maxPrepared) prepared.clear();
		prepared.set(sql, one);
		return one;
	}

	return {
		run(_connection, logged) {
			prepare(logged.sql).run({
				sql: logged.sql,
				arguments: logged.values,
				namedArguments: [],
				wantRows: false,
			});
			compare(logged, counters());
		},
	};
}

function compare({ sql, changes, lastRowid }: LoggedStatement, here: Counters): void {
	if (here.changes !== changes)
		throw new DoesNotFit(`it changed ${changes} rows on the leader and ${here.changes} here`, sql);
	if (lastRowid !== null && here.lastRowid !== lastRowid)
		throw new DoesNotFit(`its last rowid was ${lastRowid} on the leader and is ${here.lastRowid} here`, sql);
}

/** This member holds other rows than the leader did. */
class DoesNotFit extends Error {
	constructor(why: string, sql: string) {
		super(`a logged statement does not fit: ${why} (${sql.slice(0, 200)})`);
	}
}
