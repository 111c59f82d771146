/**
 * Applies a changeset. SQLite's own way goes change by change, and a change that is in another's way
 * is tried again later; what only fits as a whole (two rows that swap a unique value) never does. Then
 * the rows are put in place by state: all that changed are removed, then all that are left inserted.
 */
import { constants, type DatabaseSync, type SQLInputValue } from "node:sqlite";
import { isSqliteError } from "../sqlite-failure.ts";
import { type Change, type ChangesetValue, readChanges } from "./changeset.ts";
import { quoteName } from "./schema.ts";

const constraintCode = 19;

export function applyChangeset(connection: DatabaseSync, changeset: Uint8Array): void {
	let dataDiffers = false;
	const applied = tryApply(connection, changeset, (kind) => {
		// Not a question of order: the row is not there, or is another. This member has diverged.
		if (kind === constants.SQLITE_CHANGESET_DATA || kind === constants.SQLITE_CHANGESET_NOTFOUND)
			dataDiffers = true;
		return constants.SQLITE_CHANGESET_ABORT;
	});
	if (applied) return;
	if (dataDiffers)
		throw new Error("a changeset does not fit: a row that it changes is absent or holds other values");
	applyByState(connection, [...readChanges(changeset)]);
}

function tryApply(
	connection: DatabaseSync,
	changeset: Uint8Array,
	onConflict: (kind: number) => number,
): boolean {
	try {
		return connection.applyChangeset(changeset, { onConflict });
	} catch (error) {
		// Keys that are equal under their collation only: SQLite has taken back what it did. By state it may fit.
		if (isSqliteError(error) && (error.errcode & 255) === constraintCode) return false;
		throw error;
	}
}

interface FullRow {
	readonly change: Change;
	readonly values: readonly { readonly value: SQLInputValue; readonly isText: boolean }[] | null;
}

function applyByState(connection: DatabaseSync, changes: readonly Change[]): void {
	const rows = changes.map((change): FullRow => ({ change, values: fullRow(connection, change) }));
	for (const { change } of rows) if (change.old !== null) removeOld(connection, change);
	for (const { change, values } of rows) if (values !== null) insert(connection, change.table, values);
}

/** The row as it will be; an update's unchanged columns come from the row as it is. Null: it is deleted. */
function fullRow(connection: DatabaseSync, change: Change): FullRow["values"] {
	const { new: fresh, old } = change;
	if (fresh === null) return null;
	const present = old === null ? [] : readRow(connection, change);
	return fresh.map((value, place) => {
		const known = value ?? present[place];
		if (known === undefined)
			throw new Error(`a changeset does not say what column ${place} of ${change.table} holds`);
		return known;
	});
}

function columnsOf(connection: DatabaseSync, table: string): string[] {
	return connection
		.prepare("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid")
		.all(table)
		.map((row) => String(row["name"]));
}

function where(connection: DatabaseSync, change: Change): { sql: string; values: SQLInputValue[] } {
	const columns = columnsOf(connection, change.table);
	const conditions: string[] = [];
	const values: SQLInputValue[] = [];
	for (const [place, isKey] of change.isKey.entries()) {
		const value = change.old?.[place];
		if (!isKey || value === undefined) continue;
		conditions.push(`${quoteName(columns[place] ?? "")} IS ${placeOf(value)}`);
		values.push(value.value);
	}
	if (conditions.length === 0) throw new Error(`a changeset names no key of ${change.table}`);
	return { sql: conditions.join(" AND "), values };
}

function placeOf(value: NonNullable<ChangesetValue>): string {
	return value.isText ? "CAST(? AS TEXT)" : "?";
}

function readRow(connection: DatabaseSync, change: Change): NonNullable<ChangesetValue>[] {
	const columns = columnsOf(connection, change.table).map(quoteName);
	const reads = columns.flatMap((name) => [
		`CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE ${name} END`,
		`typeof(${name}) = 'text'`,
	]);
	const { sql, values } = where(connection, change);
	const statement = connection.prepare(
		`SELECT ${reads.join(", ")} FROM main.${quoteName(change.table)} WHERE ${sql}`,
	);
	statement.setReadBigInts(true);
	statement.setReturnArrays(true);
	const row = statement.get(...values) as unknown as SQLInputValue[] | undefined;
	if (row === undefined) throw new Error(`a row of ${change.table} that a changeset updates is absent`);
	return columns.map((_, place) => ({ value: row[place * 2] ?? null, isText: row[place * 2 + 1] === 1n }));
}

function removeOld(connection: DatabaseSync, change: Change): void {
	const { sql, values } = where(connection, change);
	connection.prepare(`DELETE FROM main.${quoteName(change.table)} WHERE ${sql}`).run(...values);
}

/**
 * A REPLACE of a key that is equal under its collation only is noted twice by the session, as an update
 * and as an insert of the very same row.
 */
function insert(connection: DatabaseSync, table: string, values: NonNullable<FullRow["values"]>): void {
	const columns = columnsOf(connection, table).map(quoteName);
	const places = values.map(placeOf);
	const bound = values.map(({ value }) => value);
	const same = columns.map((name, place) => `${name} IS ${places[place]}`).join(" AND ");
	if (connection.prepare(`SELECT 1 FROM main.${quoteName(table)} WHERE ${same}`).get(...bound) !== undefined)
		return;
	connection
		.prepare(`INSERT INTO main.${quoteName(table)} (${columns.join(", ")}) VALUES (${places.join(", ")})`)
		.run(...bound);
}
