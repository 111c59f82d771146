/** What can be set about the core. Every member of a group should have the same. */
import type { ElectorName, Milliseconds } from "./types.ts";

export interface ConsensusSettings {
	/** How often a leader tells its followers that it lives. */
	readonly heartbeatIntervalMs: Milliseconds;
	/**
	 * A follower that hears nothing stands after a random time between this and twice this. Voters
	 * are sticky for this long, and a leader that reaches no majority for this long steps down.
	 */
	readonly electionTimeoutMs: Milliseconds;
	/** A leader whose oldest disk write is older than this stops its heartbeats. */
	readonly diskStallMs: Milliseconds;
	/** Bytes sent to one follower and not yet acknowledged. */
	readonly maxInFlightBytes: number;
	/** Bytes of entries in one append-request; one entry may be larger. */
	readonly maxAppendBytes: number;
	/** Bytes of entries that are not committed yet; above, proposals are refused as overloaded. */
	readonly maxUncommittedBytes: number;
	/** Proposals that wait for so many followers, or for fewer, at once; one more that does is refused. */
	readonly maxUnacknowledged: number;
	/** Reads that wait for a round at once. */
	readonly maxPendingReads: number;
	/**
	 * How long an in-sync lease lasts: the longest that a dead follower holds up a write of mode `sync`. All members must have
	 * the same, at all times: a new leader waits so long for leases of its predecessor.
	 */
	readonly syncLeaseMs: Milliseconds;
	/** The most that any member's clock is fast or slow, as a share of true time. */
	readonly maxClockDrift: number;
	/**
	 * A leader answers linearizable reads without a round of messages as long as its lease holds. It rests on `maxClockDrift`
	 * and on the same `electionTimeoutMs` everywhere; without it each read (or batch of them) costs a round.
	 */
	readonly leaderLease: boolean;
	/** As `use-chain` says it, from the beginning. */
	readonly chain: boolean;
	/** Who stands, and when, as long as the log does not name an elector. Null: nobody chose, and raft does. */
	readonly elector: ElectorName | null;
	/** A leadership transfer that takes longer is given up, and the leader serves again. */
	readonly transferTimeoutMs: Milliseconds;
}

/** Where nobody chose another one. */
export const defaultElector: ElectorName = "raft";

export const defaultConsensusSettings: ConsensusSettings = {
	heartbeatIntervalMs: 50,
	electionTimeoutMs: 350,
	diskStallMs: 1_000,
	maxInFlightBytes: 8 * 1024 * 1024,
	maxAppendBytes: 1024 * 1024,
	maxUncommittedBytes: 64 * 1024 * 1024,
	maxUnacknowledged: 1_000,
	maxPendingReads: 10_000,
	syncLeaseMs: 1_000,
	maxClockDrift: 0.01,
	leaderLease: true,
	chain: false,
	elector: null,
	transferTimeoutMs: 2_000,
};

/**
 * For how long after a round began, by the leader's own clock, nobody else can have been elected if a quorum answered it:
 * voters hold to their leader for an election timeout, by clocks that may be fast where ours is slow.
 */
export function leaderLeaseMs({ electionTimeoutMs, maxClockDrift }: ConsensusSettings): Milliseconds {
	return electionTimeoutMs / (1 + maxClockDrift);
}
