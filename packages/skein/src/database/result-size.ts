/**
 * What results weigh: never less than they take in a message between nodes (peer/codec/program.ts), so that
 * what is within a limit here is within it there. Characters are weighed as UTF-8.
 */
import type { Column, ProgramOutcome, StatementFailure, Value } from "./program.ts";

/** A type, and a length or a number. */
const valueOverheadBytes = 9;

export function sizeOfRow(row: readonly Value[]): number {
	let bytes = valueOverheadBytes;
	for (const value of row) {
		bytes += valueOverheadBytes;
		if (typeof value === "string") bytes += Buffer.byteLength(value);
		else if (value instanceof Uint8Array) bytes += value.length;
	}
	return bytes;
}

export function sizeOfColumns(columns: readonly Column[]): number {
	let bytes = 0;
	for (const { name, declaredType } of columns) {
		bytes += 2 * valueOverheadBytes + Buffer.byteLength(name) + Buffer.byteLength(declaredType ?? "");
	}
	return bytes;
}

export function sizeOfFailure({ message, code, extendedCode = "" }: StatementFailure): number {
	return 3 * valueOverheadBytes + Buffer.byteLength(message) + code.length + extendedCode.length;
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
