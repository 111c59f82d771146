/** Prepared statements of one connection, by their text: preparing costs several times what a small statement does. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Guard } from "./connection.ts";
import type { ParsedStatement } from "./parsed-statement.ts";
import type { Column } from "./program.ts";
import { parseStatement } from "./sql.ts";
import { createSightCollector, type StatementSight } from "./statement-sight.ts";

const maxStatements = 256;
const maxCachedSqlLength = 100_000;

export interface Prepared {
	readonly parsed: ParsedStatement;
	/** Prepared when first needed: transaction control is not run as it stands. */
	readonly statement: () => StatementSync;
	/** Rows come back: a query, or RETURNING. */
	readonly returnsRows: () => boolean;
	/** What SQLite said that it will do; only where the cache keeps that. */
	readonly sight: () => StatementSight;
	/** As of now: SQLite prepares a statement anew, unseen, when the schema has changed. */
	readonly columns: () => readonly Column[];
}

export interface StatementCache {
	get(sql: string): Prepared;
	/** Not one that was prepared before, and not kept. */
	prepareAnew(sql: string): Prepared;
	/** After a change of the schema: columns may be others. */
	clear(): void;
}

/** `keepsSight`: for a leader's writing connection. */
export function createStatementCache(
	connection: DatabaseSync,
	guard: Guard,
	keepsSight = false,
): StatementCache {
	const cache = new Map<string, Prepared>();

	return {
		get(sql) {
			const known = cache.get(sql);
			if (known !== undefined) {
				// Least recently used goes first: a Map keeps the order of insertion.
				cache.delete(sql);
				cache.set(sql, known);
				return known;
			}
			const prepared = prepare(connection, guard, sql, keepsSight);
			if (sql.length <= maxCachedSqlLength) {
				cache.set(sql, prepared);
				const oldest = cache.keys().next().value;
				if (cache.size > maxStatements && oldest !== undefined) cache.delete(oldest);
			}
			return prepared;
		},
		prepareAnew: (sql) => prepare(connection, guard, sql, keepsSight),
		clear: () => cache.clear(),
	};
}

function prepare(connection: DatabaseSync, guard: Guard, sql: string, keepsSight: boolean): Prepared {
	const collector = keepsSight ? createSightCollector() : null;
	let statement: StatementSync | null = null;
	let returnsRows: boolean | null = null;
	const prepared = (): StatementSync => {
		if (statement !== null) return statement;
		const made = guard(() => connection.prepare(sql), collector?.see);
		made.setReadBigInts(true);
		made.setReturnArrays(true);
		made.setAllowBareNamedParameters(false);
		statement = made;
		return made;
	};
	return {
		parsed: parseStatement(sql),
		statement: prepared,
		returnsRows() {
			returnsRows ??= prepared().columns().length > 0;
			return returnsRows;
		},
		sight() {
			prepared();
			if (collector === null) throw new Error("what the statement will do was not kept");
			return collector.sight();
		},
		columns: () =>
			prepared()
				.columns()
				.map(({ name, type }) => ({ name: name ?? "", declaredType: type ?? null })),
	};
}
