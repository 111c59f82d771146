/** How far the voters are, as their leader knows it: what the acknowledgement modes look at. */
import type { LogIndex } from "../types.ts";

export interface Standing {
	/** On the leader's own disk. */
	readonly durableIndex: LogIndex;
	/** Known to be on a majority. */
	readonly commitIndex: LogIndex;
	/**
	 * Of each other voter: what it has on disk, and equal to the leader's log. One list, or in a joint phase one of the
	 * new voters and one of the old.
	 */
	readonly matchOfOthers: readonly (readonly LogIndex[])[];
	/** In the leader's own database. */
	readonly appliedIndex: LogIndex;
	/** In the database of each other member that may hold an in-sync lease. */
	readonly appliedInSync: readonly LogIndex[];
	/** Of each follower in the order of the chain: what it has on disk. */
	readonly matchInChain: readonly LogIndex[];
	/** In the database of the last one, or of a leader that nobody follows in the chain. */
	readonly appliedAtTail: LogIndex;
	/** In the database of each other voter. */
	readonly appliedOfVoters: readonly LogIndex[];
}
