/**
 * Rows that an OR REPLACE removes fire no trigger, so nobody notes them. By unique columns they are
 * looked up before it happens (noted-rows.ts). By a unique index on an expression they are not: we
 * would have to evaluate SQL that is cut out of the schema. Instead each version of a row that such a
 * statement wrote is kept, and a follower puts the versions in place, with OR REPLACE, before the end
 * state: the version that a row was removed for on the leader removes it there too. It removes no
 * others: a row that was not touched since the capture began and is in a version's way would have
 * been in its way on the leader. Rows that were touched are in the end state, which follows.
 */
import type { DatabaseSync } from "node:sqlite";
import { type RowSource, type RowValues, rowReader, sameValues, sourceOf } from "./rows.ts";
import { type NotedTable, quoteName } from "./schema.ts";

/** Which row each version is of. Apart from its values: a table of as many columns as SQLite allows has no room. */
export const versionsSetUp = `
CREATE TEMP TABLE IF NOT EXISTS skein_versions (number INTEGER, version INTEGER, row INTEGER, PRIMARY KEY (number, version)) WITHOUT ROWID;
`;

/** Columns without a type and a collation: values stay what they are. */
function sourceOfVersions(table: NotedTable, number: number): RowSource & { readonly name: string } {
	const name = `skein_versions_${number}`;
	return {
		name,
		from: `temp.${name}`,
		rowid: "rowid",
		columns: table.columns.map((_, place) => `c${place}`),
	};
}

export function versionTable(table: NotedTable, number: number): string {
	const { from, columns } = sourceOfVersions(table, number);
	return `CREATE TABLE ${from} (${columns.join(", ")});`;
}

/** For the body of a trigger. NEW, and not the table: a trigger of the client's may have changed the row once more by then. */
export function keepVersion(table: NotedTable, number: number): string {
	const { name } = sourceOfVersions(table, number);
	const values = table.columns.map((column) => `NEW.${quoteName(column)}`);
	return `INSERT INTO ${name} VALUES (${values.join(", ")}); INSERT INTO skein_versions VALUES (${number}, last_insert_rowid(), NEW.${table.rowid});`;
}

/** The versions since the last call, without those that are also the end state. */
export function takeVersions(
	connection: DatabaseSync,
	table: NotedTable,
	number: number,
): (readonly [rowid: bigint, values: RowValues])[] {
	const source = sourceOfVersions(table, number);
	const kept = connection.prepare(
		"SELECT version, row FROM temp.skein_versions WHERE number = ? ORDER BY version",
	);
	kept.setReadBigInts(true);
	const all = kept.all(number);
	if (all.length === 0) return [];
	const readVersion = rowReader(connection, source);
	const readRow = rowReader(connection, sourceOf(table));
	const taken: (readonly [bigint, RowValues])[] = [];
	for (const { version, row } of all) {
		const values = readVersion(version as bigint);
		if (values === null) throw new Error("a version of a row was kept without its values");
		const last = readRow(row as bigint);
		if (last === null || !sameValues(values, last)) taken.push([row as bigint, values]);
	}
	connection.exec(`DELETE FROM ${source.from}; DELETE FROM temp.skein_versions WHERE number = ${number}`);
	return taken;
}
