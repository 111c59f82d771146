/** What a node asks of its log. The implementation is in segmented-log.ts; DESIGN.md has the formats and why. */
import type { Entry, LogIndex, Position, VotePromise } from "../consensus/types.ts";

/** Who this data belongs to. Written once, atomically, before anything that depends on it. */
export interface Identity {
	readonly clusterId: string;
	readonly nodeId: string;
	/** Random, drawn when the data directory was made: tells a node from one that lost its disk and took its name. */
	readonly incarnation: string;
}

export interface EntryHeader extends Position {
	/** Bytes of the payload. */
	readonly sizeBytes: number;
}

/** What was found on disk at the start. */
export interface RecoveredLog {
	readonly identity: Identity;
	readonly promise: VotePromise;
	/** The place just before the first entry that the log holds; {0, 0} for a log that begins at 1. */
	readonly base: Position;
	/** Every entry after `base`, without gaps. */
	readonly headers: readonly EntryHeader[];
	/** The configuration entries among them, oldest first. */
	readonly configurations: readonly Entry[];
	/** What a crash left half written at the tail and recovery cut off; for the log line, 0 if clean. */
	readonly tornBytes: number;
}

export interface Log {
	readonly recovered: RecoveredLog;
	/** Cuts from `truncateFrom` on, then appends, as one step. Resolves when durable; calls are carried out in order, and all that gather while one sync runs share the next. */
	append(work: { truncateFrom: LogIndex | null; entries: readonly Entry[] }): Promise<void>;
	/** Resolves when durable. In order with `append`. */
	writePromise(promise: VotePromise): Promise<void>;
	/** Forgets all entries; the next is `base.index + 1`. Resolves when durable. In order with `append`. */
	reset(base: Position): Promise<void>;
	/** Entries `first … last`, or fewer from the front: at least one, then as many as fit into `maxBytes`. Null: not in memory, use `read`. */
	readCached(first: LogIndex, last: LogIndex, maxBytes: number): Entry[] | null;
	/** As `readCached`, from disk if needed. Rejects if an entry was compacted away. */
	read(first: LogIndex, last: LogIndex, maxBytes: number): Promise<Entry[]>;
	/**
	 * Allows entries up to `index` to be dropped, whole segments at a time, as far as no work under way writes
	 * or cuts them. No later call may cut at `index` or before. Resolves with the index up to which they now are.
	 */
	compact(index: LogIndex): Promise<LogIndex>;
	/** Payload and framing bytes after `base`, for deciding when to compact. */
	sizeBytes(): number;
	close(): Promise<void>;
}
