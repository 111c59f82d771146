/** What a leader knows of the in-sync leases of its members. */
import type { CommitTimes } from "./commit-times.ts";
import type { LogIndex, Milliseconds, MonotonicTime, NodeId } from "./types.ts";

/** What a member said of itself, from which its next lease may count. */
interface Report {
	readonly round: number;
	readonly at: MonotonicTime;
	readonly durationMs: Milliseconds;
	/** A quorum's answer to this round, or a later one, shows that we still led when the report came. */
	readonly confirmedBy: number;
}

export interface Lease {
	/** The latest round that the member answered in this term; 0: it may still hold a lease of an earlier leader. */
	round: number;
	/** What it had applied, by its answer to that round or a later word of the same life. */
	appliedIndex: LogIndex;
	/** The member's lease has ended by then, however wrong both clocks are. */
	endsAt: MonotonicTime;
	/** Waits for a round to be confirmed. */
	pending: Report | null;
	/** Goes out with the next heartbeat. */
	ready: Report | null;
	/** It may answer linearizable reads by itself until then, however wrong both clocks are. */
	readsUntil: MonotonicTime;
	/** The round in which it was first told to give that up; null: it was not. Every later one says it again. */
	readsEndIn: number | null;
}

export interface Leases {
	/** Of every other node that is, or was, a member: a removed one keeps its lease until that ends. */
	readonly members: Map<NodeId, Lease>;
	readonly commitTimes: CommitTimes;
	/** The latest round that a quorum has answered. */
	confirmedRound: number;
	/** The highest index that was acknowledged because everybody in-sync had applied it. */
	acknowledgedIndex: LogIndex;
	/** Who was last lent the read lease of the tail. */
	tail: { readonly node: NodeId; readonly until: MonotonicTime } | null;
	/** The highest index that was shown: acknowledged, or told to anybody as committed (local-reads.ts). */
	shownIndex: LogIndex;
}
