/**
 * What clients ask of a database, and what they get: plain data that crosses threads and nodes.
 * A program is one or more statements that run in one go on one connection, as the libSQL
 * protocol's batch does: each step may depend on how earlier ones ended.
 */

/** A value of SQLite: INTEGER is a bigint, REAL a number, so the two never mix. */
export type Value = null | bigint | number | string | Uint8Array;

export interface NamedArgument {
	/** With its sigil (`:a`, `@a`, `$a`), or without: then any sigil matches. */
	readonly name: string;
	readonly value: Value;
}

export interface Statement {
	/** Exactly one statement. */
	readonly sql: string;
	readonly arguments: readonly Value[];
	readonly namedArguments: readonly NamedArgument[];
	/** False: the rows are not needed (changes and rowid are still reported). */
	readonly wantRows: boolean;
}

export type Condition =
	| { readonly type: "ok" | "error"; readonly step: number }
	| { readonly type: "not"; readonly condition: Condition }
	| { readonly type: "and" | "or"; readonly conditions: readonly Condition[] }
	| { readonly type: "is-autocommit" };

export interface Step {
	/** Null: always. A step whose condition is false is skipped: neither result nor error. */
	readonly condition: Condition | null;
	readonly statement: Statement;
}

export interface Program {
	readonly steps: readonly Step[];
}

export interface Column {
	readonly name: string;
	/** The declared type as written, null for expressions. */
	readonly declaredType: string | null;
}

export interface StatementResult {
	readonly columns: readonly Column[];
	readonly rows: readonly (readonly Value[])[];
	/** Rows changed by INSERT, UPDATE or DELETE; 0 for all else. */
	readonly changes: number;
	/** After an INSERT, else null. */
	readonly lastInsertRowid: bigint | null;
}

/** A statement that failed: SQLite's word, or a refusal. */
export interface StatementFailure {
	readonly message: string;
	/** SQLite's base name, UNSUPPORTED_SQL, SQL_PARSE_ERROR, SQL_NO_STATEMENT, SQL_MANY_STATEMENTS, ARGS_INVALID, TIMEOUT, PAYLOAD_TOO_LARGE … */
	readonly code: string;
	readonly extendedCode: string | undefined;
}

export interface ProgramOutcome {
	/** As long as `steps`; null: failed or skipped. */
	readonly results: readonly (StatementResult | null)[];
	/** As long as `steps`; null: succeeded or skipped. */
	readonly errors: readonly (StatementFailure | null)[];
	/** False: the program left a transaction open. */
	readonly autocommit: boolean;
	/** `PRAGMA foreign_keys` of the stream after the program. */
	readonly foreignKeys: boolean;
}

export interface Description {
	readonly parameters: readonly { readonly name: string | null }[];
	readonly columns: readonly Column[];
	readonly isExplain: boolean;
	readonly isReadonly: boolean;
}
