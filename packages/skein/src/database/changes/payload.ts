/**
 * The payload of the row format: a version byte, then parts, applied in order. Each part is a type
 * byte, its length (4 bytes, big-endian) and its body:
 *
 * 1 changeset  a changeset of SQLite's session extension
 * 2 sql        one statement that changes the schema or a pragma of the file, UTF-8
 * 3 rows       exact rows of one table, by rowid (rows.ts)
 * 5 sequence   the whole of sqlite_sequence, as rows
 * 6 note       who sent the transaction (transaction-note.ts): JSON; first of all parts, and nothing to apply
 *
 * Version 2 may have notes; a payload has the lowest version that it can.
 */
import type { TransactionNote } from "../transaction-note.ts";

export type Part =
	| { readonly type: "changeset"; readonly bytes: Uint8Array }
	| { readonly type: "sql"; readonly sql: string }
	| { readonly type: "rows"; readonly bytes: Uint8Array }
	| { readonly type: "sequence"; readonly bytes: Uint8Array }
	| { readonly type: "note"; readonly note: TransactionNote };

const versionWithNotes = 2;
const headerBytes = 5;
const codes = { changeset: 1, sql: 2, rows: 3, sequence: 5, note: 6 } as const;

export function encodePayload(parts: readonly Part[]): Uint8Array<ArrayBuffer> {
	const bodies = parts.map(bodyOf);
	const payload = new Uint8Array(bodies.reduce((sum, body) => sum + headerBytes + body.length, 1));
	const view = new DataView(payload.buffer);
	payload[0] = parts.some((part) => part.type === "note") ? versionWithNotes : 1;
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

function bodyOf(part: Part): Uint8Array {
	switch (part.type) {
		case "changeset":
		case "rows":
		case "sequence":
			return part.bytes;
		case "sql":
			return new TextEncoder().encode(part.sql);
		case "note":
			return new TextEncoder().encode(JSON.stringify(part.note));
	}
}

export function decodePayload(payload: Uint8Array): Part[] {
	return [...readParts(payload)];
}

/** Of a whole payload, or of one whose end is missing. Null: there is none. */
export function decodeFirstPart(payload: Uint8Array): Part | null {
	const first = readParts(payload).next();
	return first.done === true ? null : first.value;
}

function* readParts(payload: Uint8Array): Generator<Part, undefined> {
	const version = payload[0] ?? 0;
	if (version < 1 || version > versionWithNotes)
		throw new Error(`a payload of version ${version}; this node knows 1 to ${versionWithNotes}`);
	const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
	for (let offset = 1; offset < payload.length; ) {
		if (offset + headerBytes > payload.length) throw new Error("a payload ends inside a part");
		const length = view.getUint32(offset + 1);
		const end = offset + headerBytes + length;
		if (end > payload.length) throw new Error("a payload ends inside a part");
		yield decodePart(payload[offset], payload.subarray(offset + headerBytes, end));
		offset = end;
	}
}

function decodePart(code: number | undefined, body: Uint8Array): Part {
	switch (code) {
		case codes.changeset:
			return { type: "changeset", bytes: body };
		case codes.sql:
			return { type: "sql", sql: new TextDecoder().decode(body) };
		case codes.rows:
			return { type: "rows", bytes: body };
		case codes.sequence:
			return { type: "sequence", bytes: body };
		case codes.note:
			return { type: "note", note: JSON.parse(new TextDecoder().decode(body)) as TransactionNote };
		default:
			throw new Error(`a payload with an unknown part ${code}`);
	}
}
