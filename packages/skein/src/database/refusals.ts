/** SQL that cannot be replicated safely, each with a sentence that says why and what to do instead (DESIGN §9). */

import { replaysTable } from "./own-tables.ts";
import type { StatementKind } from "./parsed-statement.ts";
import { pragmaRefusal } from "./pragmas.ts";
import type { Token } from "./sql-tokens.ts";

const ownPrefix = "skein_";

/** Null: it may run. The authorizer of the connection is the second line (connection.ts). */
export function refusalOf(kind: StatementKind, tokens: readonly Token[], sql: string): string | null {
	const first = word(tokens[0]);
	switch (first) {
		case "ATTACH":
			return "ATTACH is refused: a second file would not be replicated. Put the tables into this database.";
		case "DETACH":
			return "DETACH is refused: nothing can be attached.";
		case "VACUUM":
			return "VACUUM is refused: it renumbers rows on this member only. Free pages are used again by themselves.";
		case "PRAGMA":
			return pragmaRefusal(tokens);
		case "CREATE":
		case "DROP":
		case "ALTER":
			return schemaRefusal(tokens);
		default:
	}
	// Most texts have none of these, and to look at each token of a large one takes long.
	if (!/load_extension|rollback|skein_/i.test(sql)) return null;
	const extension = tokens.findIndex((token) => word(token) === "LOAD_EXTENSION");
	if (extension >= 0 && tokens[extension + 1]?.text === "(") {
		return "load_extension is refused: an extension would have to be on every member. Skein's SQLite has FTS5, R-Tree, JSON and the math functions built in.";
	}
	if (kind === "savepoint" || kind === "release" || kind === "rollback-to") return savepointRefusal(tokens);
	if (kind === "write") return rollbackRefusal(tokens) ?? ownTableRefusal(tokens);
	return null;
}

function word(token: Token | undefined): string {
	return token?.type === "word" ? token.text : "";
}

function schemaRefusal(tokens: readonly Token[]): string | null {
	if (["TEMP", "TEMPORARY"].includes(word(tokens[1]))) {
		return "TEMP objects are refused: they would live on one member's connection only. Use an ordinary table, or a WITH clause.";
	}
	if (tokens.some((token, position) => /^temp$/i.test(token.text) && tokens[position + 1]?.text === ".")) {
		return "The temp schema is refused: it would live on one member's connection only. Use an ordinary table.";
	}
	if (tokens.some((token, place) => isOwnName(token) || isOwnString(tokens, place))) {
		return `Names that begin with ${ownPrefix} belong to Skein. Choose another name.`;
	}
	return rollbackRefusal(tokens);
}

const beforeName: ReadonlySet<string> = new Set(["TABLE", "INDEX", "VIEW", "TRIGGER", "EXISTS", "TO", "ON"]);

/** SQLite takes a string where a name must stand. */
function isOwnString(tokens: readonly Token[], place: number): boolean {
	const token = tokens[place];
	if (token?.type !== "string" || !token.text.toLowerCase().startsWith(ownPrefix)) return false;
	const before = tokens[place - 1];
	return beforeName.has(word(before)) || before?.text === ".";
}

/** Skein's own savepoints surround the client's. */
function savepointRefusal(tokens: readonly Token[]): string | null {
	return tokens.at(-1)?.text.toLowerCase().startsWith(ownPrefix) === true
		? `Savepoints whose names begin with ${ownPrefix} belong to Skein. Choose another name.`
		: null;
}

function ownTableRefusal(tokens: readonly Token[]): string | null {
	const isReplay = word(tokens[0]) === "INSERT" && word(tokens[1]) === "INTO";
	return tokens.some(
		(token, place) =>
			isOwnName(token) &&
			place !== 0 &&
			!(isReplay && place === 2 && token.text.toLowerCase() === replaysTable),
	)
		? `Tables whose names begin with ${ownPrefix} belong to Skein and cannot be written.`
		: null;
}

function isOwnName(token: Token): boolean {
	return (token.type === "word" || token.type === "quoted") && token.text.toLowerCase().startsWith(ownPrefix);
}

/** It would roll back the whole group of transactions that commit together, other clients' among them. */
function rollbackRefusal(tokens: readonly Token[]): string | null {
	for (const [position, token] of tokens.entries()) {
		const conflict =
			token.type === "word" &&
			token.text === "ROLLBACK" &&
			["OR", "CONFLICT"].includes(word(tokens[position - 1]));
		const raise =
			token.type === "word" && token.text === "ROLLBACK" && word(tokens[position - 2]) === "RAISE";
		if (conflict || raise) {
			return "ON CONFLICT ROLLBACK and RAISE(ROLLBACK) are refused: they would undo other clients' transactions of the same group commit. Use ABORT, and ROLLBACK the transaction yourself.";
		}
	}
	return null;
}
