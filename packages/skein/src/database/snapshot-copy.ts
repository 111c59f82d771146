/** A copy of the database by SQLite's backup: the state that it is made of, and what the copy must have besides. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { BeginGate } from "./begin-gate.ts";
import { openReading } from "./connection.ts";
import type { DatabaseState } from "./database.ts";
import { createFormatReader, readState } from "./own-tables.ts";
import { withoutHistory, withSchemaVersion } from "./pages/first-page.ts";

/** A connection whose open transaction holds one state, until it ends. */
export function pinState(
	path: string,
	gate: BeginGate,
): { readonly connection: DatabaseSync; readonly state: DatabaseState } {
	return gate.begin(() => {
		const connection = openReading(path);
		connection.exec("BEGIN");
		return { connection, state: readState(connection) };
	});
}

const pageBytesAt = 16;

/**
 * SQLite's backup writes into the first page how often the copy was written, and a schema version of the copy's own. In
 * the log format wal all pages of a member are as its leader's. Not synced here.
 */
export function makeExact(connection: DatabaseSync, copy: string): void {
	if (createFormatReader(connection)() !== "wal") return;
	const schemaVersion = Number(connection.prepare("PRAGMA main.schema_version").get()?.["schema_version"]);
	const descriptor = openSync(copy, "r+");
	try {
		const head = new Uint8Array(100);
		readSync(descriptor, head, 0, head.length, 0);
		const size = new DataView(head.buffer).getUint16(pageBytesAt);
		const first = new Uint8Array(size === 1 ? 65_536 : size);
		readSync(descriptor, first, 0, first.length, 0);
		const exact = withSchemaVersion(withoutHistory(first), schemaVersion);
		writeSync(descriptor, exact, 0, exact.length, 0);
	} finally {
		closeSync(descriptor);
	}
}
