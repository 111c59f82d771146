/**
 * Puts a changeset in place by state: all rows that changed are removed, then all that are left inserted.
 * For changes that cannot be made one after another, and for tables where SQLite's own way would go wrong
 * (delicate-tables.ts). Each removed row must hold what the changeset says it held.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Change, ChangesetValue } from "./changeset.ts";
import { quoteName } from "./schema.ts";

type Value = NonNullable<ChangesetValue>;

export class DoesNotFit extends Error {
	constructor() {
		super("a changeset does not fit: a row that it changes is absent or holds other values");
	}
}

interface Tables {
	columnsOf(table: string): readonly string[];
	prepare(sql: string): StatementSync;
}

interface FullRow {
	readonly change: Change;
	/** As it will be; null: it is gone. */
	readonly values: readonly Value[] | null;
}

/** `mayBeAbsent`: of these tables a change of an absent row changes nothing. */
export function applyByState(
	connection: DatabaseSync,
	changes: readonly Change[],
	mayBeAbsent: (table: string) => boolean,
): void {
	const tables = createTables(connection);
	const rows = changes.map((change): FullRow => {
		const values = fullRow(tables, change);
		if (values === undefined && !mayBeAbsent(change.table)) throw new DoesNotFit();
		return { change, values: values ?? null };
	});
	for (const { change } of rows) {
		if (change.old !== null && !remove(tables, change) && !mayBeAbsent(change.table)) throw new DoesNotFit();
	}
	for (const { change, values } of rows) if (values !== null) insert(tables, change.table, values);
}

/** What is asked for each row is prepared for each shape of row. */
function createTables(connection: DatabaseSync): Tables {
	const columns = new Map<string, readonly string[]>();
	const statements = new Map<string, StatementSync>();
	return {
		columnsOf(table) {
			const known = columns.get(table);
			if (known !== undefined) return known;
			const found = connection
				.prepare("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid")
				.all(table)
				.map((row) => quoteName(String(row["name"])));
			columns.set(table, found);
			return found;
		},
		prepare(sql) {
			const known = statements.get(sql);
			if (known !== undefined) return known;
			const made = connection.prepare(sql);
			if (statements.size < 200) statements.set(sql, made);
			return made;
		},
	};
}

/** An update's unchanged columns come from the row as it is. Undefined: it would have to be there, and is not. */
function fullRow(tables: Tables, change: Change): readonly Value[] | null | undefined {
	const { new: fresh, old } = change;
	if (fresh === null) return null;
	const present = old === null ? [] : readRow(tables, change);
	if (present === null) return undefined;
	return fresh.map((value, place) => {
		const known = value ?? present[place];
		if (known === undefined)
			throw new Error(`a changeset does not say what column ${place} of ${change.table} holds`);
		return known;
	});
}

/** A plus takes the affinity away that a cast has: with it, '1' would also be 1 in a column without a type. */
function is(column: string | undefined, value: Value): string {
	return `${column} IS ${value.isText ? "+CAST(? AS TEXT)" : "?"}`;
}

/** As a tree: a chain as long as a table may be wide is deeper than SQLite lets an expression be. */
function allOf(conditions: readonly string[]): string {
	if (conditions.length <= 10) return conditions.join(" AND ");
	const middle = conditions.length >> 1;
	return `(${allOf(conditions.slice(0, middle))}) AND (${allOf(conditions.slice(middle))})`;
}

function whereOld(
	tables: Tables,
	change: Change,
	keyOnly: boolean,
): { sql: string; values: SQLInputValue[] } {
	const columns = tables.columnsOf(change.table);
	const conditions: string[] = [];
	const values: SQLInputValue[] = [];
	let keys = 0;
	for (const [place, value] of (change.old ?? []).entries()) {
		const isKey = change.isKey[place] === true;
		if (value === undefined || (keyOnly && !isKey)) continue;
		if (isKey) keys++;
		conditions.push(is(columns[place], value));
		values.push(value.value);
	}
	if (keys === 0) throw new Error(`a changeset names no key of ${change.table}`);
	return { sql: allOf(conditions), values };
}

function readRow(tables: Tables, change: Change): Value[] | null {
	const columns = tables.columnsOf(change.table);
	const { sql, values } = whereOld(tables, change, true);
	const row: Value[] = [];
	// A row wider than SQLite's limit on result columns is read in slices.
	for (let start = 0; start < columns.length; start += 500) {
		const reads = columns
			.slice(start, start + 500)
			.flatMap((name) => [
				`CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE ${name} END`,
				`typeof(${name}) = 'text'`,
			]);
		const statement = tables.prepare(
			`SELECT ${reads.join(", ")} FROM main.${quoteName(change.table)} WHERE ${sql}`,
		);
		statement.setReadBigInts(true);
		statement.setReturnArrays(true);
		const slice = statement.get(...values) as unknown as SQLInputValue[] | undefined;
		if (slice === undefined) return null;
		for (let place = 0; place < slice.length; place += 2)
			row.push({ value: slice[place] ?? null, isText: slice[place + 1] === 1n });
	}
	return row;
}

/** False: there is no such row. */
function remove(tables: Tables, change: Change): boolean {
	const { sql, values } = whereOld(tables, change, false);
	const done = tables.prepare(`DELETE FROM main.${quoteName(change.table)} WHERE ${sql}`).run(...values);
	return Number(done.changes) === 1;
}

/**
 * A REPLACE of a key that is equal under its collation only is noted twice by the session, as an update
 * and as an insert of the very same row. OR ABORT, since the table may say that a row in the way is
 * replaced, or the new one left out.
 */
function insert(tables: Tables, table: string, values: readonly Value[]): void {
	const columns = tables.columnsOf(table);
	const bound = values.map(({ value }) => value);
	const same = allOf(values.map((value, place) => is(columns[place], value)));
	if (tables.prepare(`SELECT 1 FROM main.${quoteName(table)} WHERE ${same}`).get(...bound) !== undefined)
		return;
	const places = values.map(({ isText }) => (isText ? "CAST(? AS TEXT)" : "?"));
	tables
		.prepare(
			`INSERT OR ABORT INTO main.${quoteName(table)} (${columns.join(", ")}) VALUES (${places.join(", ")})`,
		)
		.run(...bound);
}
