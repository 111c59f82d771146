/**
 * What the capture knows of the schema. Sessions find rows by primary key and say nothing of rowids,
 * so they replicate exactly only tables whose rowid is their INTEGER PRIMARY KEY, and WITHOUT ROWID
 * tables. Every other table (no key, a key of other types, NULL in keys) is captured row by row, by
 * rowid: here called noted tables (noted-rows.ts).
 */
import type { DatabaseSync } from "node:sqlite";

export interface NotedTable {
	readonly name: string;
	/** A name of the rowid that no column hides. */
	readonly rowid: string;
	/** Stored columns, in order; generated ones are computed everywhere. */
	readonly columns: readonly string[];
	/** Column names, with collations, of unique constraints: an INSERT OR REPLACE removes rows by these without a trigger. */
	readonly uniques: readonly (readonly UniqueColumn[])[];
	/** A unique index is on an expression: what an OR REPLACE removes by it cannot be looked up by column. */
	readonly uniqueExpression: boolean;
}

export interface UniqueColumn {
	readonly name: string;
	readonly collation: string;
	/** For a NOT NULL column, what REPLACE puts in the place of NULL; null: nothing. */
	readonly replacesNull: string | null;
}

export interface SchemaKnowledge {
	readonly version: number;
	readonly noted: readonly NotedTable[];
	readonly tableNames: ReadonlySet<string>;
	readonly hasAutoincrement: boolean;
	/** Of some noted table. */
	readonly uniqueExpressions: boolean;
	/** Some trigger holds the word REPLACE: a statement without it may remove rows too. */
	readonly triggersReplace: boolean;
}

export function quoteName(name: string): string {
	return `"${name.replaceAll('"', '""')}"`;
}

export function schemaVersion(connection: DatabaseSync): number {
	return Number(connection.prepare("PRAGMA main.schema_version").get()?.["schema_version"]);
}

export function readSchema(connection: DatabaseSync): SchemaKnowledge {
	const tables = connection
		.prepare(
			"SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
		)
		.all();
	const noted: NotedTable[] = [];
	for (const table of tables) {
		const name = String(table["name"]);
		const stored = table["type"] === "table" || table["type"] === "shadow";
		if (stored && table["wr"] === 0) {
			const found = notedTable(connection, name);
			if (found !== null) noted.push(found);
		}
	}
	const sequence = connection
		.prepare("SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'")
		.get();
	const replacingTrigger = connection
		.prepare("SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger' AND sql LIKE '%replace%'")
		.get();
	return {
		version: schemaVersion(connection),
		noted,
		tableNames: new Set(
			tables.filter((table) => table["type"] === "table").map((table) => String(table["name"])),
		),
		hasAutoincrement: sequence !== undefined,
		uniqueExpressions: noted.some((table) => table.uniqueExpression),
		triggersReplace: replacingTrigger !== undefined,
	};
}

/** Null: its rowid is its key, a session will do. */
function notedTable(connection: DatabaseSync, name: string): NotedTable | null {
	const all = connection.prepare("SELECT name, type, hidden, pk FROM pragma_table_xinfo(?)").all(name);
	const columns = all.filter((column) => column["hidden"] === 0).map((column) => String(column["name"]));
	const { rowid, alias } = rowidNames(connection, name);
	if (alias !== null) return null;
	return { name, rowid, columns, ...uniquesOf(connection, name) };
}

/** A name of the rowid that no column hides, and the column that it is an alias of (INTEGER PRIMARY KEY); null: there is none. */
export function rowidNames(
	connection: DatabaseSync,
	name: string,
): { readonly rowid: string; readonly alias: string | null } {
	const all = connection.prepare("SELECT name, type, pk FROM pragma_table_xinfo(?)").all(name);
	const taken = new Set(all.map((column) => String(column["name"]).toLowerCase()));
	const rowid = ["rowid", "_rowid_", "oid"].find((candidate) => !taken.has(candidate));
	if (rowid === undefined) {
		throw new Error(
			`table ${name} has columns named rowid, _rowid_ and oid: its rows cannot be told apart; rename one`,
		);
	}
	// SQLite names the result after the column that the rowid is an alias of, if there is one; else
	// "rowid", which may be the name of a column that has nothing to do with it.
	const origin = connection
		.prepare(`SELECT ${rowid} FROM main.${quoteName(name)}`)
		.columns()[0]
		?.column?.toLowerCase();
	const keys = all.filter((column) => Number(column["pk"]) > 0);
	const isAlias =
		keys.length === 1 &&
		String(keys[0]?.["name"]).toLowerCase() === origin &&
		String(keys[0]?.["type"]).toUpperCase() === "INTEGER";
	return { rowid, alias: isAlias ? String(keys[0]?.["name"]) : null };
}

function uniquesOf(
	connection: DatabaseSync,
	table: string,
): Pick<NotedTable, "uniques" | "uniqueExpression"> {
	const uniques: UniqueColumn[][] = [];
	let uniqueExpression = false;
	const defaults = new Map(
		connection
			.prepare(
				'SELECT name, dflt_value FROM pragma_table_xinfo(?) WHERE "notnull" = 1 AND dflt_value IS NOT NULL',
			)
			.all(table)
			.map((column) => [String(column["name"]), String(column["dflt_value"])]),
	);
	for (const index of connection
		.prepare('SELECT name FROM pragma_index_list(?) WHERE "unique" = 1')
		.all(table)) {
		const columns = connection
			.prepare("SELECT name, coll FROM pragma_index_xinfo(?) WHERE key = 1")
			.all(String(index["name"]));
		if (columns.some((column) => column["name"] === null)) {
			uniqueExpression = true;
			continue;
		}
		uniques.push(
			columns.map((column) => ({
				name: String(column["name"]),
				collation: String(column["coll"]),
				replacesNull: defaults.get(String(column["name"])) ?? null,
			})),
		);
	}
	return { uniques, uniqueExpression };
}
