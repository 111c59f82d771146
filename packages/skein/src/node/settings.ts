/** What can be set about one running node, and the defaults. Every wait, queue and buffer has its bound here. */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { type ConsensusSettings, defaultConsensusSettings } from "../consensus/settings.ts";
import type { Milliseconds } from "../world/clock.ts";

export interface NodeSettings {
	readonly consensus: ConsensusSettings;
	/** How often the core hears that time passes. */
	readonly tickIntervalMs: Milliseconds;
	/** How long a request waits for a leader before NO_LEADER. */
	readonly leaderWaitMs: Milliseconds;
	/**
	 * The mode of writes that name none, which the first leader of a new cluster chooses for it; null: quorum, and no
	 * warning where another one was chosen.
	 */
	readonly acknowledgement: Acknowledgement | null;
	/** How long batches that were answered before their commit may stay open in SQLite with others behind them … */
	readonly maxOpenMs: Milliseconds;
	/** … and how many bytes of payload they may have. Then no batch begins before all of them are committed. */
	readonly maxOpenBytes: number;
	/** Bytes of results that are ready and wait for the acknowledgement or the commit of their entry, on the leader. */
	readonly maxHeldResultBytes: number;
	/** Client transactions in one group commit, and the bytes of their arguments. */
	readonly maxBatchRequests: number;
	/** Writes that wait for the writer; one more is OVERLOADED. */
	readonly maxQueuedWrites: number;
	/** Reads that wait for a read index; one more is OVERLOADED. */
	readonly maxQueuedReads: number;
	/** Requests passed to the leader and not answered yet; one more is OVERLOADED, unless its transaction is open there. */
	readonly maxForwarded: number;
	/** Bytes of answers to other nodes that wait for room on their way; one more large one is OVERLOADED. */
	readonly maxWaitingAnswerBytes: number;
	/** Streams with an open transaction, on the node that the client reached. */
	readonly maxStreams: number;
	/** An interactive transaction that sends nothing for this long is rolled back. */
	readonly transactionIdleMs: Milliseconds;
	/** An interactive write transaction that is open for this long is rolled back: all other writes wait for it. */
	readonly transactionTotalMs: Milliseconds;
	/** The longest a statement may run. */
	readonly statementTimeoutMs: Milliseconds;
	/** What one transaction may change, in bytes of its log payload. */
	readonly maxTransactionBytes: number;
	/** Larger payloads travel as several log entries, so that nothing waits long behind one message or one write. */
	readonly fragmentBytes: number;
	/** Bytes of one large transaction that are in the log and not committed yet. */
	readonly maxProposedBytes: number;
	/** Bytes of entries a follower applies in one SQLite transaction. */
	readonly maxApplyBytes: number;
	/** How long a follower lets committed entries gather before it applies them, if nobody waits for them. */
	readonly applyDelayMs: Milliseconds;
	/** How often a node tells the others about itself. */
	readonly statusIntervalMs: Milliseconds;
	/**
	 * A preferred member gets leadership when it has been well for so long, and another has led for so long; then
	 * after twice that, and so on.
	 */
	readonly takeoverDelayMs: Milliseconds;
	/** How often it is looked whether the log can be cut. */
	readonly compactionIntervalMs: Milliseconds;
	/** SQLite's own write-ahead file is copied back when larger. */
	readonly checkpointBytes: number;
	/** The log is cut when larger … */
	readonly compactLogBytes: number;
	/** … and this many entries are kept for followers that are a little behind. */
	readonly logTailEntries: number;
	/** … and for followers that a snapshot is on its way to, this many bytes more at most. */
	readonly maxHeldLogBytes: number;
	/** Log segments: the log is cut a whole segment at a time. */
	readonly logSegmentBytes: number;
	readonly logCacheBytes: number;
	/** Bytes of one snapshot message, and how many may be on their way. */
	readonly snapshotChunkBytes: number;
	readonly snapshotWindowChunks: number;
	/** A snapshot transfer that makes no progress for this long is given up and begun again. */
	readonly snapshotStallMs: Milliseconds;
	/** Snapshot bytes a second to one follower, so that the leader's writes do not suffer. */
	readonly snapshotBytesPerSecond: number;
	/** SIGTERM: how long handing over and draining may take. */
	readonly stopTimeoutMs: Milliseconds;
	readonly readers: number;
}

export const defaultNodeSettings: NodeSettings = {
	consensus: defaultConsensusSettings,
	tickIntervalMs: 10,
	leaderWaitMs: 8_000,
	acknowledgement: null,
	maxOpenMs: 50,
	maxOpenBytes: 4 * 1024 * 1024,
	maxHeldResultBytes: 256 * 1024 * 1024,
	maxBatchRequests: 256,
	maxQueuedWrites: 10_000,
	maxQueuedReads: 20_000,
	maxForwarded: 10_000,
	maxWaitingAnswerBytes: 256 * 1024 * 1024,
	maxStreams: 10_000,
	transactionIdleMs: 5_000,
	transactionTotalMs: 60_000,
	statementTimeoutMs: 120_000,
	maxTransactionBytes: 512 * 1024 * 1024,
	fragmentBytes: 512 * 1024,
	maxProposedBytes: 8 * 1024 * 1024,
	maxApplyBytes: 4 * 1024 * 1024,
	applyDelayMs: 20,
	statusIntervalMs: 500,
	takeoverDelayMs: 10_000,
	compactionIntervalMs: 1_000,
	checkpointBytes: 4 * 1024 * 1024,
	compactLogBytes: 64 * 1024 * 1024,
	logTailEntries: 10_000,
	maxHeldLogBytes: 1024 * 1024 * 1024,
	logSegmentBytes: 16 * 1024 * 1024,
	logCacheBytes: 32 * 1024 * 1024,
	snapshotChunkBytes: 256 * 1024,
	snapshotWindowChunks: 4,
	snapshotStallMs: 10_000,
	snapshotBytesPerSecond: 64 * 1024 * 1024,
	stopTimeoutMs: 10_000,
	readers: 2,
};
