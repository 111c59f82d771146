/** What a payload tells of the transaction that it holds: for the report of its loss. */
import { isUtf8 } from "node:buffer";
import type { SQLInputValue } from "node:sqlite";
import { isOwnTable } from "../own-tables.ts";
import { readSettingChange } from "../setting-change.ts";
import type { NotedChange, NotedTransaction, NotedValue } from "../transaction-note.ts";
import { type Change, type ChangesetValue, readChanges } from "./changeset.ts";
import { decodeBeginning, decodePayload, formatOf, noteOf, type Part } from "./payload.ts";
import { decodeRows } from "./rows.ts";

/** Rows that are shown of one transaction. */
const maxChanges = 1_000;

/** Null: it carries no note, so nobody was answered early. `isWhole` false: the beginning of a payload only. */
export function notedTransaction(payload: Uint8Array, isWhole: boolean): NotedTransaction | null {
	// A setting of the database: never answered early.
	if (readSettingChange(payload) !== null) return null;
	const note = noteOf(payload);
	if (note === null) return null;
	const isWal = formatOf(payload) === "wal";
	// Of rows a beginning would look like all. In the format wal what the client sent comes first, and then pages.
	if (!isWhole && !isWal) return { note, changes: [], isCut: true };
	const changes: NotedChange[] = [];
	for (const part of isWhole ? decodePayload(payload) : decodeBeginning(payload)) {
		for (const change of changesOf(part)) {
			if (changes.length === maxChanges) return { note, changes, isCut: true };
			changes.push(change);
		}
	}
	return { note, changes, isCut: !isWhole };
}

function* changesOf(part: Part): Generator<NotedChange> {
	switch (part.type) {
		case "note":
		case "sequence":
		// Of the format wal: what the client sent stands beside them.
		case "pages":
		case "setting":
			return;
		case "sql":
			yield { operation: "sql", sql: part.sql };
			return;
		case "statement": {
			const { sql, values } = part.statement;
			yield { operation: "statement", sql, values: values.map((value) => notedValue(value, false)) };
			return;
		}
		case "changeset":
			// Our own tables hold what was told to its client: nobody has to make that again.
			for (const change of readChanges(part.bytes)) if (!isOwnTable(change.table)) yield rowChange(change);
			return;
		case "rows": {
			const { table, rowid, columns, rows } = decodeRows(part.bytes);
			for (const { rowid: number, values } of rows) {
				const row = values?.map(([value, isText]) => notedValue(value, isText)) ?? null;
				yield { operation: "row", table, rowid, number: notedValue(number, false), columns, row };
			}
			return;
		}
		default: {
			const never: never = part;
			throw new Error(String(never));
		}
	}
}

function rowChange({ table, isKey, old, new: fresh }: Change): NotedChange {
	const key = isKey.flatMap((is, place) => (is ? [place] : []));
	if (old !== null && fresh !== null)
		return { operation: "update", table, key, before: old.map(columnValue), after: fresh.map(columnValue) };
	const row = (old ?? fresh ?? []).map(columnValue);
	return { operation: old === null ? "insert" : "delete", table, key, row };
}

function columnValue(column: ChangesetValue): NotedValue {
	return column === undefined ? { unchanged: true } : notedValue(column.value, column.isText);
}

function notedValue(value: SQLInputValue, isText: boolean): NotedValue {
	if (value === null || typeof value === "string") return value;
	if (typeof value === "bigint") {
		const number = Number(value);
		return Number.isSafeInteger(number) ? number : { integer: String(value) };
	}
	if (typeof value === "number") {
		const isPlain = Number.isFinite(value) && !Number.isSafeInteger(value);
		return isPlain ? value : { real: Object.is(value, -0) ? "-0" : String(value) };
	}
	const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
	if (!isText) return { base64: bytes.toString("base64") };
	return isUtf8(bytes) ? bytes.toString() : { textBase64: bytes.toString("base64") };
}
