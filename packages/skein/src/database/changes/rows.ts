/**
 * Exact rows of one table by rowid, as bytes: the state that a request left, not the way to it.
 *
 *   table name, name of the rowid, number of columns, their names;
 *   then for each row: rowid (8 bytes), 1 and its values, or 0 if it is gone.
 *
 * Strings and blobs: length (4 bytes), bytes. A value: one byte of type, then what the type needs.
 * Text travels as its bytes, never as a string: SQLite lets text hold bytes that are no UTF-8.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { type NotedTable, quoteName } from "./schema.ts";

const types = { null: 0, integer: 1, real: 2, text: 3, blob: 4 } as const;

/** For each column its value, and whether the bytes are text. */
export type RowValues = readonly (readonly [SQLInputValue, boolean])[];

/** Null: the row is gone. */
export type RowReader = (rowid: bigint) => RowValues | null;

/** Where rows are read. */
export interface RowSource {
	/** As it stands behind FROM. */
	readonly from: string;
	readonly rowid: string;
	readonly columns: readonly string[];
}

export function sourceOf(table: NotedTable): RowSource {
	return { from: `main.${quoteName(table.name)}`, rowid: table.rowid, columns: table.columns };
}

export function rowReader(connection: DatabaseSync, { from, rowid: key, columns }: RowSource): RowReader {
	const parts = columns.flatMap((column) => {
		const name = quoteName(column);
		return [
			`CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE ${name} END`,
			`typeof(${name}) = 'text'`,
		];
	});
	// A row wider than SQLite's limit on result columns is read in slices.
	const slices: string[][] = [];
	const sliceLength = 1_000;
	for (let start = 0; start < parts.length; start += sliceLength)
		slices.push(parts.slice(start, start + sliceLength));
	const statements = slices.map((slice) => {
		const statement = connection.prepare(`SELECT ${slice.join(", ")} FROM ${from} WHERE ${key} = ?`);
		statement.setReadBigInts(true);
		statement.setReturnArrays(true);
		return statement;
	});
	return (rowid) => {
		const values: [SQLInputValue, boolean][] = [];
		for (const statement of statements) {
			const row = statement.get(rowid) as unknown as SQLInputValue[] | undefined;
			if (row === undefined) return null;
			for (let place = 0; place < row.length; place += 2)
				values.push([row[place] ?? null, row[place + 1] === 1n]);
		}
		return values;
	};
}

export function encodeRows(
	table: Pick<NotedTable, "name" | "rowid" | "columns">,
	rows: Iterable<readonly [rowid: bigint, values: RowValues | null]>,
): Uint8Array {
	const out = createOutput();
	out.text(table.name);
	out.text(table.rowid);
	out.number(table.columns.length);
	for (const column of table.columns) out.text(column);
	for (const [rowid, values] of rows) {
		out.integer(rowid);
		out.byte(values === null ? 0 : 1);
		for (const [value, isText] of values ?? []) encodeValue(out, value, isText);
	}
	return out.bytes();
}

export function sameValues(left: RowValues, right: RowValues): boolean {
	return left.every(([value, isText], place) => {
		const [other, otherIsText] = right[place] ?? [null, false];
		if (isText !== otherIsText) return false;
		if (value instanceof Uint8Array && other instanceof Uint8Array) return sameBytes(value, other);
		return Object.is(value, other);
	});
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
	return left.length === right.length && left.every((byte, place) => byte === right[place]);
}

function encodeValue(out: Output, value: SQLInputValue, isText: boolean): void {
	if (value === null) out.byte(types.null);
	else if (typeof value === "bigint") {
		out.byte(types.integer);
		out.integer(value);
	} else if (typeof value === "number") {
		out.byte(types.real);
		out.real(value);
	} else if (value instanceof Uint8Array) {
		out.byte(isText ? types.text : types.blob);
		out.blob(value);
	} else throw new Error(`a value of type ${typeof value} in a row`);
}

/** Puts the rows in place: first all of them are removed, so that none is in another's way. */
export function applyRows(connection: DatabaseSync, bytes: Uint8Array): void {
	const { table: name, rowid, columns, rows } = decodeRows(bytes);
	const table = `main.${quoteName(name)}`;
	const remove = connection.prepare(`DELETE FROM ${table} WHERE ${rowid} = ?`);
	for (const row of rows) remove.run(row.rowid);
	// Text comes as bytes and is bound as a blob; the cast makes it text again, byte for byte.
	const shapes = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
	for (const row of rows) {
		if (row.values === null) continue;
		const shape = row.values.map(([, isText]) => (isText ? "t" : "v")).join("");
		let insert = shapes.get(shape);
		if (insert === undefined) {
			const places = row.values.map(([, isText]) => (isText ? "CAST(? AS TEXT)" : "?"));
			const names = [rowid, ...columns.map(quoteName)].join(", ");
			insert = connection.prepare(
				`INSERT OR REPLACE INTO ${table} (${names}) VALUES (${["?", ...places].join(", ")})`,
			);
			if (shapes.size < 100) shapes.set(shape, insert);
		}
		insert.run(row.rowid, ...row.values.map(([value]) => value));
	}
}

export interface DecodedRows {
	readonly table: string;
	/** Its name in this table. */
	readonly rowid: string;
	readonly columns: readonly string[];
	readonly rows: readonly EncodedRow[];
}

export function decodeRows(bytes: Uint8Array): DecodedRows {
	const input = createInput(bytes);
	const table = input.text();
	const rowid = input.text();
	const columns = Array.from({ length: input.number() }, () => input.text());
	return { table, rowid, columns, rows: readRows(input, columns.length) };
}

interface EncodedRow {
	readonly rowid: bigint;
	readonly values: RowValues | null;
}

function readRows(input: Input, columnCount: number): EncodedRow[] {
	const rows: EncodedRow[] = [];
	while (!input.atEnd()) {
		const rowid = input.integer();
		const present = input.byte() === 1;
		rows.push({
			rowid,
			values: present ? Array.from({ length: columnCount }, () => decodeValue(input)) : null,
		});
	}
	return rows;
}

function decodeValue(input: Input): readonly [SQLInputValue, boolean] {
	const type = input.byte();
	switch (type) {
		case types.null:
			return [null, false];
		case types.integer:
			return [input.integer(), false];
		case types.real:
			return [input.real(), false];
		case types.text:
			return [input.blob(), true];
		case types.blob:
			return [input.blob(), false];
		default:
			throw new Error(`a value of unknown type ${type} in a row`);
	}
}

type Output = ReturnType<typeof createOutput>;
type Input = ReturnType<typeof createInput>;

function createOutput() {
	let buffer = new Uint8Array(256);
	let view = new DataView(buffer.buffer);
	let length = 0;

	function room(size: number): number {
		if (length + size > buffer.length) {
			const larger = new Uint8Array(Math.max(buffer.length * 2, length + size));
			larger.set(buffer);
			buffer = larger;
			view = new DataView(buffer.buffer);
		}
		const at = length;
		length += size;
		return at;
	}

	function blob(bytes: Uint8Array): void {
		const at = room(4 + bytes.length);
		view.setUint32(at, bytes.length);
		buffer.set(bytes, at + 4);
	}

	return {
		byte(value: number): void {
			const at = room(1);
			view.setUint8(at, value);
		},
		number(value: number): void {
			const at = room(4);
			view.setUint32(at, value);
		},
		integer(value: bigint): void {
			const at = room(8);
			view.setBigInt64(at, value);
		},
		real(value: number): void {
			const at = room(8);
			view.setFloat64(at, value);
		},
		blob,
		text: (value: string) => blob(new TextEncoder().encode(value)),
		bytes: () => buffer.subarray(0, length),
	};
}

function createInput(bytes: Uint8Array) {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let offset = 0;

	function take(size: number): number {
		const at = offset;
		offset += size;
		return at;
	}

	function blob(): Uint8Array {
		const length = view.getUint32(take(4));
		const at = take(length);
		if (offset > bytes.length) throw new Error("rows end inside a value");
		return bytes.subarray(at, at + length);
	}

	return {
		atEnd: () => offset >= bytes.length,
		byte: () => view.getUint8(take(1)),
		number: () => view.getUint32(take(4)),
		integer: () => view.getBigInt64(take(8)),
		real: () => view.getFloat64(take(8)),
		blob,
		text: () => new TextDecoder().decode(blob()),
	};
}
