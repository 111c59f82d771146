/**
 * Every message between members, as data. `term` is always the sender's term at sending, but in
 * pre-vote messages: there it is the term that the sender would have if it stood (request), or its
 * present one (response). A receiver answers an older term with its own, always (fencing without a
 * deadlock: https://github.com/etcd-io/etcd/issues/8501).
 */
import type { ElectorName, Entry, GroupId, LogIndex, NodeId, Position, Term } from "./types.ts";

interface Envelope {
	readonly group: GroupId;
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: Term;
}

/** "Would you vote for me in this term?" Changes nothing anywhere (Ongaro's thesis §9.6). */
export interface PreVoteRequest extends Envelope {
	readonly type: "pre-vote-request";
	readonly last: Position;
}

export interface PreVoteResponse extends Envelope {
	readonly type: "pre-vote-response";
	/** The term that was asked about, so that a late answer to an older question counts for nothing. */
	readonly askedTerm: Term;
	readonly granted: boolean;
}

export interface VoteRequest extends Envelope {
	readonly type: "vote-request";
	readonly last: Position;
	/** The leader asked for this election: voters are not sticky against it. */
	readonly transfer: boolean;
}

export interface VoteResponse extends Envelope {
	readonly type: "vote-response";
	readonly granted: boolean;
}

export interface AppendRequest extends Envelope {
	readonly type: "append-request";
	/** The entry just before `entries`; the follower must have it to accept them. */
	readonly previous: Position;
	readonly entries: readonly Entry[];
	readonly commitIndex: LogIndex;
}

/**
 * An append-request of the leader of this term that members pass on, one to the next: the receiver, then those in `route`.
 * `from` is who passed it on, or the leader itself.
 */
export interface ChainAppend extends Envelope {
	readonly type: "chain-append";
	readonly leader: NodeId;
	readonly previous: Position;
	readonly entries: readonly Entry[];
	readonly commitIndex: LogIndex;
	readonly route: readonly NodeId[];
}

export interface AppendResponse extends Envelope {
	readonly type: "append-response";
	readonly result: /** Everything up to here is the leader's and durable on this follower. */
		| { readonly accepted: true; readonly matchIndex: LogIndex }
		/**
		 * The entry at `previousIndex` (echoed) is absent or of another term. `hint` is the follower's
		 * latest position that may agree: at most `previousIndex`, with a term at most the leader's. At 0,
		 * where all logs agree: the request was of an older term, and the answer's own term is all it says.
		 */
		| { readonly accepted: false; readonly previousIndex: LogIndex; readonly hint: Position };
}

export interface HeartbeatRequest extends Envelope {
	readonly type: "heartbeat-request";
	/** Never above what the leader knows this follower to hold (etcd: commit = min(match, committed)). */
	readonly commitIndex: LogIndex;
	/** Grows with every heartbeat; an answer confirms leadership for all reads queued before this round began. */
	readonly round: number;
	readonly lease: LeaseGrant | null;
	/** Whatever read lease the receiver has is over with its answer, which says so. */
	readonly endsReads: boolean;
}

/** The receiver is in-sync for so long from its answer to `round` on, once it has applied `index`. */
export interface LeaseGrant {
	readonly round: number;
	readonly durationMs: number;
	readonly index: LogIndex;
	/** It may answer linearizable reads by itself; null: it asks. */
	readonly reads: ReadGrant | null;
}

/** From the same answer on as the lease that it comes with. The argument: docs/decisions/chain.md. */
export interface ReadGrant {
	readonly durationMs: number;
	/** What was shown to anybody before: the receiver must have it. */
	readonly index: LogIndex;
	/** What it has applied is what it may show. Anybody else must have applied all of its log. */
	readonly tail: boolean;
}

export interface HeartbeatResponse extends Envelope {
	readonly type: "heartbeat-response";
	/** Of the request; 0, which is none, if that was of an older term: it confirms nothing in this one. */
	readonly round: number;
	/** Last index in the follower's log, so that a leader notices lost appends. */
	readonly lastIndex: LogIndex;
	/** In the follower's database. With the round it asks for an in-sync lease. */
	readonly appliedIndex: LogIndex;
}

/** `index` is committed, and a write waits until the receiver has applied it: it shall do so at once, and say it. */
export interface ApplyRequest extends Envelope {
	readonly type: "apply-request";
	/** The receiver may not have it yet. */
	readonly index: LogIndex;
}

export interface AppliedResponse extends Envelope {
	readonly type: "applied-response";
	/** The latest heartbeat round that the sender has answered in this life and term; 0: none, and nothing counts. */
	readonly round: number;
	readonly appliedIndex: LogIndex;
}

/** The leader hands over: the receiver stands at once, without a pre-vote. */
export interface TimeoutNow extends Envelope {
	readonly type: "timeout-now";
}

/** A follower asks for the leader's read index; the id is never used twice, also not for a retry. */
export interface ReadIndexRequest extends Envelope {
	readonly type: "read-index-request";
	readonly readId: number;
}

export interface ReadIndexResponse extends Envelope {
	readonly type: "read-index-response";
	readonly readId: number;
	/** What the read must see; above the commit index where a mode acknowledges early. */
	readonly index: LogIndex;
	readonly commitIndex: LogIndex;
}

/** What electors say to each other (electors/). The place of each is its number on the wire: never changed. */
export const electorWords = ["standing", "wait", "favourite"] as const;

/** A hint. It changes no term and proves nothing: who leads is decided by promises alone. */
export interface ElectorHint {
	readonly word: (typeof electorWords)[number];
	/** Whom it is about. */
	readonly candidate: NodeId;
	/** Where that one's log ends. */
	readonly last: Position;
	/** The elector's own count; 0 where it has none. */
	readonly round: number;
}

/** Between members that run the same elector; others ignore it. */
export interface ElectorMessage extends Envelope {
	readonly type: "elector-message";
	readonly elector: ElectorName;
	readonly hint: ElectorHint;
}

export type ConsensusMessage =
	| PreVoteRequest
	| PreVoteResponse
	| VoteRequest
	| VoteResponse
	| AppendRequest
	| ChainAppend
	| AppendResponse
	| HeartbeatRequest
	| HeartbeatResponse
	| ApplyRequest
	| AppliedResponse
	| TimeoutNow
	| ElectorMessage
	| ReadIndexRequest
	| ReadIndexResponse;
