/**
 * What results weigh: never less than they take in a message between nodes (peer/codec/program.ts), so that
 * what is within a limit here is within it there. Characters are weighed as UTF-8.
 */
import type { Column, ProgramOutcome, StatementFailure, Value } from "./program.ts";

/** A type, and a length or a number. */
const valueOverheadBytes = 9;

/** Without Node, since nodes weigh results in a browser too; half of a surrogate pair becomes U+FFFD. */
export function utf8Bytes(text: string): number {
	let bytes = text.length;
	for (let at = 0; at < text.length; at++) {
		const unit = text.charCodeAt(at);
		if (unit < 0x80) continue;
		bytes += unit < 0x800 ? 1 : 2;
		// The second half of a pair adds nothing to the four bytes of both.
		if (isPairAt(text, at)) at++;
	}
	return bytes;
}

function isPairAt(text: string, at: number): boolean {
	return (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
}

export function sizeOfRow(row: readonly Value[]): number {
	let bytes = valueOverheadBytes;
	for (const value of row) {
		bytes += valueOverheadBytes;
		if (typeof value === "string") bytes += utf8Bytes(value);
		else if (value instanceof Uint8Array) bytes += value.length;
	}
	return bytes;
}

export function sizeOfColumns(columns: readonly Column[]): number {
	let bytes = 0;
	for (const { name, declaredType } of columns) {
		bytes += 2 * valueOverheadBytes + utf8Bytes(name) + utf8Bytes(declaredType ?? "");
	}
	return bytes;
}

export function sizeOfFailure({ message, code, extendedCode = "" }: StatementFailure): number {
	return 3 * valueOverheadBytes + utf8Bytes(message) + code.length + extendedCode.length;
}

export function sizeOfResults({ results, errors }: Pick<ProgramOutcome, "results" | "errors">): number {
	let bytes = 0;
	for (const result of results) {
		if (result === null) continue;
		bytes += sizeOfColumns(result.columns);
		for (const row of result.rows) bytes += sizeOfRow(row);
	}
	for (const failure of errors) if (failure !== null) bytes += sizeOfFailure(failure);
	return bytes;
}

export function resultsTooLarge(limitBytes: number): StatementFailure {
	return {
		code: "PAYLOAD_TOO_LARGE",
		message: `the results of one request can have ${limitBytes} bytes together: ask for less, or in several requests`,
		extendedCode: undefined,
	};
}
