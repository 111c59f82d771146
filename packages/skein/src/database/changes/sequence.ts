/**
 * sqlite_sequence, where AUTOINCREMENT keeps its last ids. Sessions do not see it and triggers cannot
 * be put on it, yet it changes where no row stays changed (insert and delete in one transaction).
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";

/** Rowid, table, last id: integers as text, which holds all of them. */
export type SequenceValues = readonly (readonly [string, string, string])[];

const read =
	"SELECT CAST(rowid AS TEXT) AS place, name, CAST(seq AS TEXT) AS seq FROM main.sqlite_sequence ORDER BY rowid";

export function sequenceReader(connection: DatabaseSync): () => SequenceValues {
	let statement: StatementSync | null = null;
	return () => {
		statement ??= connection.prepare(read);
		return statement
			.all()
			.map((row) => [String(row["place"]), String(row["name"]), String(row["seq"])] as const);
	};
}

export function equalSequences(a: SequenceValues, b: SequenceValues): boolean {
	return (
		a.length === b.length &&
		a.every((entry, place) => entry.every((text, column) => b[place]?.[column] === text))
	);
}

export function applySequence(connection: DatabaseSync, values: SequenceValues): void {
	connection.exec("DELETE FROM main.sqlite_sequence");
	const insert = connection.prepare(
		"INSERT INTO main.sqlite_sequence (rowid, name, seq) VALUES (CAST(? AS INTEGER), ?, CAST(? AS INTEGER))",
	);
	for (const entry of values) insert.run(...entry);
}
