/** How a statement would be logged, and why, as plain data: for `skein explain`. */
import type { LogFormat } from "./log-format.ts";

export interface StatementExplanation {
	readonly sql: string;
	/**
	 * statement: its SQL and arguments. rows: what it changes. schema: its text. pages: those that it changes. nothing: it
	 * changes nothing. refused: it would fail.
	 */
	readonly logged: "statement" | "rows" | "schema" | "pages" | "nothing" | "refused";
	/** In words; at least one. */
	readonly reasons: readonly string[];
}

export interface LogExplanation {
	/** For which it is explained: the database's own, or the one that was asked for. */
	readonly format: LogFormat;
	readonly statements: readonly StatementExplanation[];
}
