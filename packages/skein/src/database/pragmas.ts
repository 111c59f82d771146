/**
 * PRAGMAs: which may run where. Ordinary start-up scripts send a dozen of them; those that only tune
 * a connection that Skein owns are accepted and not run, those that read are reads, the few that are
 * part of the database are replicated, and the rest is refused.
 */
import type { ParsedStatement } from "./parsed-statement.ts";
import type { Token } from "./sql-tokens.ts";

/** Only look; their arguments, if any, select what to look at. */
const reading: ReadonlySet<string> = new Set([
	"APPLICATION_ID",
	"COLLATION_LIST",
	"COMPILE_OPTIONS",
	"DATABASE_LIST",
	"DATA_VERSION",
	"ENCODING",
	"FOREIGN_KEY_CHECK",
	"FOREIGN_KEY_LIST",
	"FREELIST_COUNT",
	"FUNCTION_LIST",
	"INDEX_INFO",
	"INDEX_LIST",
	"INDEX_XINFO",
	"INTEGRITY_CHECK",
	"MODULE_LIST",
	"PAGE_COUNT",
	"PAGE_SIZE",
	"PRAGMA_LIST",
	"QUICK_CHECK",
	"SCHEMA_VERSION",
	"TABLE_INFO",
	"TABLE_LIST",
	"TABLE_XINFO",
	"USER_VERSION",
]);

/** Take an argument that selects, so an argument does not make them writes. */
const selecting: ReadonlySet<string> = new Set([
	"FOREIGN_KEY_CHECK",
	"FOREIGN_KEY_LIST",
	"INDEX_INFO",
	"INDEX_LIST",
	"INDEX_XINFO",
	"INTEGRITY_CHECK",
	"QUICK_CHECK",
	"TABLE_INFO",
	"TABLE_LIST",
	"TABLE_XINFO",
]);

/** Part of the database file: replicated. */
const replicated: ReadonlySet<string> = new Set(["APPLICATION_ID", "USER_VERSION"]);

/** Tune a connection that Skein owns, so they are accepted and not run; with what they answer. */
const ignored: ReadonlyMap<string, string | number | null> = new Map<string, string | number | null>([
	["AUTOMATIC_INDEX", 1],
	["BUSY_TIMEOUT", 0],
	["CACHE_SIZE", -2000],
	["CACHE_SPILL", null],
	["CHECKPOINT_FULLFSYNC", 0],
	["DEFER_FOREIGN_KEYS", 0],
	["FULLFSYNC", 0],
	["JOURNAL_MODE", "wal"],
	["JOURNAL_SIZE_LIMIT", -1],
	["LOCKING_MODE", "normal"],
	["MMAP_SIZE", 0],
	["OPTIMIZE", null],
	["RECURSIVE_TRIGGERS", 0],
	["SECURE_DELETE", 0],
	["SHRINK_MEMORY", null],
	["SYNCHRONOUS", 1],
	["TEMP_STORE", 0],
	["THREADS", 0],
	["WAL_AUTOCHECKPOINT", 0],
	["WAL_CHECKPOINT", null],
]);

/** They change what SQL means on one connection: a client that sets them must not be told that it did. */
const meaning: ReadonlyMap<string, string> = new Map([
	[
		"CASE_SENSITIVE_LIKE",
		"PRAGMA case_sensitive_like is refused: it would hold on one connection, and clients share Skein's. Use GLOB, or compare with COLLATE.",
	],
	[
		"RECURSIVE_TRIGGERS",
		"PRAGMA recursive_triggers cannot be turned on: it would hold on one connection, and clients share Skein's. Write the recursion as WITH RECURSIVE.",
	],
]);

type Classified = Pick<ParsedStatement, "kind" | "noOpAnswer" | "foreignKeys" | "defers">;

export function pragmaName(tokens: readonly Token[]): string {
	const dotted = tokens[2]?.text === ".";
	return ((dotted ? tokens[3] : tokens[1])?.text ?? "").toUpperCase();
}

function argumentOf(tokens: readonly Token[]): string | null {
	const position = tokens.findIndex(
		(token) => token.type === "punctuation" && (token.text === "=" || token.text === "("),
	);
	if (position < 0) return null;
	const next = tokens[position + 1];
	return (next?.text ?? "").toUpperCase();
}

export function classifyPragma(tokens: readonly Token[]): Classified {
	const name = pragmaName(tokens);
	const argument = argumentOf(tokens);
	const read: Classified = { kind: "read", noOpAnswer: null, foreignKeys: true, defers: false };
	if ((name === "FOREIGN_KEYS" || name === "DEFER_FOREIGN_KEYS") && argument !== null) {
		const defers = name === "DEFER_FOREIGN_KEYS";
		return { kind: "pragma-foreign-keys", noOpAnswer: null, foreignKeys: isOn(argument), defers };
	}
	if (replicated.has(name) && argument !== null) return { ...read, kind: "pragma-write" };
	if (ignored.has(name)) return { ...read, kind: "no-op", noOpAnswer: answerOf(name, argument) };
	return read;
}

/** As SQLite reads a boolean; what it does not know is off. */
function isOn(argument: string): boolean {
	return ["ON", "YES", "TRUE"].includes(argument) || (/^\d+$/.test(argument) && Number(argument) % 256 !== 0);
}

function answerOf(name: string, argument: string | null): ParsedStatement["noOpAnswer"] {
	const value = ignored.get(name);
	if (value === null || value === undefined) return null;
	// Setting answers with a row for the journal mode only, as SQLite does.
	if (argument !== null && name !== "JOURNAL_MODE" && name !== "BUSY_TIMEOUT") return null;
	return { column: name === "BUSY_TIMEOUT" ? "timeout" : name.toLowerCase(), value };
}

/** Why a PRAGMA is refused; null when it is not. */
export function pragmaRefusal(tokens: readonly Token[]): string | null {
	const name = pragmaName(tokens);
	const argument = argumentOf(tokens);
	const refusal = meaning.get(name);
	if (refusal !== undefined && (name === "CASE_SENSITIVE_LIKE" || (argument !== null && isOn(argument))))
		return refusal;
	const known = reading.has(name) || ignored.has(name) || name === "FOREIGN_KEYS";
	if (name === "JOURNAL_MODE" && argument !== null && argument !== "WAL") {
		return "PRAGMA journal_mode cannot be changed: Skein keeps the database in WAL mode, which its readers need. Leave the statement out.";
	}
	if (!known)
		return `PRAGMA ${name.toLowerCase()} is not available: it could make members differ or reach files. Leave it out.`;
	if (argument !== null && reading.has(name) && !selecting.has(name) && !replicated.has(name)) {
		return `PRAGMA ${name.toLowerCase()} can be read, not set: all members must have the same. Leave the statement out.`;
	}
	return null;
}

/**
 * Table functions like `pragma_table_info`. Some write (`pragma_optimize`), and SQLite runs their PRAGMA
 * while the statement runs, when the authorizer does not know any more that a client asked.
 */
export function pragmaTableAllowed(table: string): boolean {
	const name = /^pragma_(.*)$/i.exec(table)?.[1]?.toUpperCase();
	return name === undefined || reading.has(name) || name === "FOREIGN_KEYS";
}

/** For the authorizer: the same rules, for whatever slipped through. */
export function pragmaAllowed(name: string | null, argument: string | null): boolean {
	const upper = (name ?? "").toUpperCase();
	if (upper === "FOREIGN_KEYS") return argument === null;
	if (!reading.has(upper)) return false;
	return argument === null || selecting.has(upper) || replicated.has(upper);
}
