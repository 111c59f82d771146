/** An outcome as text in skein_requests, and back. JSON with the values that JSON lacks marked. */
import { createHash } from "node:crypto";
import type { Program, ProgramOutcome, StatementFailure } from "./program.ts";

/** The rows of larger outcomes are not kept: what counts is that the request is known to have happened. */
const maxStoredLength = 64 * 1024;

const rowsNotKept: StatementFailure = {
	code: "PAYLOAD_TOO_LARGE",
	message:
		"this request has happened before, under the same idempotency key; its rows were too many to be kept for a second answer",
	extendedCode: undefined,
};

export interface StoredOutcome {
	readonly outcome: ProgramOutcome;
	/** Of the program whose outcome it is. */
	readonly fingerprint: string;
}

/** Equal for programs of the same statements and arguments, whichever way they came. */
export function fingerprintOf(program: Program): string {
	const hash = createHash("sha256");
	for (const { condition, statement } of program.steps) {
		const { sql, arguments: values, namedArguments } = statement;
		hash.update(JSON.stringify([condition, sql, values, namedArguments], markForHash));
	}
	return hash.digest("base64").slice(0, 22);
}

/** A whole number is the same as number and as bigint: which of them arrives depends on the way. */
function markForHash(key: string, value: unknown): unknown {
	if (typeof value === "number" && Number.isInteger(value)) return mark(key, BigInt(value));
	return mark(key, value);
}

export function storeOutcome(outcome: ProgramOutcome, fingerprint: string): string {
	const whole = JSON.stringify({ ...outcome, fingerprint }, mark);
	if (whole.length <= maxStoredLength) return whole;
	const isLarge = (place: number): boolean => (outcome.results[place]?.rows.length ?? 0) > 0;
	const results = outcome.results.map((result, place) => (isLarge(place) ? null : result));
	const errors = outcome.errors.map((error, place) => (isLarge(place) ? rowsNotKept : error));
	return JSON.stringify({ ...outcome, results, errors, fingerprint }, mark);
}

export function readOutcome(text: string): StoredOutcome {
	const { fingerprint, ...outcome } = JSON.parse(text, unmark) as ProgramOutcome & { fingerprint: string };
	return { outcome, fingerprint };
}

function mark(_key: string, value: unknown): unknown {
	if (typeof value === "bigint") return { $integer: value.toString() };
	if (value instanceof Uint8Array) return { $blob: Buffer.from(value).toString("base64") };
	if (typeof value === "number" && !Number.isFinite(value)) return { $real: String(value) };
	return value;
}

function unmark(_key: string, value: unknown): unknown {
	if (typeof value !== "object" || value === null) return value;
	if ("$integer" in value) return BigInt(String(value.$integer));
	if ("$blob" in value) return new Uint8Array(Buffer.from(String(value.$blob), "base64"));
	if ("$real" in value) return Number(value.$real);
	return value;
}
