/**
 * Applies a changeset. SQLite's own way goes change by change, and a change that is in another's way
 * is tried again later; what only fits as a whole (two rows that swap a unique value) never does. Then,
 * and for tables that are delicate, the rows are put in place by state.
 */
import { constants, type DatabaseSync } from "node:sqlite";
import { isSqliteError } from "../sqlite-failure.ts";
import { applyByState, DoesNotFit } from "./apply-by-state.ts";
import { keepTables, readChanges } from "./changeset.ts";
import type { DelicateTables } from "./delicate-tables.ts";

const constraintCode = 19;

export function applyChangeset(
	connection: DatabaseSync,
	changeset: Uint8Array,
	delicateTables: DelicateTables,
): void {
	const delicate = delicateTables.find();
	const isDelicate = (table: string): boolean => delicate.has(table);
	const sturdy = delicate.size === 0 ? changeset : keepTables(changeset, (table) => !isDelicate(table));
	if (sturdy.length > 0) applySturdy(connection, sturdy);
	if (sturdy.length === changeset.length) return;
	applyByState(
		connection,
		[...readChanges(keepTables(changeset, isDelicate))],
		(table) => delicate.get(table)?.mayBeAbsent === true,
	);
}

function applySturdy(connection: DatabaseSync, changeset: Uint8Array): void {
	let dataDiffers = false;
	const applied = tryApply(connection, changeset, (kind) => {
		// Not a question of order: the row is not there, or is another. This member has diverged.
		if (kind === constants.SQLITE_CHANGESET_DATA || kind === constants.SQLITE_CHANGESET_NOTFOUND)
			dataDiffers = true;
		return constants.SQLITE_CHANGESET_ABORT;
	});
	if (applied) return;
	if (dataDiffers) throw new DoesNotFit();
	applyByState(connection, [...readChanges(changeset)], () => false);
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
