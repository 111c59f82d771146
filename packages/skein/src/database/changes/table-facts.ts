/** What must be known of a table to say whether a statement that reads or writes it does the same on every member. */
import type { DatabaseSync } from "node:sqlite";
import { foldName } from "../statement-sight.ts";
import { quoteName, rowidNames } from "./schema.ts";
import { type PlacedToken, tokensOf } from "./statement-tokens.ts";

export interface TableFacts {
	readonly name: string;
	/** Why no statement that reads or writes it is logged as it is; null: there is no such reason. */
	readonly doubt: string | null;
	/** A name of its rowid; null: WITHOUT ROWID. */
	readonly rowid: string | null;
	/** The column that the rowid is an alias of, folded. */
	readonly alias: string | null;
	/** Columns that a client may give values for, in order, folded. */
	readonly columns: readonly string[];
	/** Columns of which a change may be in another row's way, folded; the rowid's names among them. */
	readonly uniqueColumns: ReadonlySet<string>;
	/** Some uniqueness is of an expression, of part of the rows, or of a generated column: any column may matter. */
	readonly uniqueOpaque: boolean;
	/** Unique indexes, the key of a table WITHOUT ROWID among them, an INTEGER PRIMARY KEY not. */
	readonly uniqueIndexes: number;
	/** Foreign keys of other tables, or its own, act on others when its rows go or change. */
	readonly acts: boolean;
}

/** `callIn`: the first function in a text that is not trusted. Null: SQLite knows no such table as ordinary (a view, a virtual table, a common table expression). */
export function readTableFacts(
	connection: DatabaseSync,
	name: string,
	callIn: (tokens: readonly PlacedToken[]) => string | null,
): TableFacts | null {
	const table = connection
		.prepare("SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE")
		.get(name);
	if (table?.["type"] !== "table" && table?.["type"] !== "shadow") return null;
	const isRowid = table["wr"] === 0;
	const { rowid, alias } = isRowid ? rowidNames(connection, name) : { rowid: null, alias: null };
	const columns = connection.prepare("SELECT name, hidden FROM pragma_table_xinfo(?) ORDER BY cid").all(name);
	const isGiven = new Map(
		columns.map((column) => [foldName(String(column["name"])), column["hidden"] === 0]),
	);
	const uniques = readUniques(connection, name);
	return {
		name: String(table["name"]),
		doubt: doubtOf(connection, name, callIn),
		rowid,
		alias: alias === null ? null : foldName(alias),
		columns: [...isGiven].filter(([, given]) => given).map(([column]) => column),
		uniqueColumns: new Set([
			...uniques.columns,
			...(isRowid ? ["rowid", "_rowid_", "oid"] : []),
			...(alias === null ? [] : [foldName(alias)]),
		]),
		uniqueOpaque: uniques.opaque || [...uniques.columns].some((column) => isGiven.get(column) !== true),
		uniqueIndexes: uniques.count,
		acts: actsOnOthers(connection, name),
	};
}

function doubtOf(
	connection: DatabaseSync,
	name: string,
	callIn: (tokens: readonly PlacedToken[]) => string | null,
): string | null {
	if (foldName(name).startsWith("sqlite_"))
		return `${name} holds what SQLite keeps for itself, which members may have in other ways`;
	const texts = connection
		.prepare(
			"SELECT sql FROM main.sqlite_schema WHERE tbl_name = ? COLLATE NOCASE AND type IN ('table', 'index') AND sql IS NOT NULL",
		)
		.all(name)
		.map(({ sql }) => String(sql));
	for (const text of texts) {
		const call = callIn(tokensOf(text));
		if (call !== null)
			return `the table ${name} uses ${call}, which may give something else on another member or later`;
		if (/conflict/i.test(text))
			return `the table ${name} has an ON CONFLICT clause: what it does depends on the order of the rows`;
	}
	return null;
}

function readUniques(
	connection: DatabaseSync,
	name: string,
): { readonly columns: ReadonlySet<string>; readonly opaque: boolean; readonly count: number } {
	const columns = new Set<string>();
	let opaque = false;
	const indexes = connection
		.prepare('SELECT name, partial FROM pragma_index_list(?) WHERE "unique" = 1')
		.all(name);
	for (const index of indexes) {
		if (index["partial"] === 1) opaque = true;
		const keys = connection
			.prepare("SELECT name FROM pragma_index_xinfo(?) WHERE key = 1")
			.all(String(index["name"]));
		for (const key of keys) {
			if (key["name"] === null) opaque = true;
			else columns.add(foldName(String(key["name"])));
		}
	}
	return { columns, opaque, count: indexes.length };
}

function actsOnOthers(connection: DatabaseSync, name: string): boolean {
	const found = connection
		.prepare(
			`SELECT 1 FROM main.sqlite_schema AS t, pragma_foreign_key_list(t.name) AS k
			 WHERE t.type = 'table' AND k."table" = ? COLLATE NOCASE
			 AND NOT (k.on_update IN ('NO ACTION', 'RESTRICT') AND k.on_delete IN ('NO ACTION', 'RESTRICT')) LIMIT 1`,
		)
		.get(name);
	return found !== undefined;
}

/**
 * From here on SQLite, where the highest rowid is taken, would draw the next one at random. Half of the way is
 * near enough: nobody gets there by counting.
 */
const nearTheEnd = 2n ** 62n;

/** Whether the next rowid of the table may be drawn at random. */
export function rowidGuard(connection: DatabaseSync, { name, rowid }: TableFacts): () => boolean {
	if (rowid === null) return () => false;
	const statement = connection.prepare(`SELECT max(${rowid}) AS last FROM main.${quoteName(name)}`);
	statement.setReadBigInts(true);
	return () => {
		const last = statement.get()?.["last"];
		return typeof last === "bigint" && last >= nearTheEnd;
	};
}
