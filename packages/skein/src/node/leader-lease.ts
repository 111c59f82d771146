/**
 * Whether this leader may answer linearizable reads without a round of messages: a quorum has answered a round that began so
 * short a time ago that nobody else can have been elected. The core says what counts (its `leasedIndex`), this file
 * looks at the clocks, both of them: a machine that was suspended has one that stood still.
 * The argument: docs/decisions/leader-leases.md.
 */
import type { ConsensusSettings } from "../consensus/settings.ts";
import { leaderLeaseMs } from "../consensus/settings.ts";
import type { LogIndex } from "../consensus/types.ts";
import type { CoreView } from "../consensus/view.ts";
import type { InSync } from "./in-sync.ts";

export interface LeaderLeaseOptions {
	readonly view: () => Pick<CoreView, "leasedIndex">;
	readonly inSync: Pick<InSync, "confirmedForMs">;
	readonly settings: ConsensusSettings;
}

/** What a read must see that begins now; null: no lease is held. */
export function createLeaderLease(options: LeaderLeaseOptions): () => LogIndex | null {
	const { view, inSync, settings } = options;
	const leaseMs = leaderLeaseMs(settings);
	return () => {
		// The clocks first: a process that is stopped between the two has an index that was right when they were looked at.
		const confirmedForMs = inSync.confirmedForMs();
		return confirmedForMs !== null && confirmedForMs < leaseMs ? view().leasedIndex : null;
	};
}
