/** Where the value of an option comes from. */
import type { OptionTable, OptionValues } from "./options.ts";
import { UsageError } from "./usage-error.ts";

const kebab = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const flagName = (key: string): string => `--${kebab(key)}`;
export const environmentName = (key: string): string =>
	`SKEIN_${kebab(key).replaceAll("-", "_").toUpperCase()}`;

/** The texts an option was given, by where they come from; the first that has one wins. */
export interface OptionSources {
	readonly flags: Readonly<Record<string, string | undefined>>;
	readonly environment: Readonly<Record<string, string | undefined>>;
	readonly file: { readonly path: string; readonly values: Readonly<Record<string, string | undefined>> };
}

/** Flag before environment before file before default. */
export function resolveOptions<Table extends OptionTable>(
	table: Table,
	sources: OptionSources,
): OptionValues<Table> {
	const values: Record<string, unknown> = {};
	for (const [key, definition] of Object.entries(table)) {
		const found = [
			{ text: sources.flags[key], from: flagName(key) },
			{ text: sources.environment[environmentName(key)], from: environmentName(key) },
			{ text: sources.file.values[key], from: `"${key}" in ${sources.file.path}` },
		].find((source) => source.text !== undefined);
		if (found?.text === undefined) {
			values[key] = definition.defaultValue;
			continue;
		}
		try {
			values[key] = definition.parse(found.text);
		} catch (error) {
			const why = error instanceof Error ? error.message : String(error);
			// The value is not repeated for secrets: the message may end up in a log.
			const shown = key === "secret" ? "" : ` is ${JSON.stringify(found.text)}:`;
			throw new UsageError(`${found.from}${shown} ${why}`);
		}
	}
	// Each value came from the option of its own key: the mapped type says just that.
	return values as OptionValues<Table>;
}
