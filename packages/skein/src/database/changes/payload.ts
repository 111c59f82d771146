/**
 * The payload of the log formats: a byte that tells the format, then parts, applied in order. Each part
 * is a type byte, its length (4 bytes, big-endian) and its body:
 *
 * 1 changeset  a changeset of SQLite's session extension
 * 2 sql        one statement that changes the schema or a pragma of the file, UTF-8
 * 3 rows       exact rows of one table, by rowid (rows.ts)
 * 4 statement  a statement and its arguments, with what must come out equal (logged-statement.ts)
 * 5 sequence   the whole of sqlite_sequence, as rows
 * 6 note       who sent the transaction (transaction-note.ts): JSON; first of all parts, and nothing to apply
 * 7 pages      pages of the database as they are behind the transaction (logged-pages.ts)
 * 8 setting    what these pages choose (../setting-change.ts): told before them, and nothing to apply
 *
 * The first byte: 1 row without a note, 2 row with one, 3 statement, with or without, 4 wal. Others: ../setting-change.ts. In
 * the format wal a statement is what a client sent, for the report of its loss: nothing to apply.
 */
import type { LogFormat } from "../log-format.ts";
import type { TransactionNote } from "../transaction-note.ts";
import { createStatementDecoder, createStatementEncoder, type LoggedStatement } from "./logged-statement.ts";

export type Part =
	| { readonly type: "changeset"; readonly bytes: Uint8Array }
	| { readonly type: "sql"; readonly sql: string }
	| { readonly type: "rows"; readonly bytes: Uint8Array }
	| { readonly type: "statement"; readonly statement: LoggedStatement }
	| { readonly type: "sequence"; readonly bytes: Uint8Array }
	| { readonly type: "note"; readonly note: TransactionNote }
	| { readonly type: "pages"; readonly bytes: Uint8Array }
	| { readonly type: "setting"; readonly bytes: Uint8Array };

const firstBytes = { row: 1, rowWithNote: 2, statement: 3, wal: 4 } as const;
const headerBytes = 5;
const codes = {
	changeset: 1,
	sql: 2,
	rows: 3,
	statement: 4,
	sequence: 5,
	note: 6,
	pages: 7,
	setting: 8,
} as const;
const partTypes = Object.keys(codes) as (keyof typeof codes)[];

/** The format of an entry is the entry's own word, not the database's. */
export function formatOf(payload: Uint8Array): LogFormat {
	switch (payload[0]) {
		case firstBytes.row:
		case firstBytes.rowWithNote:
			return "row";
		case firstBytes.statement:
			return "statement";
		case firstBytes.wal:
			return "wal";
		default:
			throw new Error(`a payload that begins with ${payload[0]}, which this node does not know`);
	}
}

/** Of a payload or its beginning. Pages can be written as they come; all other payloads are applied as a whole. */
export function isInPages(beginning: Uint8Array): boolean {
	return beginning[0] === firstBytes.wal;
}

export function encodePayload(parts: readonly Part[], format: LogFormat): Uint8Array<ArrayBuffer> {
	const encodeStatement = createStatementEncoder();
	const bodies = parts.map((part) => bodyOf(part, encodeStatement));
	const payload = new Uint8Array(bodies.reduce((sum, body) => sum + headerBytes + body.length, 1));
	const view = new DataView(payload.buffer);
	const isNoted = parts.some((part) => part.type === "note");
	payload[0] = format === "row" && isNoted ? firstBytes.rowWithNote : firstBytes[format];
	let offset = 1;
	for (const [number, part] of parts.entries()) {
		const body = bodies[number] ?? new Uint8Array(0);
		payload[offset] = codes[part.type];
		view.setUint32(offset + 1, body.length);
		payload.set(body, offset + headerBytes);
		offset += headerBytes + body.length;
	}
	return payload;
}

/** A payload that ends in a part of this size, which the caller writes: a copy less of what may be large. */
export function encodePayloadBefore(
	parts: readonly Part[],
	format: LogFormat,
	last: { readonly type: Part["type"]; readonly bytes: number },
): { readonly payload: Uint8Array<ArrayBuffer>; readonly body: Uint8Array } {
	const before = encodePayload(parts, format);
	const payload = new Uint8Array(before.length + headerBytes + last.bytes);
	payload.set(before);
	payload[before.length] = codes[last.type];
	new DataView(payload.buffer).setUint32(before.length + 1, last.bytes);
	return { payload, body: payload.subarray(before.length + headerBytes) };
}

function bodyOf(part: Part, encodeStatement: (statement: LoggedStatement) => Uint8Array): Uint8Array {
	switch (part.type) {
		case "changeset":
		case "rows":
		case "sequence":
		case "pages":
		case "setting":
			return part.bytes;
		case "sql":
			return new TextEncoder().encode(part.sql);
		case "statement":
			return encodeStatement(part.statement);
		case "note":
			return new TextEncoder().encode(JSON.stringify(part.note));
	}
}

export function decodePayload(payload: Uint8Array): Part[] {
	return [...readParts(payload)];
}

/** The parts that are whole, of a payload whose end is missing. */
export function decodeBeginning(payload: Uint8Array): Part[] {
	const parts: Part[] = [];
	try {
		for (const part of readParts(payload)) parts.push(part);
	} catch {
		// That is the end of what is here.
	}
	return parts;
}

/** Of a whole payload, or of one whose end is missing. Null: it carries none. */
export function noteOf(payload: Uint8Array): TransactionNote | null {
	formatOf(payload);
	// What else comes first may be longer than what is here of it.
	if (payload[1] !== codes.note) return null;
	const first = readParts(payload).next().value;
	return first?.type === "note" ? first.note : null;
}

/** What a payload of pages chooses: as in the payload of another format (../setting-change.ts). Null: nothing. */
export function settingIn(payload: Uint8Array): Uint8Array | null {
	if (payload[0] !== firstBytes.wal || payload[1] !== codes.setting) return null;
	const first = readParts(payload).next().value;
	return first?.type === "setting" ? first.bytes : null;
}

/** At the beginning of a part. Null: more of it is needed. */
export function partHeader(
	bytes: Uint8Array,
): { readonly type: Part["type"]; readonly bytes: number; readonly headerBytes: number } | null {
	if (bytes.length < headerBytes) return null;
	const type = partTypes.find((one) => codes[one] === bytes[0]);
	if (type === undefined) throw new Error(`a payload with an unknown part ${bytes[0]}`);
	const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
	return { type, bytes: length, headerBytes };
}

function* readParts(payload: Uint8Array): Generator<Part, undefined> {
	formatOf(payload);
	const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
	const decodeStatement = createStatementDecoder();
	for (let offset = 1; offset < payload.length; ) {
		if (offset + headerBytes > payload.length) throw new Error("a payload ends inside a part");
		const length = view.getUint32(offset + 1);
		const end = offset + headerBytes + length;
		if (end > payload.length) throw new Error("a payload ends inside a part");
		yield decodePart(payload[offset], payload.subarray(offset + headerBytes, end), decodeStatement);
		offset = end;
	}
}

function decodePart(
	code: number | undefined,
	body: Uint8Array,
	decodeStatement: (bytes: Uint8Array) => LoggedStatement,
): Part {
	switch (code) {
		case codes.changeset:
			return { type: "changeset", bytes: body };
		case codes.sql:
			return { type: "sql", sql: new TextDecoder().decode(body) };
		case codes.rows:
			return { type: "rows", bytes: body };
		case codes.statement:
			return { type: "statement", statement: decodeStatement(body) };
		case codes.sequence:
			return { type: "sequence", bytes: body };
		case codes.pages:
			return { type: "pages", bytes: body };
		case codes.setting:
			return { type: "setting", bytes: body };
		case codes.note:
			return { type: "note", note: JSON.parse(new TextDecoder().decode(body)) as TransactionNote };
		default:
			throw new Error(`a payload with an unknown part ${code}`);
	}
}
