// SQLite's values in JavaScript, and their JSON form on the wire (the libSQL protocol's).
import { SkeinError } from "./errors.ts";

/** What can be bound. A whole number is bound as INTEGER, any other number as REAL; true is 1. */
export type Argument =
	| null
	| undefined
	| string
	| number
	| bigint
	| boolean
	| Uint8Array
	| ArrayBuffer
	| Date;
/** By position, or by name (with or without the sigil). */
export type Arguments = readonly Argument[] | Readonly<Record<string, Argument>>;
/** What comes back. An INTEGER beyond 2^53 is a bigint, for it would lose digits as a number. */
export type Value = null | string | number | bigint | Uint8Array;

/**
 * auto: a number where it is exact, else a bigint. bigint: always. number: never a bigint; an
 * INTEGER that does not fit is an error.
 */
export type IntegerMode = "auto" | "bigint" | "number";

export type WireValue =
	| { type: "null" }
	| { type: "integer"; value: string }
	| { type: "float"; value: number }
	| { type: "text"; value: string }
	| { type: "blob"; base64: string };

export function encodeArgument(argument: Argument): WireValue {
	if (argument === null || argument === undefined) return { type: "null" };
	if (typeof argument === "string") return { type: "text", value: argument };
	if (typeof argument === "boolean") return { type: "integer", value: argument ? "1" : "0" };
	if (typeof argument === "number") return encodeNumber(argument);
	if (typeof argument === "object") return encodeObject(argument);
	if (BigInt.asIntN(64, argument) !== argument) throw badArgument(`${argument} has more than 64 bits`);
	return { type: "integer", value: String(argument) };
}

function encodeNumber(argument: number): WireValue {
	const isInteger = Number.isSafeInteger(argument) && !Object.is(argument, -0);
	if (isInteger) return { type: "integer", value: String(argument) };
	if (!Number.isFinite(argument)) throw badArgument(`${argument} cannot be stored; use null or text`);
	return { type: "float", value: argument };
}

function encodeObject(argument: Uint8Array | ArrayBuffer | Date): WireValue {
	if (argument instanceof Uint8Array) return { type: "blob", base64: toBase64(argument) };
	if (argument instanceof ArrayBuffer) return { type: "blob", base64: toBase64(new Uint8Array(argument)) };
	// As text that SQLite's own date functions read.
	if (argument instanceof Date) return { type: "text", value: argument.toISOString() };
	throw badArgument("an object cannot be bound; use text (JSON.stringify) or a Uint8Array");
}

export function encodeArguments(values: Arguments | undefined): {
	args: WireValue[];
	named_args: { name: string; value: WireValue }[];
} {
	if (values === undefined) return { args: [], named_args: [] };
	// Array.isArray does not narrow a readonly array.
	if (values instanceof Array) return { args: values.map(encodeArgument), named_args: [] };
	const named = Object.entries(values).map(([name, value]) => ({ name, value: encodeArgument(value) }));
	return { args: [], named_args: named };
}

export function decodeValue(wire: unknown, integers: IntegerMode): Value {
	if (typeof wire !== "object" || wire === null || !("type" in wire)) throw badValue(wire);
	if (wire.type === "null") return null;
	if (wire.type === "blob" && "base64" in wire && typeof wire.base64 === "string")
		return fromBase64(wire.base64);
	if (!("value" in wire)) throw badValue(wire);
	const { type, value } = wire;
	if (type === "text" && typeof value === "string") return value;
	if (type === "float" && typeof value === "number") return value;
	if (type === "integer" && typeof value === "string") return decodeInteger(value, integers);
	throw badValue(wire);
}

function decodeInteger(digits: string, integers: IntegerMode): number | bigint {
	if (integers === "bigint") return BigInt(digits);
	const number = Number(digits);
	if (Number.isSafeInteger(number)) return number;
	if (integers === "auto") return BigInt(digits);
	throw new SkeinError(`the INTEGER ${digits} does not fit a number; use integers: "auto" or "bigint"`, {
		code: "BAD_REQUEST",
		outcome: "happened",
	});
}

function badArgument(message: string): SkeinError {
	return new SkeinError(message, { code: "BAD_REQUEST" });
}

function badValue(wire: unknown): SkeinError {
	const shown = JSON.stringify(wire)?.slice(0, 100) ?? "nothing";
	return new SkeinError(`the server sent a value that is none: ${shown}`, {
		code: "PROTOCOL_ERROR",
		outcome: "unknown",
	});
}

function toBase64(bytes: Uint8Array): string {
	let binary = "";
	// In pieces, since a call takes only so many arguments.
	for (let start = 0; start < bytes.length; start += 0x2000) {
		binary += String.fromCharCode(...bytes.subarray(start, start + 0x2000));
	}
	return btoa(binary);
}

function fromBase64(base64: string): Uint8Array {
	const binary = atob(base64);
	const bytes = new Uint8Array(binary.length);
	for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
	return bytes;
}
