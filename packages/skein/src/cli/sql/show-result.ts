// A statement's result for people (a table) and for programs (one JSON object a line).
import Table from "cli-table3";
import type { Result, Value } from "../../../../client/src/index.ts";

/** Above this a table is of no use to a person, and slow to lay out. */
export const mostTableRows = 10_000;

/** Empty for a statement that has no columns. */
export function tableOf(result: Result): string {
	if (result.columns.length === 0) return "";
	const shown = result.rows.slice(0, mostTableRows).map((row) => row.map(showValue));
	const isNumeric = result.columns.map(
		(_, index) => result.rows.length > 0 && result.rows.every((row) => isNumberOrNull(row[index] ?? null)),
	);
	const count = `${result.rows.length} ${result.rows.length === 1 ? "row" : "rows"}`;
	const left = result.rows.length > shown.length ? `, the first ${shown.length} shown; all with --json` : "";
	return `${drawTable(result.columns.map(showText), shown, isNumeric)}\n${count}${left}`;
}

export function drawTable(
	columns: readonly string[],
	rows: readonly (readonly string[])[],
	alignRight: readonly boolean[],
): string {
	const table = new Table({
		head: [...columns],
		colAligns: columns.map((_, index) => (alignRight[index] === true ? "right" : "left")),
		style: { head: [], border: [], compact: true },
	});
	for (const row of rows) table.push([...row]);
	return table.toString();
}

function isNumberOrNull(value: Value): boolean {
	return value === null || typeof value === "number" || typeof value === "bigint";
}

function showValue(value: Value): string {
	if (value === null) return "NULL";
	if (value instanceof Uint8Array) return showBlob(value);
	// A number is a REAL here, and looks like one, as in SQLite's own shell.
	if (Number.isInteger(value)) return Number(value).toFixed(1);
	return showText(String(value));
}

function showBlob(bytes: Uint8Array): string {
	const most = 32;
	const hex = Buffer.from(bytes.subarray(0, most)).toString("hex");
	return `x'${hex}${bytes.length > most ? `…' (${bytes.length} bytes)` : "'"}`;
}

/** Stored text must not steer the terminal: control characters are shown, not sent. */
export function showText(text: string): string {
	// oxlint-disable-next-line no-control-regex
	return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, (character) => {
		if (character === "\t") return "  ";
		return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
	});
}

/** The same form as `POST /sql`: integers beyond 2^53 are strings, blobs { base64 }. */
export function jsonOf(result: Result): string {
	const { columns, rows, changes, lastInsertRowid, session } = result;
	return JSON.stringify({ columns, rows, changes, lastInsertRowid, session }, (_key, value: unknown) => {
		if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
		if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
		return value;
	});
}
