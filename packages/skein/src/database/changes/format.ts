/**
 * A log format: what an entry of a client transaction holds. One file a format (row.ts), each with
 * a capture on the leader and an apply everywhere else; nothing outside knows what is inside a payload.
 */
import type { DatabaseSync } from "node:sqlite";
import type { StatementKind } from "../sql.ts";

/** Notes what one request changes on the leader's writing connection. One capture at a time. */
export interface Capture {
	/**
	 * Runs one statement of the request. `kind` is the statement's kind, `sql` its text: statements
	 * that change the schema, savepoints and the like need more than watching the rows.
	 */
	statement<T>(kind: StatementKind, sql: string, run: () => T): T;
	/** The payload of everything since the capture began that was not rolled back; null when nothing changed. Ends the capture. */
	finish(): Uint8Array | null;
	/** Ends the capture; the caller rolls the request's savepoint back. */
	discard(): void;
}

export interface ChangeFormat {
	readonly name: "row";
	/** Readies the connection for `execute` (triggers and foreign keys as clients expect). */
	prepareToCapture(connection: DatabaseSync): void;
	beginCapture(connection: DatabaseSync): Capture;
	/** Readies the connection for `apply` (triggers and foreign-key actions silent). */
	prepareToApply(connection: DatabaseSync): void;
	/** Applies one payload inside the open transaction. Throws when it does not fit: the member has diverged and must stop. */
	apply(connection: DatabaseSync, payload: Uint8Array): void;
}
