/**
 * sqlite_sequence, where AUTOINCREMENT keeps its last ids. Sessions do not see it and triggers cannot
 * be put on it, yet it changes where no row stays changed (insert and delete in one transaction).
 * Clients may write it, and nothing in it is bound to be an integer, or a name to come once: its rows
 * travel as they are (rows.ts).
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { applyRows, encodeRows, type RowValues } from "./rows.ts";

const table = { name: "sqlite_sequence", rowid: "rowid", columns: ["name", "seq"] } as const;

const read = `SELECT rowid,
	CASE typeof(name) WHEN 'text' THEN CAST(name AS BLOB) ELSE name END, typeof(name) = 'text',
	CASE typeof(seq) WHEN 'text' THEN CAST(seq AS BLOB) ELSE seq END, typeof(seq) = 'text'
	FROM main.sqlite_sequence ORDER BY rowid`;

type ReadRow = readonly [bigint, SQLInputValue, bigint, SQLInputValue, bigint];

/** All its rows. */
export function sequenceReader(connection: DatabaseSync): () => Uint8Array {
	let statement: StatementSync | null = null;
	return () => {
		if (statement === null) {
			statement = connection.prepare(read);
			statement.setReadBigInts(true);
			statement.setReturnArrays(true);
		}
		const rows = statement.all() as unknown as readonly ReadRow[];
		return encodeRows(table, rows.map(withValues));
	};
}

function withValues([rowid, name, nameIsText, seq, seqIsText]: ReadRow): readonly [bigint, RowValues] {
	return [
		rowid,
		[
			[name, nameIsText === 1n],
			[seq, seqIsText === 1n],
		],
	];
}

export function equalSequences(a: Uint8Array, b: Uint8Array): boolean {
	return Buffer.compare(a, b) === 0;
}

export function applySequence(connection: DatabaseSync, rows: Uint8Array): void {
	connection.exec("DELETE FROM main.sqlite_sequence");
	applyRows(connection, rows);
}
