/**
 * Whether this follower may answer linearizable reads by itself: it was lent a lease, and has applied what that asks for. The
 * tail of the chain: what had been shown when the lease was lent; what was shown since was not shown before the tail had it.
 * Anybody else: all of its log, since nothing was shown that it has not got there. The argument: docs/decisions/chain.md.
 */
import type { LogIndex } from "../consensus/types.ts";
import type { CoreView } from "../consensus/view.ts";
import type { InSync } from "./in-sync.ts";

export interface LocalReadsOptions {
	readonly view: () => Pick<CoreView, "role" | "lastIndex">;
	readonly inSync: Pick<InSync, "readLease">;
	readonly appliedIndex: () => LogIndex;
}

/** What a read must see that begins now, which is applied already; null: the leader is to be asked. */
export function createLocalReads({ view, inSync, appliedIndex }: LocalReadsOptions): () => LogIndex | null {
	return () => {
		// The clocks first: a process that is stopped between the two has an index that was right when they were looked at.
		const lease = inSync.readLease();
		if (lease === null) return null;
		const { role, lastIndex } = view();
		const applied = appliedIndex();
		if (role === "leader" || applied < lease.index) return null;
		return lease.tail || applied >= lastIndex ? applied : null;
	};
}
