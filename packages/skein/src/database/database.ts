/**
 * Database: SQLite as a replicated state machine, as a group's runtime sees it. The real one keeps
 * SQL off the event loop: a writer thread that owns the one writing connection, and reader threads
 * (threaded-database.ts). A simulation puts another in its place.
 *
 * The writing connection is in one of three states. idle: no transaction is open. executing: a
 * transaction holds effects of `execute`, of one group or of several, that are not committed in the log yet. applying: inside
 * `apply`. `execute`, `commit` and `rollback` are for a leader, `apply` for everybody else (and a
 * leader before its barrier). Calls on the writing connection are made one after the other; each
 * waits for the one before.
 */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { Configuration, LogIndex, Position } from "../consensus/types.ts";
import type { Milliseconds } from "../world/clock.ts";
import type { LogExplanation } from "./explanation.ts";
import type { LogFormat } from "./log-format.ts";
import type { Description, Program, ProgramOutcome } from "./program.ts";
import type { SettingChange } from "./setting-change.ts";
import type { TransactionNote } from "./transaction-note.ts";

/** Read from the file at the start, and from a snapshot after it was installed. */
export interface DatabaseState {
	/** The last entry whose effects the file holds; {0, 0} for a new file. */
	readonly applied: Position;
	/** The configuration as of `applied`, and the index of its entry; null before any. */
	readonly configuration: { readonly index: LogIndex; readonly value: Configuration } | null;
	/** The mode of writes that name none, as it was chosen by a logged entry; null: by none so far. */
	readonly acknowledgement: Acknowledgement | null;
}

export interface WriteRequest {
	readonly program: Program;
	/** `PRAGMA foreign_keys` of the stream that asks. */
	readonly foreignKeys: boolean;
	/** A program that is an explicit transaction still open may go on: interactive. Only alone in its batch. */
	readonly interactive: boolean;
	/** A key that makes the request happen once: if it is known, its stored outcome is the answer. */
	readonly idempotencyKey: string | null;
	/**
	 * Not null: it may be answered before it is committed, so its changes are captured apart from those of the others,
	 * with this about who sent it. All requests of a batch or none; in the log format wal only alone in its batch.
	 */
	readonly note: TransactionNote | null;
	/** By the leader's monotonic clock: what stored outcomes age by (outcome-clock.ts). */
	readonly receivedAtMs: number;
	readonly timeoutMs: Milliseconds;
	/** Changes a setting of the database, from the next entry on; the program is empty. Only alone in its batch. */
	readonly setting?: SettingChange;
}

export interface WriteOutcome {
	readonly outcome: ProgramOutcome;
	/**
	 * What to replicate, in the group's log format: of this request and those before it in its batch
	 * whose payload is null. Null also when nothing changed (or the transaction is still open).
	 */
	readonly payload: Uint8Array | null;
	/** The outcome was stored by an earlier request with the same idempotency key; nothing was executed. */
	readonly replayed: boolean;
}

export interface AppliedEntry {
	readonly position: Position;
	/** Pieces of one command, where the database takes them so (`takesPieces`): it is applied with the last one. */
	readonly kind: "barrier" | "configuration" | "command" | "first-piece" | "later-piece" | "last-piece";
	/** For a command the whole payload, its fragments put together. */
	readonly payload: Uint8Array;
	/** The parsed configuration of a configuration entry. */
	readonly configuration: Configuration | null;
}

export interface SnapshotFile {
	/** Relative to the data directory. */
	readonly path: string;
	readonly applied: Position;
	readonly configuration: { readonly index: LogIndex; readonly value: Configuration };
	readonly sizeBytes: number;
	/** SHA-256 of the file, in hexadecimal. */
	readonly sha256: string;
}

export interface ReadOutcome {
	readonly outcome: ProgramOutcome;
	/** The last entry in the state that was read, exactly: the file may be ahead of what anybody has heard. */
	readonly applied: Position;
	/** How long the read went on once SQLite had fixed that state. */
	readonly ranMs: Milliseconds;
}

/** A read-only transaction over several requests: one snapshot, held by one reader. */
export interface ReadTransaction {
	readonly applied: Position;
	run(program: Program, options: { timeoutMs: Milliseconds }): Promise<ProgramOutcome>;
	/** As of the snapshot. */
	describe(sql: string, options: { timeoutMs: Milliseconds }): Promise<Description>;
	/** Always safe to call; ends the snapshot. */
	close(): Promise<void>;
}

export interface Database {
	readonly opened: DatabaseState;

	/**
	 * Runs each request in a savepoint of its own inside the open SQLite transaction (opened if
	 * none is), and answers in the same order. A failing request takes back only its own effects.
	 * Rejects only when the connection itself is unusable (the caller then rolls back).
	 *
	 * `behind`: the transaction holds earlier groups, answered already and not committed yet; this one can be taken back
	 * by itself (`rollbackGroup`). Not for requests that are interactive or must run alone, and not in the log format wal,
	 * where a group has left the transaction when it was executed. If it rejects, the earlier
	 * groups may be gone from the transaction too.
	 */
	execute(requests: readonly WriteRequest[], behind?: boolean): Promise<WriteOutcome[]>;
	/** Takes back the last group only: what it executed behind stays open. The whole transaction, if it was the first. */
	rollbackGroup(): Promise<void>;
	/** Rolls back an interactive transaction that is open inside `execute`, keeping the rest. */
	abandonInteractive(): Promise<void>;
	/**
	 * Stores `applied` and commits the open SQLite transaction. Readers see it at once; the caller hears
	 * of it with the answer of its next call, some milliseconds later, or at once if it says `hurry`. A failure is told at once.
	 * A configuration is stored with it, if need be in a transaction of its own.
	 */
	commit(applied: Position, configuration?: DatabaseState["configuration"]): Promise<void>;
	/** Somebody waits to hear that the last commit is done. */
	hurry(): void;
	/** Rolls the open SQLite transaction back; a no-op when none is open. */
	rollback(): Promise<void>;
	/**
	 * Applies entries in order in one SQLite transaction that also stores the last one's position. What has come of a
	 * command in pieces is forgotten with any other entry, and with `rollback`.
	 */
	apply(entries: readonly AppliedEntry[]): Promise<void>;
	/** Whether a payload of several entries, which begins so, is applied piece by piece: nobody holds all of it. Absent: none is. */
	readonly takesPieces?: (beginning: Uint8Array) => boolean;
	/**
	 * The last entry whose effects the file holds now. To be asked after a commit or an apply that failed: it may have
	 * happened all the same, and must not happen twice.
	 */
	applied(): Promise<Position>;
	/**
	 * Must be called after `apply` and before the first `execute`: the connection forgets what it cached (FTS5). The log
	 * format that `execute` captures in, until it changes it.
	 */
	prepareToLead(): Promise<LogFormat>;

	/** Runs a read-only program on a reader, on the newest committed state. A statement that writes fails with SQLITE_READONLY. */
	read(program: Program, options: { timeoutMs: Milliseconds }): Promise<ReadOutcome>;
	beginRead(options: { timeoutMs: Milliseconds }): Promise<ReadTransaction>;
	/** As of the newest committed state. */
	describe(sql: string): Promise<Description>;
	/** The log format, as of the newest committed state. */
	format(): Promise<LogFormat>;
	/** How statements would be logged, with the schema of the newest committed state; null: in the database's own format. */
	explain(sql: string, format: LogFormat | null): Promise<LogExplanation>;

	/**
	 * Copies committed effects into the main file and makes it durable, as far as readers let it. Resolves with the
	 * durable applied index. Only between two transactions: it fails inside one.
	 */
	checkpoint(): Promise<LogIndex>;
	/** Size of SQLite's own write-ahead file, for deciding when to checkpoint. */
	walBytes(): number;
	/** A consistent copy in a file of its own, made without stopping writes. The caller removes it. */
	createSnapshot(): Promise<SnapshotFile>;
	/** Replaces the whole database by a snapshot file (checked before, also against its SHA-256), durably. Readers move to it. The file is used up. */
	installSnapshot(path: string, sha256: string): Promise<DatabaseState>;
	close(): Promise<void>;
}
