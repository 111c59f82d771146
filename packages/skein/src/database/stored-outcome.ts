/** An outcome as text in skein_requests, and back. JSON with the values that JSON lacks marked. */
import type { ProgramOutcome } from "./program.ts";

/** Larger outcomes are stored without their rows: what counts is that the request is known to have happened. */
const maxStoredLength = 64 * 1024;

export function storeOutcome(outcome: ProgramOutcome): string {
	const whole = JSON.stringify(outcome, mark);
	if (whole.length <= maxStoredLength) return whole;
	const results = outcome.results.map((result) => (result === null ? null : { ...result, rows: [] }));
	return JSON.stringify({ ...outcome, results }, mark);
}

export function readOutcome(text: string): ProgramOutcome {
	return JSON.parse(text, unmark) as ProgramOutcome;
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
