/**
 * All log formats as one: a capture in the format that the database has, and payloads of any of them applied.
 * A payload says its format in its first byte, so a log in which the format changed is replayed as it was written.
 *
 * Two of them work inside a transaction of SQLite's that is the writer's; `wal` writes pages beside SQLite.
 */
import type { DatabaseSync } from "node:sqlite";
import { type BeginGate, openGate } from "../begin-gate.ts";
import type { Guard } from "../connection.ts";
import type { LogFormat } from "../log-format.ts";
import type { Capture, ChangeFormat } from "./format.ts";
import { formatOf } from "./payload.ts";
import { createRowFormat } from "./row.ts";
import { createStatementFormat } from "./statement.ts";
import { createWalFormat, type WalFormat } from "./wal.ts";

export interface LogFormats {
	/** Readies the connection for `execute` (triggers and foreign keys as clients expect). */
	prepareToCapture(connection: DatabaseSync, guard: Guard): void;
	beginCapture(connection: DatabaseSync, format: LogFormat): Capture;
	/** Inside the transaction that changes to `format`. Throws `CannotReplicate` when it cannot capture all that is there. */
	expectCapturable(connection: DatabaseSync, format: Exclude<LogFormat, "wal">): void;
	/** Readies the connection for `apply`. */
	prepareToApply(connection: DatabaseSync): void;
	/** Applies one payload inside the open transaction. Throws when it does not fit: the member has diverged. */
	apply(connection: DatabaseSync, payload: Uint8Array): void;
	/** What a connection that applies knows of the schema may be wrong: the transaction was rolled back, or pages were written. */
	forgetSchema(): void;
	readonly wal: WalFormat;
}

/** `gate`: for readers, where they are on other threads. */
export function createLogFormats(gate: BeginGate = openGate): LogFormats {
	const row = createRowFormat();
	const wal = createWalFormat(gate);
	const formats: Record<Exclude<LogFormat, "wal">, ChangeFormat> = {
		row,
		statement: createStatementFormat(row),
	};
	const all = Object.values(formats);

	return {
		prepareToCapture(connection, guard) {
			for (const format of all) format.prepareToCapture(connection, guard);
		},
		beginCapture(connection, format) {
			if (format !== "wal") return formats[format].beginCapture(connection);
			row.unwatch(connection);
			return wal.beginCapture(connection);
		},
		// Both watch rows.
		expectCapturable: (connection) => row.expectWatchable(connection),
		prepareToApply(connection) {
			for (const format of all) format.prepareToApply(connection);
		},
		apply(connection, payload) {
			const format = formatOf(payload);
			if (format === "wal") throw new Error("pages cannot be applied inside a transaction");
			formats[format].apply(connection, payload);
		},
		forgetSchema() {
			for (const format of all) format.applyRolledBack();
		},
		wal,
	};
}
