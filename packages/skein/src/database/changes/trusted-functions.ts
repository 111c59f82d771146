/**
 * Which functions a logged statement may call: only those that give the same from the same arguments on every
 * member, whenever it runs. A list of what is trusted, not of what is not: SQLite may get new ones. Not in it,
 * although SQLite calls them deterministic:
 *
 * - date, time, datetime, julianday, unixepoch, strftime, timediff: 'now' may come from a column or an argument,
 *   'localtime' asks the machine's time zone.
 * - sin, exp, pow, ln and the like: the C library's, and its last bit differs between versions.
 * - printf, format, round, quote: what they are used for is the text of a REAL, whose last digit has changed
 *   between versions of SQLite.
 * - jsonb…: a binary form of SQLite's own.
 * - aggregates: what they give may depend on the order of rows (statement-shape.ts says where count may stand).
 */
import type { DatabaseSync } from "node:sqlite";
import { isSign, isWord, type PlacedToken } from "./statement-tokens.ts";

const trusted: ReadonlySet<string> = new Set(
	[
		"abs ceil ceiling floor mod sign sqrt trunc",
		"char concat concat_ws glob hex instr length like lower ltrim octet_length replace rtrim",
		"substr substring trim unhex unicode unistr upper zeroblob",
		"coalesce if ifnull iif likelihood likely nullif typeof unlikely max min count",
		"-> ->> json json_array json_array_length json_extract json_insert json_object json_patch",
		"json_quote json_remove json_replace json_set json_type json_valid",
	].flatMap((line) => line.split(" ")),
);

export function isTrustedFunction(name: string): boolean {
	return trusted.has(name.toLowerCase());
}

/** Every function of this SQLite that is not trusted. */
export function readDoubtfulFunctions(connection: DatabaseSync): ReadonlySet<string> {
	const names = connection.prepare("SELECT DISTINCT lower(name) AS name FROM pragma_function_list").all();
	return new Set(names.map(({ name }) => String(name)).filter((name) => !trusted.has(name)));
}

/**
 * The first doubtful function that a text calls. Of a DEFAULT, of a CHECK, and of a date('now') in the second row
 * of VALUES the authorizer does not tell when a statement is prepared. What looks like a call is taken for one.
 */
export function doubtfulCall(tokens: readonly PlacedToken[], doubtful: ReadonlySet<string>): string | null {
	const isIndex = isWord(tokens[0], "CREATE") && isWord(tokens[1], "INDEX", "UNIQUE");
	const isCall = (token: PlacedToken, place: number): boolean => {
		const name = token.text.toLowerCase();
		if (/^current_(?:date|time|timestamp)$/.test(name)) return token.type === "word";
		const isName = token.type === "word" || token.type === "quoted";
		if (!isName || !isSign(tokens[place + 1], "(") || !doubtful.has(name)) return false;
		const before = tokens[place - 1];
		// A table of such a name, and its columns.
		return !(isWord(before, ...beforeTable) || isSign(before, ".") || (isIndex && isWord(before, "ON")));
	};
	const found = tokens.find(isCall);
	return found === undefined ? null : found.text.toLowerCase();
}

const beforeTable = ["INTO", "TABLE", "EXISTS", "REFERENCES"] as const;
