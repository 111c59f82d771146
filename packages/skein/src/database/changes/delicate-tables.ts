/**
 * Tables whose changes SQLite's own apply gets wrong. It inserts with a plain INSERT, change by change:
 *
 * - A constraint with an ON CONFLICT clause then does what the clause says, silently: a row that is in the
 *   way for a moment only is replaced, or the new one is left out.
 * - A REAL in the key of a table WITHOUT ROWID: when a row is inserted the session sees a whole number as
 *   the INTEGER that SQLite stores to save space, when it is deleted as the REAL that it is. It takes them
 *   for two keys, and tells of rows that came and went as if they had always been there.
 */
import type { DatabaseSync } from "node:sqlite";

export interface DelicateTable {
	/** A row that the changeset takes away may never have been here. */
	readonly mayBeAbsent: boolean;
}

export interface DelicateTables {
	find(): ReadonlyMap<string, DelicateTable>;
	/** After a rollback a version of the schema may come a second time, for another schema. */
	forget(): void;
}

export function createDelicateTables(connection: DatabaseSync): DelicateTables {
	const readVersion = connection.prepare("PRAGMA main.schema_version");
	let known: ReadonlyMap<string, DelicateTable> | null = null;
	let knownVersion: unknown = null;
	return {
		find() {
			const version = readVersion.get()?.["schema_version"];
			if (known === null || version !== knownVersion) known = readTables(connection);
			knownVersion = version;
			return known;
		},
		forget() {
			known = null;
		},
	};
}

function readTables(connection: DatabaseSync): Map<string, DelicateTable> {
	const tables = new Map<string, DelicateTable>();
	const clauses = connection.prepare(
		"SELECT name FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE '%conflict%'",
	);
	for (const { name } of clauses.all()) tables.set(String(name), { mayBeAbsent: false });
	const keys = connection.prepare(
		`SELECT l.name, x.type FROM pragma_table_list AS l, pragma_table_xinfo(l.name) AS x
		 WHERE l.schema = 'main' AND l.wr = 1 AND l.type IN ('table', 'shadow') AND x.pk > 0`,
	);
	for (const { name, type } of keys.all())
		if (isReal(String(type))) tables.set(String(name), { mayBeAbsent: true });
	return tables;
}

/** By the rules of https://sqlite.org/datatype3.html#determination_of_column_affinity */
function isReal(type: string): boolean {
	return !/INT|CHAR|CLOB|TEXT|BLOB/i.test(type) && /REAL|FLOA|DOUB/i.test(type);
}
