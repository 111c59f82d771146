// What is known of a statement before it runs (sql.ts finds it out).

/**
 * read: cannot write, may run on any reader. write: changes rows. schema: changes the schema.
 * begin … rollback-to: transaction control. pragma-foreign-keys: when the stream's foreign keys are checked.
 * pragma-write: a PRAGMA that changes the database and is replicated. no-op: accepted and not run.
 */
export type StatementKind =
	| "read"
	| "write"
	| "schema"
	| "begin"
	| "commit"
	| "rollback"
	| "savepoint"
	| "release"
	| "rollback-to"
	| "pragma-foreign-keys"
	| "pragma-write"
	| "no-op";

/** `BEGIN TRANSACTION READONLY` is what libSQL clients send; to SQLite it is a name that it ignores. */
export type BeginMode = "deferred" | "immediate" | "exclusive" | "readonly";

export interface StatementProblem {
	readonly code: "BAD_REQUEST" | "UNSUPPORTED_SQL" | "SQL_NO_STATEMENT" | "SQL_MANY_STATEMENTS";
	readonly message: string;
}

export interface ParsedStatement {
	readonly kind: StatementKind;
	/** Of a `begin`. */
	readonly beginMode: BeginMode;
	/** The name in SAVEPOINT, RELEASE and ROLLBACK TO, folded as SQLite compares it. */
	readonly savepoint: string | null;
	/** Names of parameters in the order of their numbers; null for a plain `?` or a number that is not used. */
	readonly parameters: readonly (string | null)[];
	readonly isExplain: boolean;
	readonly isInsert: boolean;
	/** INSERT, UPDATE, DELETE or REPLACE: changes are counted. */
	readonly isDml: boolean;
	/** A PRAGMA that is accepted and not run answers with this row, if it answers at all. */
	readonly noOpAnswer: { readonly column: string; readonly value: string | number } | null;
	/** For `pragma-foreign-keys`: on or off, and whether it is `defer_foreign_keys`. */
	readonly foreignKeys: boolean;
	readonly defers: boolean;
	/** Why it is refused; null when it is not. */
	readonly problem: StatementProblem | null;
}
