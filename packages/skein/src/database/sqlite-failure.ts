/** SQLite's errors as clients see them: the base name as code, the extended name beside it, SQLite's own text. */
import type { StatementFailure } from "./program.ts";

const baseNames: Readonly<Record<number, string>> = {
	1: "ERROR",
	2: "INTERNAL",
	3: "PERM",
	4: "ABORT",
	5: "BUSY",
	6: "LOCKED",
	7: "NOMEM",
	8: "READONLY",
	9: "INTERRUPT",
	10: "IOERR",
	11: "CORRUPT",
	12: "NOTFOUND",
	13: "FULL",
	14: "CANTOPEN",
	15: "PROTOCOL",
	17: "SCHEMA",
	18: "TOOBIG",
	19: "CONSTRAINT",
	20: "MISMATCH",
	21: "MISUSE",
	22: "NOLFS",
	23: "AUTH",
	25: "RANGE",
	26: "NOTADB",
};

/** https://sqlite.org/rescode.html#extrc, those that a statement of a client can meet. */
const extendedNames: Readonly<Record<number, string>> = {
	261: "BUSY_RECOVERY",
	517: "BUSY_SNAPSHOT",
	264: "READONLY_RECOVERY",
	1032: "READONLY_DBMOVED",
	275: "CONSTRAINT_CHECK",
	531: "CONSTRAINT_COMMITHOOK",
	787: "CONSTRAINT_FOREIGNKEY",
	1043: "CONSTRAINT_FUNCTION",
	1299: "CONSTRAINT_NOTNULL",
	1555: "CONSTRAINT_PRIMARYKEY",
	1811: "CONSTRAINT_TRIGGER",
	2067: "CONSTRAINT_UNIQUE",
	2323: "CONSTRAINT_VTAB",
	2579: "CONSTRAINT_ROWID",
	2835: "CONSTRAINT_PINNED",
	3091: "CONSTRAINT_DATATYPE",
};

/** Of a connection in defensive mode (connection.ts). Of its own tables SQLite says the same: an error of the statement. */
const defensiveRefusal =
	/^(table (?!sqlite_).* may not be (modified|dropped|altered)|cannot create triggers on shadow tables|trigger .* may not write to shadow table .*)$/s;

interface SqliteError extends Error {
	readonly errcode: number;
}

export function isSqliteError(error: unknown): error is SqliteError {
	return error instanceof Error && "errcode" in error && typeof error.errcode === "number";
}

export function failureOf(error: unknown): StatementFailure {
	if (!isSqliteError(error)) {
		// Node's own refusals of arguments and sizes come without SQLite's number.
		return {
			code: "SQLITE_ERROR",
			message: error instanceof Error ? error.message : String(error),
			extendedCode: undefined,
		};
	}
	if (defensiveRefusal.test(error.message)) {
		return {
			code: "UNSUPPORTED_SQL",
			message: `${error.message}: what it holds belongs to a virtual table. Write to that one.`,
			extendedCode: undefined,
		};
	}
	const base = baseNames[error.errcode & 255] ?? "UNKNOWN";
	const extended = extendedNames[error.errcode];
	return {
		code: base === "FULL" ? "DISK_FULL" : `SQLITE_${base}`,
		message: error.message,
		extendedCode: extended === undefined ? undefined : `SQLITE_${extended}`,
	};
}

/** The errors after which SQLite may have rolled the whole transaction back (https://sqlite.org/lang_transaction.html). */
export function mayEndTransaction(error: unknown): boolean {
	return isSqliteError(error) && [5, 7, 9, 10, 13].includes(error.errcode & 255);
}
