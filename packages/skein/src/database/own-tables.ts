/**
 * Skein's own tables in the database, created with it.
 *
 * skein_state: one row. The last entry whose effects the file holds, and the configuration as of
 * then. Written in the same transaction as the effects (reference bug 43), never captured. In the log format wal its page
 * is made by hand (pages/state-pages.ts), which knows its columns.
 *
 * skein_settings: what is chosen for this database by logged entries (setting-change.ts). Written like
 * skein_state, so that all members have the same at the same index, and a snapshot brings it along.
 *
 * skein_requests: outcomes stored for idempotency keys, so that a request that is sent again happens
 * once. Written inside the request's own capture: replicated as any table.
 *
 * skein_replays: what `skein lost replay` has made again, for ever, so that it is made once. A client may insert into it
 * (by `INSERT INTO skein_replays` only), in the transaction that makes it again; nobody may change or delete a row.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { Configuration, Position } from "../consensus/types.ts";
import type { DatabaseState } from "./database.ts";
import { defaultLogFormat, isLogFormat, type LogFormat } from "./log-format.ts";
import { type SettingChange, settingFrom, settingText } from "./setting-change.ts";

export const ownSchema = `
CREATE TABLE IF NOT EXISTS skein_state (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	applied_index INTEGER NOT NULL,
	applied_term INTEGER NOT NULL,
	-- index of the entry of the configuration below; both null before the first
	configuration_index INTEGER,
	configuration TEXT
) STRICT;
INSERT OR IGNORE INTO skein_state VALUES (1, 0, 0, NULL, NULL);
CREATE TABLE IF NOT EXISTS skein_settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS skein_requests (
	-- grows with every stored outcome: the oldest go first
	number INTEGER PRIMARY KEY,
	key TEXT NOT NULL UNIQUE,
	-- by the replicated clock of outcome-clock.ts, in milliseconds
	at_ms INTEGER NOT NULL,
	-- stored-outcome.ts
	outcome TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS skein_requests_at ON skein_requests (at_ms);
CREATE TABLE IF NOT EXISTS skein_replays (
	-- cli/lost/replay.ts
	report TEXT NOT NULL PRIMARY KEY,
	at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;

export const replaysTable = "skein_replays";

export function isOwnTable(name: string): boolean {
	return name.toLowerCase().startsWith("skein_");
}

/**
 * Instead of the applied index: of a state that SQLite holds for a moment only, while the format wal reads its pages. It
 * is not committed in the log, and nobody may read it.
 */
const unfinished = -1;

/** `text`: the configuration, so that the row takes as much as it did (pages/state-pages.ts). */
export function markUnfinished(connection: DatabaseSync, text: (appliedIndex: number) => string): void {
	connection
		.prepare("UPDATE skein_state SET applied_index = ?, configuration = ? WHERE id = 1")
		.run(unfinished, text(unfinished));
}

/** The row of skein_state as the format wal needs it: of one size, and without NULL. */
export function fillState(connection: DatabaseSync, text: string): void {
	connection
		.prepare(
			"UPDATE skein_state SET configuration_index = coalesce(configuration_index, 0), configuration = ? WHERE id = 1",
		)
		.run(text);
}

/** Also of a new file. */
export function isUnfinished(connection: DatabaseSync): boolean {
	const table = connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'skein_state'").get();
	if (table === undefined) return false;
	const row = connection.prepare("SELECT applied_index FROM skein_state WHERE id = 1").get();
	return row?.["applied_index"] === unfinished;
}

function refuseUnfinished(index: number): void {
	if (index === unfinished)
		throw new Error("the database shows a transaction that is not committed in the log");
}

export function readState(connection: DatabaseSync): DatabaseState {
	const row = connection
		.prepare(
			"SELECT applied_index, applied_term, configuration_index, configuration FROM skein_state WHERE id = 1",
		)
		.get();
	if (row === undefined)
		throw new Error("the database has no row in skein_state: it was not made by Skein, or is damaged");
	const applied = { index: Number(row["applied_index"]), term: Number(row["applied_term"]) };
	refuseUnfinished(applied.index);
	const text = row["configuration"];
	const configuration =
		typeof text === "string" && text.trim() !== ""
			? { index: Number(row["configuration_index"]), value: parseConfiguration(text) }
			: null;
	return { applied, configuration, acknowledgement: readAcknowledgement(connection) };
}

function readAcknowledgement(connection: DatabaseSync): Acknowledgement | null {
	const text = connection.prepare("SELECT value FROM skein_settings WHERE name = 'acknowledgement'").get()?.[
		"value"
	];
	if (typeof text !== "string") return null;
	const setting = settingFrom("acknowledgement", text);
	return setting.name === "acknowledgement" ? setting.value : null;
}

/** Files of before members could change know of nobody who joins or was removed. */
function parseConfiguration(text: string): Configuration {
	return { joining: [], retired: [], ...(JSON.parse(text) as Omit<Configuration, "joining" | "retired">) };
}

/** The position alone, for every read: a statement that is prepared once. */
export function createPositionReader(connection: DatabaseSync): () => Position {
	const statement = connection.prepare("SELECT applied_term, applied_index FROM skein_state WHERE id = 1");
	return () => {
		const row = statement.get();
		const index = Number(row?.["applied_index"]);
		refuseUnfinished(index);
		return { term: Number(row?.["applied_term"]), index };
	};
}

export function createFormatReader(connection: DatabaseSync): () => LogFormat {
	const statement = connection.prepare("SELECT value FROM skein_settings WHERE name = 'format'");
	return () => {
		const value = statement.get()?.["value"] ?? defaultLogFormat;
		if (!isLogFormat(value))
			throw new Error(`the database has the log format ${String(value)}, which is unknown`);
		return value;
	};
}

export interface StateWriter {
	applied(position: Position): void;
	setting(change: SettingChange): void;
	configuration(index: number, value: Configuration): void;
}

export function createStateWriter(connection: DatabaseSync): StateWriter {
	let applied: StatementSync | null = null;

	return {
		applied(position) {
			applied ??= connection.prepare(
				"UPDATE skein_state SET applied_index = ?, applied_term = ? WHERE id = 1",
			);
			applied.run(position.index, position.term);
		},
		setting(change) {
			// What the format wal needs of its size (pages/state-pages.ts) would be copied with each commit.
			if (change.name === "format")
				connection.exec(
					"UPDATE skein_state SET configuration = nullif(rtrim(configuration), ''), configuration_index = CASE WHEN rtrim(configuration) <> '' THEN configuration_index END",
				);
			connection
				.prepare("INSERT OR REPLACE INTO skein_settings VALUES (?, ?)")
				.run(change.name, settingText(change));
		},
		configuration(index, value) {
			connection
				.prepare("UPDATE skein_state SET configuration_index = ?, configuration = ? WHERE id = 1")
				.run(index, JSON.stringify(value));
		},
	};
}
