/**
 * All log formats as one: a capture in the format that the database has, and payloads of any of them applied.
 * A payload says its format in its first byte, so a log in which the format changed is replayed as it was written.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Guard } from "../connection.ts";
import type { LogFormat } from "../log-format.ts";
import type { Capture, ChangeFormat } from "./format.ts";
import { formatOf } from "./payload.ts";
import { createRowFormat } from "./row.ts";
import { createStatementFormat } from "./statement.ts";

export interface LogFormats {
	/** Readies the connection for `execute` (triggers and foreign keys as clients expect). */
	prepareToCapture(connection: DatabaseSync, guard: Guard): void;
	beginCapture(connection: DatabaseSync, format: LogFormat): Capture;
	/** Readies the connection for `apply`. */
	prepareToApply(connection: DatabaseSync): void;
	/** Applies one payload inside the open transaction. Throws when it does not fit: the member has diverged. */
	apply(connection: DatabaseSync, payload: Uint8Array): void;
	/** The transaction in which `apply` was called was rolled back. */
	applyRolledBack(): void;
}

export function createLogFormats(): LogFormats {
	const row = createRowFormat();
	const formats: Record<LogFormat, ChangeFormat> = { row, statement: createStatementFormat(row) };
	const all = Object.values(formats);

	return {
		prepareToCapture(connection, guard) {
			for (const format of all) format.prepareToCapture(connection, guard);
		},
		beginCapture: (connection, format) => formats[format].beginCapture(connection),
		prepareToApply(connection) {
			for (const format of all) format.prepareToApply(connection);
		},
		apply: (connection, payload) => formats[formatOf(payload)].apply(connection, payload),
		applyRolledBack() {
			for (const format of all) format.applyRolledBack();
		},
	};
}
