// skein.config.json: checked with zod against the table of options; an unknown key names its nearest known one.
import { readFileSync } from "node:fs";
import { z } from "zod";
import { everyOption, type OptionKind } from "./options.ts";
import { UsageError } from "./usage-error.ts";

const schemas: Readonly<Record<OptionKind, z.ZodType<string>>> = {
	text: z.union([z.string(), z.int()]).transform(String),
	integer: z.int().transform(String),
	boolean: z.boolean().transform(String),
	list: z.union([z.string(), z.array(z.string()).transform((parts) => parts.join(","))]),
	map: z.union([
		z.string(),
		z.record(z.string(), z.string()).transform((map) =>
			Object.entries(map)
				.map(([key, value]) => `${key}=${value}`)
				.join(","),
		),
	]),
};

const expectations: Readonly<Record<OptionKind, string>> = {
	text: "a string",
	integer: "a whole number",
	boolean: "true or false",
	list: "a string or an array of strings",
	map: 'an object such as { "n1": "10.0.0.1:18080" }',
};

/** The option texts in a configuration file, as a flag would give them. */
export function readConfigurationFile(path: string): Record<string, string> {
	const content = parse(path);
	const values: Record<string, string> = {};
	for (const [key, value] of Object.entries(content)) {
		// Editors look for it to offer completion.
		if (key === "$schema") continue;
		const option = Object.hasOwn(everyOption, key) ? everyOption[key] : undefined;
		if (option === undefined) {
			const nearest = nearestWord(key, Object.keys(everyOption));
			throw new UsageError(
				`${path}: unknown key "${key}"${nearest === null ? "" : `; did you mean "${nearest}"?`}`,
			);
		}
		const result = schemas[option.kind].safeParse(value);
		if (!result.success) {
			throw new UsageError(`${path}: "${key}" must be ${expectations[option.kind]}`);
		}
		values[key] = result.data;
	}
	return values;
}

function parse(path: string): object {
	let content: unknown;
	try {
		content = JSON.parse(readFileSync(path, "utf8"));
	} catch (error) {
		throw new UsageError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
	}
	if (typeof content !== "object" || content === null || Array.isArray(content)) {
		throw new UsageError(`${path}: must be a JSON object`);
	}
	return content;
}

/** The known word that needs the fewest changes to become the unknown one; null when none is near. */
export function nearestWord(unknown: string, known: readonly string[]): string | null {
	const ranked = known
		.map((word) => ({ word, distance: editDistance(unknown.toLowerCase(), word.toLowerCase()) }))
		.sort((a, b) => a.distance - b.distance);
	const best = ranked[0];
	return best !== undefined && best.distance <= Math.max(2, Math.floor(unknown.length / 2))
		? best.word
		: null;
}

/** Levenshtein's: how many letters to insert, delete or replace. */
function editDistance(a: string, b: string): number {
	let row = Array.from({ length: b.length + 1 }, (_, column) => column);
	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++) {
			const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
			next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
		}
		row = next;
	}
	return row[b.length] ?? 0;
}
