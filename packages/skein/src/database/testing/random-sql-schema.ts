/**
 * Random SQL: tables, and what the generator believes of them. It never asks a database: a statement that
 * failed leaves it believing too much, and some later statements fail as well. That is part of the game.
 */
import type { Chance } from "./random-sql-chance.ts";
import { type ColumnType, literalOf, settledExpression } from "./random-sql-expressions.ts";

export interface Column {
	/** As it stands in SQL, quoted where it must be. */
	readonly name: string;
	readonly type: ColumnType;
	readonly generated: boolean;
}

export interface Table {
	readonly name: string;
	readonly kind: "table" | "fts5" | "rtree";
	readonly columns: readonly Column[];
	readonly strict: boolean;
	/** A name under which the rowid can be written; null: it has none. */
	readonly rowid: string | null;
	/** Columns that are unique together, by a constraint or an index; the first is the primary key, if there is one. */
	readonly uniques: readonly (readonly string[])[];
	/** Other tables refer to it. */
	readonly referenced: boolean;
}

/** What hangs on a table: indexes, triggers, views. */
export interface Dependent {
	readonly kind: "index" | "trigger" | "view";
	readonly name: string;
	readonly table: string;
}

/** Never changed in place: a rollback goes back to an older one. */
export interface Schema {
	readonly tables: readonly Table[];
	readonly dependents: readonly Dependent[];
	/** For names that were never used before. */
	readonly counter: number;
}

/** A statement, and what is believed once it has run. */
export interface SchemaChange {
	readonly sql: string;
	readonly schema: Schema;
}

export const emptySchema: Schema = { tables: [], dependents: [], counter: 0 };

export function settable(table: Table): readonly Column[] {
	return table.columns.filter((column) => !column.generated);
}

export function names(columns: readonly Column[]): string[] {
	return columns.map((column) => column.name);
}

const columnNames = ["a", "b", "c", "d", '"e f"', "[select]", "ä", '"quo""te"'];

/** Now and then a name that is awkward. */
function freshName(chance: Chance, prefix: string, counter: number): string {
	return chance.weighted([
		[8, `${prefix}${counter}`],
		[1, `"${prefix} ${counter}"`],
		[1, `"${prefix}""${counter}"`],
		[1, `[${prefix.toUpperCase()}ü${counter}]`],
	]);
}

export function freshObject(
	chance: Chance,
	schema: Schema,
	prefix: string,
): { name: string; counter: number } {
	return { name: freshName(chance, prefix, schema.counter), counter: schema.counter + 1 };
}

const onConflict = ["", "", "", "", " ON CONFLICT REPLACE", " ON CONFLICT IGNORE", " ON CONFLICT FAIL"];

type Key =
	| "none"
	| "rowid"
	| "autoincrement"
	| "descending"
	| "single"
	| "composite"
	| "without-rowid"
	| "without-rowid-composite";

interface Draft {
	readonly lines: string[];
	readonly columns: Column[];
	readonly uniques: string[][];
	rowid: string | null;
}

export function createTable(chance: Chance, schema: Schema): SchemaChange {
	const { name, counter } = freshObject(chance, schema, "t");
	const strict = chance.happens(0.15);
	const key = chance.weighted<Key>([
		[5, "none"],
		[4, "rowid"],
		[2, "autoincrement"],
		[1, "descending"],
		[3, "single"],
		[2, "composite"],
		[2, "without-rowid"],
		[2, "without-rowid-composite"],
	]);
	const withoutRowid = key === "without-rowid" || key === "without-rowid-composite";
	const draft: Draft = { lines: [], columns: [], uniques: [], rowid: withoutRowid ? null : "rowid" };
	keyColumn(chance, draft, key, strict);
	const plain = chance.some(columnNames, 2).slice(0, 5);
	const [first = "a", second = "b"] = plain;
	for (const column of plain) plainColumn(chance, draft, column, strict);
	if (key === "composite" || key === "without-rowid-composite") {
		draft.lines.push(
			`PRIMARY KEY (${first}, ${second}${chance.happens(0.2) ? " DESC" : ""})${chance.pick(onConflict)}`,
		);
		draft.uniques.unshift([first, second]);
	}
	generatedColumns(chance, draft, plain, strict);
	tableConstraints(chance, draft, plain);
	const parent = foreignKey(chance, draft, schema, { name, plain });
	// Behind the columns: SQLite takes constraints only there.
	const lines = [...draft.lines.filter((line) => !isConstraint(line)), ...draft.lines.filter(isConstraint)];
	const options = [...(withoutRowid ? ["WITHOUT ROWID"] : []), ...(strict ? ["STRICT"] : [])].join(", ");
	const table: Table = {
		name,
		kind: "table",
		columns: draft.columns,
		strict,
		rowid: draft.rowid,
		uniques: draft.uniques,
		referenced: parent === name,
	};
	const tables = schema.tables.map((one) => (one.name === parent ? { ...one, referenced: true } : one));
	return {
		sql: `CREATE TABLE ${name} (${lines.join(", ")})${options === "" ? "" : ` ${options}`}`,
		schema: { ...schema, counter, tables: [...tables, table] },
	};
}

function isConstraint(line: string): boolean {
	return /^(PRIMARY KEY|UNIQUE|CHECK|FOREIGN KEY) \(/.test(line);
}

function keyColumn(chance: Chance, draft: Draft, key: Key, strict: boolean): void {
	const add = (declaration: string, type: ColumnType, rowid: string | null): void => {
		draft.lines.push(`id ${declaration}`);
		draft.columns.push({ name: "id", type, generated: false });
		draft.uniques.push(["id"]);
		draft.rowid = rowid;
	};
	const type = chance.pick<ColumnType>(
		strict ? ["TEXT", "ANY", "INT"] : ["TEXT", "", "INT", "BLOB", "REAL", "NUMERIC"],
	);
	const collation = chance.pick(["", "", " COLLATE NOCASE", " COLLATE RTRIM"]);
	switch (key) {
		case "rowid":
			return add(`INTEGER PRIMARY KEY${chance.pick(onConflict)}`, "INTEGER", "id");
		case "autoincrement":
			return add("INTEGER PRIMARY KEY AUTOINCREMENT", "INTEGER", "id");
		case "descending":
			return add("INTEGER PRIMARY KEY DESC", "INTEGER", "rowid");
		case "single":
			return add(`${type}${collation} PRIMARY KEY${chance.pick(onConflict)}`, type, "rowid");
		case "without-rowid":
			return add(`${type}${collation} PRIMARY KEY${chance.pick(onConflict)}`, type, null);
		case "none":
		case "composite":
		case "without-rowid-composite":
			return;
		default: {
			const never: never = key;
			throw new Error(String(never));
		}
	}
}

function plainColumn(chance: Chance, draft: Draft, name: string, strict: boolean): void {
	const type = chance.pick<ColumnType>(
		strict
			? ["INTEGER", "TEXT", "REAL", "BLOB", "ANY"]
			: ["", "", "INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC"],
	);
	const collation = chance.happens(0.15) ? ` COLLATE ${chance.pick(["NOCASE", "RTRIM"])}` : "";
	const standard = chance.happens(0.3)
		? ` DEFAULT ${chance.pick(["(random())", "(datetime('now'))", "CURRENT_TIMESTAMP", `(${literalOf(chance, type, strict)})`, `(${literalOf(chance, type, strict)})`])}`
		: "";
	const notNull = chance.happens(0.15) ? ` NOT NULL${chance.pick(onConflict)}` : "";
	const unique = chance.happens(0.2);
	draft.lines.push(
		`${name} ${type}${collation}${standard}${notNull}${unique ? ` UNIQUE${chance.pick(onConflict)}` : ""}${check(chance, name)}`,
	);
	draft.columns.push({ name, type, generated: false });
	if (unique) draft.uniques.push([name]);
}

function check(chance: Chance, column: string): string {
	if (!chance.happens(0.1)) return "";
	return ` CHECK (${chance.pick([`${column} <> 5`, `typeof(${column}) <> 'blob'`, `length(${column}) < 20`, `${column} IS NOT NULL`])})`;
}

function generatedColumns(chance: Chance, draft: Draft, plain: readonly string[], strict: boolean): void {
	for (const name of ["g", "h"]) {
		if (!chance.happens(0.12)) continue;
		const unique = chance.happens(0.2);
		const kind = chance.pick([" STORED", " VIRTUAL", ""]);
		draft.lines.push(
			`${name} ${strict ? "ANY" : chance.pick(["", "TEXT", "INTEGER"])} AS (${settledExpression(chance, plain)})${kind}${unique ? " UNIQUE" : ""}`,
		);
		draft.columns.push({ name, type: "", generated: true });
		if (unique) draft.uniques.push([name]);
	}
}

function tableConstraints(chance: Chance, draft: Draft, plain: readonly string[]): void {
	if (plain.length > 1 && chance.happens(0.2)) {
		const columns = chance.some(plain, 2).slice(0, 2);
		draft.lines.push(`UNIQUE (${columns.join(", ")})${chance.pick(onConflict)}`);
		draft.uniques.push(columns);
	}
	if (chance.happens(0.1)) draft.lines.push(`CHECK (${plain[0]} IS NOT ${plain[1]} OR ${plain[0]} IS NULL)`);
}

const actions = ["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"];

/** The name of the table that is referred to. */
function foreignKey(
	chance: Chance,
	draft: Draft,
	schema: Schema,
	own: { readonly name: string; readonly plain: readonly string[] },
): string | null {
	if (!chance.happens(0.35)) return null;
	const self = { name: own.name, uniques: draft.uniques };
	const parents = [...schema.tables, ...(chance.happens(0.3) ? [self] : [])].filter(
		(table) => table.uniques.length > 0,
	);
	if (parents.length === 0) return null;
	const parent = chance.pick(parents);
	const target = chance.pick(parent.uniques);
	const columns = own.plain.slice(0, target.length);
	if (columns.length < target.length) return null;
	const action = (event: string): string =>
		chance.happens(0.7)
			? ` ON ${event} ${chance.weighted([
					[4, "CASCADE"],
					[4, chance.pick(actions)],
				])}`
			: "";
	const deferred = chance.happens(0.3) ? " DEFERRABLE INITIALLY DEFERRED" : "";
	draft.lines.push(
		`FOREIGN KEY (${columns.join(", ")}) REFERENCES ${parent.name} (${target.join(", ")})${action("DELETE")}${action("UPDATE")}${deferred}`,
	);
	return parent.name;
}

export function createVirtualTable(chance: Chance, schema: Schema): SchemaChange {
	const { name, counter } = freshObject(chance, schema, "v");
	const column = (one: string): Column => ({ name: one, type: "", generated: false });
	const full = chance.happens(0.6);
	const options = chance.pick([
		"",
		"",
		", tokenize = 'porter'",
		", prefix = '2 3'",
		", detail = none",
		", content = ''",
	]);
	const table: Table = {
		name,
		kind: full ? "fts5" : "rtree",
		columns: (full ? ["title", "body"] : ["id", "x0", "x1", "y0", "y1"]).map(column),
		strict: false,
		rowid: full ? "rowid" : "id",
		uniques: [],
		referenced: false,
	};
	const sql = full
		? `CREATE VIRTUAL TABLE ${name} USING fts5 (title, body${options})`
		: `CREATE VIRTUAL TABLE ${name} USING ${chance.pick(["rtree", "rtree_i32"])} (id, x0, x1, y0, y1${chance.pick(["", ", +note"])})`;
	return { sql, schema: { ...schema, counter, tables: [...schema.tables, table] } };
}

export function createTableAs(
	chance: Chance,
	schema: Schema,
	select: (source: Table) => string,
): SchemaChange | null {
	const sources = schema.tables.filter((table) => table.kind === "table");
	if (sources.length === 0) return null;
	const { name, counter } = freshObject(chance, schema, "t");
	const table: Table = {
		name,
		kind: "table",
		columns: ["a", "b"].map((column) => ({ name: column, type: "", generated: false })),
		strict: false,
		rowid: "rowid",
		uniques: [],
		referenced: false,
	};
	return {
		sql: `CREATE TABLE ${name} AS ${select(chance.pick(sources))}`,
		schema: { ...schema, counter, tables: [...schema.tables, table] },
	};
}
