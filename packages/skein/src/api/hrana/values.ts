/** Values of the libSQL protocol, both ways: INTEGER as decimal text, REAL as a number, BLOB as base64. */
import { SkeinError } from "../../../../client/src/errors.ts";
import type { Value } from "../../database/program.ts";
import { badRequest } from "../errors.ts";

const integerPattern = /^-?\d{1,19}$/;
const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;

/** Sent on as UTF-8 it would silently be another text. */
export const notUnicode = "holds half of a surrogate pair: it is no Unicode text; send such bytes as a blob";

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `path` and `index` say where the value stands; they are put together only when it is bad. */
export function decodeValue(value: unknown, path: string, index: number): Value {
	if (!isRecord(value)) throw badRequest(`${path}[${index}] must be an object`);
	switch (value["type"]) {
		case "null":
			return null;
		case "integer":
			return decodeInteger(value["value"], `${path}[${index}].value`);
		case "float": {
			const real = value["value"];
			if (typeof real === "number" && Number.isFinite(real)) return real;
			throw badRequest(`${path}[${index}].value must be a finite number`);
		}
		case "text": {
			const text = value["value"];
			if (typeof text !== "string") throw badRequest(`${path}[${index}].value must be a string`);
			if (text.isWellFormed()) return text;
			throw badRequest(`${path}[${index}].value ${notUnicode}`);
		}
		case "blob":
			return decodeBase64(value["base64"], `${path}[${index}].base64`);
		default:
			throw badRequest(`${path}[${index}].type must be null, integer, float, text or blob`);
	}
}

export function decodeInteger(value: unknown, path: string): bigint {
	if (typeof value === "string" && integerPattern.test(value)) {
		const integer = BigInt(value);
		if (BigInt.asIntN(64, integer) === integer) return integer;
	}
	throw badRequest(`${path} must be a 64-bit integer written as a decimal string`);
}

/** With or without padding. */
export function decodeBase64(value: unknown, path: string): Uint8Array {
	if (typeof value !== "string" || !base64Pattern.test(value)) {
		throw badRequest(`${path} must be a string of base64`);
	}
	const padding = value.endsWith("==") ? 2 : value.endsWith("=") ? 1 : 0;
	if ((value.length - padding) % 4 === 1 || (padding > 0 && value.length % 4 !== 0)) {
		throw badRequest(`${path} is base64 of an impossible length`);
	}
	// A copy: small Buffers share one pool, and posting one to a thread would copy the whole pool.
	return new Uint8Array(Buffer.from(value, "base64"));
}

export function encodeBase64(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

export function encodeValue(value: Value): string {
	if (value === null) return '{"type":"null"}';
	switch (typeof value) {
		case "bigint":
			return `{"type":"integer","value":"${value}"}`;
		case "number":
			if (!Number.isFinite(value)) throw notFinite(value);
			return `{"type":"float","value":${value}}`;
		case "string":
			return `{"type":"text","value":${JSON.stringify(value)}}`;
		default: {
			// Unpadded, as the reference server answers.
			const base64 = encodeBase64(value);
			return `{"type":"blob","base64":"${base64.slice(0, unpaddedLength(value.byteLength))}"}`;
		}
	}
}

function unpaddedLength(sizeBytes: number): number {
	return Math.ceil((sizeBytes * 4) / 3);
}

/** JSON has no Infinity; `null` in its place would be another value. The statement itself succeeded. */
export function notFinite(value: number): SkeinError {
	return new SkeinError(
		`a result holds the REAL ${value}, which JSON cannot carry; CAST it to TEXT to read it`,
		{ code: "SQLITE_MISMATCH", outcome: "happened" },
	);
}
