/**
 * The payload of the formats row and statement: the format's code, then parts, applied in order. Each part is
 * a type byte, its length (4 bytes, big-endian) and its body:
 *
 * 1 changeset  a changeset of SQLite's session extension
 * 2 sql        one statement that changes the schema or a pragma of the file, UTF-8
 * 3 rows       exact rows of one table, by rowid (rows.ts)
 * 4 statement  a statement and its arguments, with what must come out equal (logged-statement.ts)
 * 5 sequence   the whole of sqlite_sequence, as rows
 */
import { createStatementDecoder, createStatementEncoder, type LoggedStatement } from "./logged-statement.ts";

export type Part =
	| { readonly type: "changeset"; readonly bytes: Uint8Array }
	| { readonly type: "sql"; readonly sql: string }
	| { readonly type: "rows"; readonly bytes: Uint8Array }
	| { readonly type: "statement"; readonly statement: LoggedStatement }
	| { readonly type: "sequence"; readonly bytes: Uint8Array };

/** What a payload begins with. */
export const payloadCodes = { row: 1, statement: 2 } as const;

const headerBytes = 5;
const codes = { changeset: 1, sql: 2, rows: 3, statement: 4, sequence: 5 } as const;

export function encodePayload(parts: readonly Part[], formatCode: number): Uint8Array<ArrayBuffer> {
	const encodeStatement = createStatementEncoder();
	const bodies = parts.map((part) => bodyOf(part, encodeStatement));
	const payload = new Uint8Array(bodies.reduce((sum, body) => sum + headerBytes + body.length, 1));
	const view = new DataView(payload.buffer);
	payload[0] = formatCode;
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

function bodyOf(part: Part, encodeStatement: (statement: LoggedStatement) => Uint8Array): Uint8Array {
	switch (part.type) {
		case "changeset":
		case "rows":
		case "sequence":
			return part.bytes;
		case "sql":
			return new TextEncoder().encode(part.sql);
		case "statement":
			return encodeStatement(part.statement);
	}
}

export function decodePayload(payload: Uint8Array, formatCode: number): Part[] {
	if (payload[0] !== formatCode)
		throw new Error(`a payload of format ${payload[0]} is not one of format ${formatCode}`);
	const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
	const decodeStatement = createStatementDecoder();
	const parts: Part[] = [];
	for (let offset = 1; offset < payload.length; ) {
		if (offset + headerBytes > payload.length) throw new Error("a payload ends inside a part");
		const length = view.getUint32(offset + 1);
		const end = offset + headerBytes + length;
		if (end > payload.length) throw new Error("a payload ends inside a part");
		parts.push(decodePart(payload[offset], payload.subarray(offset + headerBytes, end), decodeStatement));
		offset = end;
	}
	return parts;
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
		default:
			throw new Error(`a payload with an unknown part ${code}`);
	}
}
