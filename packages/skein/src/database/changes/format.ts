/**
 * A log format: what an entry of a client transaction holds. One file a format (row.ts, statement.ts), each with
 * a capture on the leader and an apply everywhere else; nothing outside knows what is inside a payload. formats.ts
 * makes one of them all.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Guard } from "../connection.ts";
import type { LogFormat } from "../log-format.ts";
import type { StatementKind } from "../parsed-statement.ts";
import type { Statement } from "../program.ts";
import type { StatementSight } from "../statement-sight.ts";
import type { TransactionNote } from "../transaction-note.ts";

/** What a statement did cannot be captured: it is undone and refused with UNSUPPORTED_SQL. */
export class CannotReplicate extends Error {}

/** A client's statement with its arguments, and what SQLite said that it will do (throws if it cannot be prepared). */
export interface ClientStatement {
	readonly statement: Statement;
	/** Of the text, in the order of their numbers. */
	readonly parameters: readonly (string | null)[];
	readonly sight: () => StatementSight;
}

/**
 * Notes what a group of requests changes on the leader's writing connection. One capture at a time;
 * each request is a savepoint of the caller's, set after `beginRequest`.
 */
export interface Capture {
	/**
	 * `plain`: the request only reads, writes rows, and begins, commits or rolls back; then nothing
	 * has to be kept apart from the requests before it.
	 */
	beginRequest(plain: boolean): void;
	/**
	 * Runs one statement of the request. `kind` is the statement's kind, `sql` its text: statements
	 * that change the schema, savepoints and the like need more than watching the rows. `client`: what a client sent;
	 * null for what is Skein's own.
	 */
	statement<T>(kind: StatementKind, sql: string, run: () => T, client: ClientStatement | null): T;
	/** The caller rolled the request's savepoint back. */
	requestRolledBack(): void;
	/** Bytes of what the request changed so far; only for a request that is not plain. */
	requestBytes(): number;
	/**
	 * The payload of everything since the capture began that was not rolled back, with this note; null when nothing
	 * changed. Ends the capture.
	 */
	finish(note: TransactionNote | null): Uint8Array | null;
	/** Ends the capture; the caller rolls the whole transaction back. */
	discard(): void;
}

export interface ChangeFormat {
	readonly name: LogFormat;
	/** Readies the connection for `execute` (triggers and foreign keys as clients expect). */
	prepareToCapture(connection: DatabaseSync, guard: Guard): void;
	beginCapture(connection: DatabaseSync): Capture;
	/** Readies the connection for `apply` (triggers and foreign-key actions silent). */
	prepareToApply(connection: DatabaseSync): void;
	/** The transaction in which `apply` was called was rolled back. */
	applyRolledBack(): void;
	/** Applies one payload inside the open transaction. Throws when it does not fit: the member has diverged and must stop. */
	apply(connection: DatabaseSync, payload: Uint8Array): void;
}
