/** The words of the core: names for numbers, entries and configurations. Plain data, no behaviour. */

/** The generation clock: grows with every election, carried by every message between members. */
export type Term = number;
/** A place in the replicated log; the first entry has 1, 0 means "before the first". */
export type LogIndex = number;
/** A node's name, unique in its cluster for ever: 1 to 64 of a-z A-Z 0-9 . _ - */
export type NodeId = string;
/** Which database's log a message belongs to. `default` is 1. */
export type GroupId = number;
/** Milliseconds on the caller's monotonic clock; the core only compares and adds. */
export type MonotonicTime = number;
export type Milliseconds = number;

export type Role = "leader" | "follower" | "candidate";

/**
 * What an entry holds. The core looks into `configuration` only.
 * barrier: empty, the first entry of a leader's term. command: a whole client transaction, or the
 * last piece of one. fragment: a piece of a large transaction whose next piece follows at the next
 * index in the same term; without its `command` it has no effect. metadata: what a witness has in the place of a
 * command or fragment (witness.ts).
 */
export type EntryKind = "barrier" | "configuration" | "command" | "fragment" | "metadata";

export interface Entry {
	readonly index: LogIndex;
	readonly term: Term;
	readonly kind: EntryKind;
	/** Opaque to the core, but for `configuration` (see configuration.ts). */
	readonly payload: Uint8Array;
}

/** Where a log ends, or one place in it: compared by term first, then index (Raft §5.4.1). */
export interface Position {
	readonly term: Term;
	readonly index: LogIndex;
}

export interface Member {
	readonly id: NodeId;
	/** HOST:PORT of the connection between nodes. */
	readonly peer: string;
	/**
	 * preferred: it gets leadership when it is well. never: it leads only to bring somebody else up to date. Absent: any other.
	 */
	readonly priority?: "preferred" | "never";
	/** It votes, and keeps the log without payloads, and no data. For ever: its id never holds data. */
	readonly witness?: true;
}

/** Who stands, and when (electors/). The place of each is its number on the wire and in the log: never changed. */
export const electorNames = ["raft", "manual", "bully", "zab"] as const;
export type ElectorName = (typeof electorNames)[number];

export type Priority = "preferred" | "normal" | "never";

/**
 * Who takes part. A change of voters goes through a joint configuration, where `outgoingVoters` is not
 * empty and both sets must agree (membership.ts).
 */
export interface Configuration {
	readonly members: readonly Member[];
	readonly voters: readonly NodeId[];
	readonly outgoingVoters: readonly NodeId[];
	readonly learners: readonly NodeId[];
	/** Learners that become voters by themselves as soon as they keep pace. */
	readonly joining: readonly NodeId[];
	/** Ids of those who were removed, oldest first: never to be used again. */
	readonly retired: readonly NodeId[];
	/** Absent: each member's own choice. */
	readonly elector?: ElectorName;
}

/** What an operator may want of the members. Several happen as one change. */
export type MemberChange =
	| {
			readonly change: "add";
			readonly id: NodeId;
			readonly peer: string;
			/** `joining`: a learner until it keeps pace, then a voter. `voter`, `witness`: at once, however far behind. */
			readonly as: "voter" | "joining" | "learner" | "witness";
	  }
	| { readonly change: "remove"; readonly id: NodeId }
	/** A learner becomes a voter. */
	| { readonly change: "promote"; readonly id: NodeId }
	/** A voter becomes a learner. */
	| { readonly change: "demote"; readonly id: NodeId }
	/** Its address is another one. */
	| { readonly change: "move"; readonly id: NodeId; readonly peer: string }
	/** Whether it is to lead. */
	| { readonly change: "priority"; readonly id: NodeId; readonly priority: Priority }
	/** Of all members. */
	| { readonly change: "elector"; readonly elector: ElectorName };

/**
 * Why a member does not stand by itself. paused: elections are. Leadership does not move by itself then: only who led
 * last stands, to go on after a break. stepped-down: it gave leadership up, and is not to have it again soon. unfit: it could
 * not apply, so that it would serve nobody.
 */
export type HoldBackReason = "paused" | "stepped-down" | "unfit";

/** The durable word of a voter: at most one candidate a term, ever. `votedFor` null: none yet in this term. */
export interface VotePromise {
	readonly term: Term;
	readonly votedFor: NodeId | null;
}
