/**
 * SQLite's changeset format, as far as it must be looked into (sqlite3session.c, "CHANGESET FORMAT"):
 * a table's header ('T', number of columns, key flags, name), then its changes: one byte of operation,
 * one byte "indirect", then a record (for updates two: old and new), each column a type byte and a value.
 */
import type { SQLInputValue } from "node:sqlite";

const tableMark = 0x54;
const operations = { insert: 18, update: 23, delete: 9 } as const;

/** undefined: the column is not part of the record (an update's unchanged one). Text stays bytes. */
export type ChangesetValue = { readonly value: SQLInputValue; readonly isText: boolean } | undefined;

export interface Change {
	readonly table: string;
	readonly isKey: readonly boolean[];
	readonly old: readonly ChangesetValue[] | null;
	readonly new: readonly ChangesetValue[] | null;
}

interface Cursor {
	readonly bytes: Uint8Array;
	readonly view: DataView;
	offset: number;
}

interface Table {
	readonly name: string;
	readonly isKey: readonly boolean[];
}

/** The changeset without the tables that `keep` refuses. */
export function keepTables(changeset: Uint8Array, keep: (table: string) => boolean): Uint8Array {
	const cursor = open(changeset);
	const kept: Uint8Array[] = [];
	let start = 0;
	let keeping = true;
	let columns = 0;
	while (cursor.offset < changeset.length) {
		const at = cursor.offset;
		if (changeset[at] === tableMark) {
			if (keeping && at > start) kept.push(changeset.subarray(start, at));
			const table = readTable(cursor);
			start = at;
			keeping = keep(table.name);
			columns = table.isKey.length;
		} else skipChange(cursor, columns);
	}
	if (keeping && changeset.length > start) kept.push(changeset.subarray(start));
	return kept.length === 1 && kept[0]?.length === changeset.length ? changeset : concatenate(kept);
}

export function* readChanges(changeset: Uint8Array): Generator<Change> {
	const cursor = open(changeset);
	let table: Table | null = null;
	while (cursor.offset < changeset.length) {
		if (changeset[cursor.offset] === tableMark) {
			table = readTable(cursor);
			continue;
		}
		if (table === null) throw new Error("a changeset without a table");
		const operation = readOperation(cursor);
		const count = table.isKey.length;
		const old = operation === operations.insert ? null : readRecord(cursor, count);
		const fresh = operation === operations.delete ? null : readRecord(cursor, count);
		yield { table: table.name, isKey: table.isKey, old, new: fresh };
	}
}

function open(bytes: Uint8Array): Cursor {
	return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
}

function readTable(cursor: Cursor): Table {
	cursor.offset++;
	const count = readVarint(cursor);
	const isKey = Array.from(cursor.bytes.subarray(cursor.offset, cursor.offset + count), (flag) => flag !== 0);
	cursor.offset += count;
	const end = cursor.bytes.indexOf(0, cursor.offset);
	const name = new TextDecoder().decode(cursor.bytes.subarray(cursor.offset, end));
	cursor.offset = end + 1;
	return { name, isKey };
}

function readOperation(cursor: Cursor): number {
	const operation = cursor.bytes[cursor.offset];
	cursor.offset += 2;
	if (operation !== operations.insert && operation !== operations.update && operation !== operations.delete) {
		throw new Error(`a changeset with an unknown operation ${operation}`);
	}
	return operation;
}

function skipChange(cursor: Cursor, columns: number): void {
	const operation = readOperation(cursor);
	const records = operation === operations.update ? 2 : 1;
	for (let left = records * columns; left > 0; left--) skipValue(cursor);
}

function skipValue(cursor: Cursor): void {
	const type = cursor.bytes[cursor.offset++];
	if (type === 1 || type === 2) cursor.offset += 8;
	else if (type === 3 || type === 4) {
		const length = readVarint(cursor);
		cursor.offset += length;
	} else if (type !== 0 && type !== 5) throw new Error(`a changeset with a value of unknown type ${type}`);
}

function readRecord(cursor: Cursor, count: number): ChangesetValue[] {
	return Array.from({ length: count }, () => readValue(cursor));
}

function readValue(cursor: Cursor): ChangesetValue {
	const start = cursor.offset;
	const type = cursor.bytes[start];
	skipValue(cursor);
	switch (type) {
		case 0:
			return undefined;
		case 1:
			return { value: cursor.view.getBigInt64(start + 1), isText: false };
		case 2:
			return { value: cursor.view.getFloat64(start + 1), isText: false };
		case 3:
		case 4: {
			const inner: Cursor = { ...cursor, offset: start + 1 };
			const length = readVarint(inner);
			return { value: cursor.bytes.subarray(inner.offset, inner.offset + length), isText: type === 3 };
		}
		default:
			return { value: null, isText: false };
	}
}

/** SQLite's: seven bits a byte, the highest first, the ninth byte whole. Lengths fit into a number. */
function readVarint(cursor: Cursor): number {
	let value = 0;
	for (let place = 0; place < 9; place++) {
		const byte = cursor.bytes[cursor.offset++] ?? 0;
		value = value * 128 + (byte & 0x7f);
		if (byte < 0x80) return value;
	}
	throw new Error("a changeset with a length beyond all bounds");
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
	const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
	let offset = 0;
	for (const piece of pieces) {
		whole.set(piece, offset);
		offset += piece.length;
	}
	return whole;
}
