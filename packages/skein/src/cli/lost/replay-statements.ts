/**
 * The statements that make the changes of a lost transaction again, for one transaction. A row that is as the lost one left it
 * is let be; one that was changed since fails, and so does the whole: what came later is not overwritten.
 */
import type { Argument, StatementInput } from "../../../../client/src/index.ts";
import type { NotedChange, NotedRow, NotedValue } from "../../database/transaction-note.ts";
import type { ForeignKeyAction, ScratchSchema } from "./scratch-schema.ts";

/** What statements fail with by choice, outside of triggers: SQLite says the path that it cannot read. */
export const marker = {
	changed: "skein: changed since",
	referred: "skein: referred to by ",
	key: "skein: the key is used",
	forgotten: "skein: outcomes are forgotten",
	schema: "skein: the schema changed",
	rehearsed: "skein: rehearsed",
};

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

type RowChange = Exclude<NotedChange, { operation: "sql" | "statement" | "row" }>;

/** `schema` is of the cluster, and goes along with the changes. Throws where they cannot be made again exactly. */
export function replayStatements(changes: readonly NotedChange[], schema: ScratchSchema): StatementInput[] {
	// Rows come table by table, not as they were written: parents may come after their children.
	const statements: StatementInput[] = [{ sql: "PRAGMA defer_foreign_keys = ON" }];
	const isFresh = freshTables(changes, schema);
	let rows: RowChange[] = [];
	const flush = (): void => {
		for (const change of childrenFirst(rows, schema)) statements.push(...statementsOf(change, schema));
		rows = [];
	};
	for (const change of changes) {
		if (change.operation === "sql") {
			flush();
			if (mayDestroy(change.sql)) throw byHand(`${change.sql} would take along what came since`);
			schema.run(change.sql);
			statements.push({ sql: change.sql });
		} else if (change.operation === "statement") {
			throw byHand(
				`it was logged as SQL (log format statement), so which rows it changed is not known, and today they might be others: ${change.sql}`,
			);
		} else if (change.operation === "row" && change.row !== null && isFresh(change.table)) {
			flush();
			const row = named(change.row, change.columns, change.table);
			statements.push(insertOf(quote(change.table), [{ name: change.rowid, value: change.number }, ...row]));
		} else rows.push(checked(change, schema));
	}
	flush();
	return statements;
}

/** Of tables that the transaction created: what it left there it inserted, whatever the key. */
function freshTables(changes: readonly NotedChange[], schema: ScratchSchema): (table: string) => boolean {
	const texts = changes.flatMap((change) => (change.operation === "sql" ? [change.sql] : []));
	// A table that was renamed is new by its name only, and IF NOT EXISTS may have made nothing.
	if (!texts.every((sql) => /^\s*create\s+(table\s+(?!if\b)|(unique\s+)?index\b)/i.test(sql)))
		return () => false;
	const tables = new Set(
		changes.flatMap((change) => ("table" in change ? [change.table.toLowerCase()] : [])),
	);
	const old = new Set([...tables].filter((table) => schema.columnsOf(table).length > 0));
	return (table) => !old.has(table.toLowerCase());
}

function mayDestroy(sql: string): boolean {
	return /\bdrop\b/i.test(sql) && !/^\s*(create\b|drop\s+(index|view|trigger)\b)/i.test(sql);
}

function checked(
	change: Exclude<NotedChange, { operation: "sql" | "statement" }>,
	schema: ScratchSchema,
): RowChange {
	const { table } = change;
	if (schema.isVirtual(table))
		throw byHand(
			`${table} is, or belongs to, a virtual table (FTS5, R-Tree), which only its own SQL can write`,
		);
	if (change.operation === "row")
		throw byHand(
			`the key of the table ${table} is neither INTEGER PRIMARY KEY nor of a table WITHOUT ROWID, so what its rows were before is not known`,
		);
	// They ran when it was written, and what they changed is among its changes. They would run again.
	const trigger = schema.triggerOf(table);
	if (trigger !== null)
		throw byHand(`the table ${table} has the trigger ${trigger}, which would run once more`);
	return change;
}

function byHand(why: string): Error {
	return new Error(`${why}: make the changes by hand, as skein lost show has them`);
}

/**
 * What an action of a foreign key did is among the changes. So it is done before the action could do it, and the action must
 * find nothing: what refers to the row now came later (`unreferred`). A table that refers to itself keeps its order.
 */
function childrenFirst(changes: readonly RowChange[], schema: ScratchSchema): RowChange[] {
	const byTable = Map.groupBy(changes, ({ table }) => table.toLowerCase());
	const done: RowChange[] = [];
	const seen = new Set<string>();
	function visit(table: string): void {
		if (seen.has(table)) return;
		seen.add(table);
		const mine = byTable.get(table);
		if (mine === undefined) return;
		for (const { child } of schema.actionsOn(table)) visit(child.toLowerCase());
		done.push(...mine);
	}
	for (const table of byTable.keys()) visit(table);
	return done;
}

function statementsOf(change: RowChange, schema: ScratchSchema): StatementInput[] {
	const columns = schema.columnsOf(change.table);
	const table = quote(change.table);
	switch (change.operation) {
		case "insert":
			return [insertOf(table, named(change.row, columns, change.table))];
		case "delete": {
			const row = named(change.row, columns, change.table);
			const actions = schema.actionsOn(change.table).filter(({ onDelete }) => onDelete);
			return [
				...actions.map((action) => unreferred(action, table, row)),
				built`DELETE FROM ${table} WHERE ${matches(row)}`,
				sure(
					built`NOT EXISTS (SELECT 1 FROM ${table} WHERE ${matches(pick(row, change.key))})`,
					marker.changed,
				),
			];
		}
		case "update": {
			const before = named(change.before, columns, change.table);
			const after = named(change.after, columns, change.table).filter(isPresent);
			const key = pick(before, change.key);
			const was = before.filter((column) => isPresent(column) && !key.includes(column));
			const touched = new Set(after.map(({ name }) => name.toLowerCase()));
			const actions = schema
				.actionsOn(change.table)
				.filter(
					(action) => action.onUpdate && action.columns.some(([, to]) => touched.has(to.toLowerCase())),
				);
			return [
				...actions.map((action) => unreferred(action, table, [...key, ...was])),
				built`UPDATE OR ABORT ${table} SET ${assigned(after)} WHERE ${matches([...key, ...was])}`,
				sure(built`EXISTS (SELECT 1 FROM ${table} WHERE ${matches([...key, ...after])})`, marker.changed),
			];
		}
		default: {
			const never: never = change;
			throw new Error(String(never));
		}
	}
}

/** Nothing refers to the row. Compared as the foreign key does it: by the rules of the column that it refers to. */
function unreferred(
	{ child, columns }: ForeignKeyAction,
	table: string,
	row: readonly Column[],
): StatementInput {
	const same = columns.map(([from, to]) => `p.${quote(to)} = c.${quote(from)}`).join(" AND ");
	return sure(
		built`NOT EXISTS (SELECT 1 FROM (SELECT * FROM ${table} WHERE ${matches(row)}) AS p, ${quote(child)} AS c WHERE ${same})`,
		`${marker.referred}${child}`,
	);
}

interface Column {
	readonly name: string;
	readonly value: NotedValue;
}

interface Piece {
	readonly sql: string;
	readonly args: readonly Argument[];
}

function insertOf(table: string, row: readonly Column[]): StatementInput {
	const names = row.map(({ name }) => quote(name)).join(", ");
	const values = joined(
		row.map(({ value }) => valuePiece(value)),
		", ",
	);
	return built`INSERT OR ABORT INTO ${table} (${names}) SELECT ${values} WHERE NOT EXISTS (SELECT 1 FROM ${table} WHERE ${matches(row)})`;
}

/** Fails with the text unless the condition holds. */
export function sure(condition: Piece, text: string): StatementInput {
	return built`SELECT CASE WHEN ${condition} THEN 1 ELSE json_extract('{}', ${{ sql: "?", args: [text] }}) END`;
}

function named(row: NotedRow, columns: readonly string[], table: string): Column[] {
	if (columns.length === 0) throw byHand(`there is no table ${table}`);
	if (row.length !== columns.length)
		throw byHand(
			`the table ${table} has ${columns.length} columns and had ${row.length} when it was written`,
		);
	return row.map((value, place) => ({ name: columns[place] ?? "", value }));
}

const pick = (row: readonly Column[], places: readonly number[]): Column[] =>
	row.filter((_, place) => places.includes(place));

function isPresent({ value }: Column): boolean {
	return !(typeof value === "object" && value !== null && "unchanged" in value);
}

const matches = (row: readonly Column[]): Piece =>
	joined(
		row.map(({ name, value }) => built`${quote(name)} COLLATE BINARY IS ${valuePiece(value)}`),
		" AND ",
	);

const assigned = (row: readonly Column[]): Piece =>
	joined(
		row.map(({ name, value }) => built`${quote(name)} = ${valuePiece(value)}`),
		", ",
	);

function valuePiece(value: NotedValue): Piece {
	if (value === null || typeof value !== "object") return { sql: "?", args: [value] };
	if ("integer" in value) return { sql: "?", args: [BigInt(value.integer)] };
	if ("real" in value) return realPiece(value.real);
	if ("base64" in value) return { sql: "?", args: [Buffer.from(value.base64, "base64")] };
	if ("textBase64" in value)
		return { sql: "CAST(? AS TEXT)", args: [Buffer.from(value.textBase64, "base64")] };
	throw new Error("a column that stayed as it was, where a value must be");
}

function realPiece(text: string): Piece {
	const number = Number(text);
	if (Number.isFinite(number)) return { sql: "CAST(? AS REAL)", args: [number] };
	return { sql: number > 0 ? "9e999" : "-9e999", args: [] };
}

function built(texts: TemplateStringsArray, ...pieces: readonly (Piece | string)[]): Piece {
	let sql = texts[0] ?? "";
	const args: Argument[] = [];
	for (const [place, piece] of pieces.entries()) {
		sql += typeof piece === "string" ? piece : piece.sql;
		if (typeof piece !== "string") args.push(...piece.args);
		sql += texts[place + 1] ?? "";
	}
	return { sql, args };
}

function joined(pieces: readonly Piece[], between: string): Piece {
	return { sql: pieces.map(({ sql }) => sql).join(between), args: pieces.flatMap(({ args }) => args) };
}
