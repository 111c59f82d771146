/**
 * Applies a changeset. SQLite's own way goes change by change, and a change that is in another's way
 * is tried again later; what only fits as a whole (two rows that swap a unique value) never does. Some
 * it cannot even put into SQL. Then, and for tables that are delicate, the rows are put in place by
 * state. That hides no divergence: it asks of each row that it holds what the changeset says it held.
 */
import { constants, type DatabaseSync } from "node:sqlite";
import { isSqliteError } from "../sqlite-failure.ts";
import { applyByState, DoesNotFit } from "./apply-by-state.ts";
import { keepTables, readChanges } from "./changeset.ts";
import type { DelicateTables } from "./delicate-tables.ts";

/**
 * Of these, SQLite has taken back what it did, and they speak of its way, not of the file or the disk.
 *
 * - ERROR: a table of about 1000 columns, which it compares in a chain deeper than an expression may be;
 *   a key that became another one that is equal to it (1 and 1.0, 'a' and 'A' under NOCASE), noted as an
 *   update of nothing.
 * - CONSTRAINT: keys that are equal under their collation only.
 */
const errorCode = 1;
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
		if (isSqliteError(error) && [errorCode, constraintCode].includes(error.errcode & 255)) return false;
		throw error;
	}
}
