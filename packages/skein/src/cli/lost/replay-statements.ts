/**
 * The statements that make the changes of a lost transaction again, for one transaction. A row that is as the lost one left it
 * is let be; one that was changed since fails, and so does the whole: what came later is not overwritten.
 */
import type { Argument, StatementInput } from "../../../../client/src/index.ts";
import type { NotedChange, NotedRow, NotedValue } from "../../database/transaction-note.ts";

/** Of a statement that found a row changed: SQLite has no way to fail by choice outside of triggers. */
export const conflictMessage = "malformed JSON";

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `columnsOf`: of a table as it is now, in order, without generated ones. */
export function replayStatements(
	changes: readonly NotedChange[],
	columnsOf: (table: string) => readonly string[],
): StatementInput[] {
	// Rows come table by table, not as they were written: parents may come after their children.
	return [
		{ sql: "PRAGMA defer_foreign_keys = ON" },
		...changes.flatMap((change) => statementsOf(change, columnsOf)),
	];
}

function statementsOf(
	change: NotedChange,
	columnsOf: (table: string) => readonly string[],
): StatementInput[] {
	switch (change.operation) {
		case "sql":
			return [{ sql: change.sql }];
		case "insert": {
			const row = named(change.row, columnsOf(change.table));
			return [insertOf(quote(change.table), row)];
		}
		case "delete": {
			const row = named(change.row, columnsOf(change.table));
			const table = quote(change.table);
			const statement = built`DELETE FROM ${table} WHERE ${matches(row)}`;
			return [
				statement,
				sure(built`NOT EXISTS (SELECT 1 FROM ${table} WHERE ${matches(pick(row, change.key))})`),
			];
		}
		case "update": {
			const columns = columnsOf(change.table);
			const table = quote(change.table);
			const before = named(change.before, columns);
			const after = named(change.after, columns).filter(isPresent);
			const key = pick(before, change.key);
			const was = before.filter((column) => isPresent(column) && !key.includes(column));
			const statement = built`UPDATE OR ABORT ${table} SET ${assigned(after)} WHERE ${matches([...key, ...was])}`;
			return [statement, sure(built`EXISTS (SELECT 1 FROM ${table} WHERE ${matches([...key, ...after])})`)];
		}
		case "row": {
			const number: Column = { name: change.rowid, value: change.number };
			const table = quote(change.table);
			if (change.row === null)
				return [sure(built`NOT EXISTS (SELECT 1 FROM ${table} WHERE ${matches([number])})`)];
			return [insertOf(table, [number, ...named(change.row, change.columns)])];
		}
		default: {
			const never: never = change;
			throw new Error(String(never));
		}
	}
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

/** Fails unless the condition holds. */
function sure(condition: Piece): StatementInput {
	return built`SELECT CASE WHEN ${condition} THEN 1 ELSE json('changed since') END`;
}

function named(row: NotedRow, columns: readonly string[]): Column[] {
	if (row.length !== columns.length)
		throw new Error(
			`a table has ${columns.length} columns and had ${row.length} when it was written: skein lost show says what to do by hand`,
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
