/** The bodies of what operators ask: which fields there are, and what they may hold. */
import { badRequest } from "./errors.ts";
import { isRecord } from "./hrana/values.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A misspelt field would be ignored, and with it what it was meant to prevent. No body: no fields. */
export function fieldsOf(body: unknown, known: readonly string[]): Fields {
	if (!isRecord(body)) throw badRequest(`the body must be an object with ${known.join(", ")}`);
	const unknown = Object.keys(body).find((key) => !known.includes(key));
	if (unknown === "force" && known.includes("confirm")) {
		throw badRequest(
			'there is no "force": what can lose something is refused with a sentence that says what; send that as "confirm"',
		);
	}
	if (unknown !== undefined) {
		throw badRequest(`unknown field ${JSON.stringify(unknown)}: there are ${known.join(", ")}`);
	}
	return body;
}

export function flagOf(body: Fields, name: string): boolean {
	const value = body[name] ?? false;
	if (typeof value !== "boolean") throw badRequest(`${name} must be true or false`);
	return value;
}

/** The sentence that a refusal asked for. */
export function confirmationOf(body: Fields): string | null {
	const value = body["confirm"] ?? null;
	if (value === null || typeof value === "string") return value;
	throw badRequest("confirm must be the sentence that a refusal asked for, as text");
}

export function wholeNumberOf(body: Fields, name: string, most: number): number | null {
	const value = body[name] ?? null;
	if (value === null) return null;
	if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most) return value;
	throw badRequest(`${name} must be a whole number from 0 to ${most}`);
}
