/** What a payload of the row format tells of the transaction that it holds: for the report of its loss. */
import type { SQLInputValue } from "node:sqlite";
import type { NotedChange, NotedTransaction, NotedValue } from "../transaction-note.ts";
import { type ChangesetValue, readChanges } from "./changeset.ts";
import { decodeFirstPart, decodePayload, type Part } from "./payload.ts";
import { decodeRows } from "./rows.ts";

/** Rows that are shown of one transaction. */
const maxChanges = 1_000;

/** Null: it carries no note, so nobody was answered early. `isWhole` false: the beginning of a payload only. */
export function notedTransaction(payload: Uint8Array, isWhole: boolean): NotedTransaction | null {
	const first = decodeFirstPart(payload);
	if (first?.type !== "note") return null;
	const { note } = first;
	if (!isWhole) return { note, changes: [], isCut: true };
	const changes: NotedChange[] = [];
	for (const part of decodePayload(payload)) {
		for (const change of changesOf(part)) {
			if (changes.length === maxChanges) return { note, changes, isCut: true };
			changes.push(change);
		}
	}
	return { note, changes, isCut: false };
}

function* changesOf(part: Part): Generator<NotedChange> {
	switch (part.type) {
		case "note":
		case "sequence":
			return;
		case "sql":
			yield { operation: "sql", sql: part.sql };
			return;
		case "changeset":
			for (const { table, old, new: fresh } of readChanges(part.bytes)) {
				const before = old === null ? {} : { before: old.map(columnValue) };
				const after = fresh === null ? {} : { after: fresh.map(columnValue) };
				const operation = old === null ? "insert" : fresh === null ? "delete" : "update";
				yield { operation, table, ...before, ...after };
			}
			return;
		case "rows": {
			const { table, rows } = decodeRows(part.bytes);
			for (const { rowid, values } of rows) {
				const shown = values?.map(([value, isText]) => notedValue(value, isText)) ?? [];
				yield values === null
					? { operation: "delete", table, before: [notedValue(rowid, false)] }
					: { operation: "rows", table, after: [notedValue(rowid, false), ...shown] };
			}
			return;
		}
		default: {
			const never: never = part;
			throw new Error(String(never));
		}
	}
}

function columnValue(column: ChangesetValue): NotedValue {
	return column === undefined ? null : notedValue(column.value, column.isText);
}

function notedValue(value: SQLInputValue, isText: boolean): NotedValue {
	if (value === null || typeof value === "string" || typeof value === "number") return value;
	if (typeof value === "bigint") {
		const number = Number(value);
		return Number.isSafeInteger(number) ? number : String(value);
	}
	const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
	return isText ? bytes.toString() : { base64: bytes.toString("base64") };
}
