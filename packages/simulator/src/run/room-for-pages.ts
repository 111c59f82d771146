/**
 * A page is a hundred times as large as a row of a register. Where the log format may be wal, what bounds bytes of the log is
 * drawn for rows and made larger here: else the least transaction would be a thousand entries, and nothing would ever end.
 */
import type { RunPlan } from "./swarm.ts";

const pagesToRows = 64;
/** SQLite's own size, which nobody changes here. */
const pageBytes = 4_096;

export function roomForPages(plan: RunPlan): RunPlan {
	const { store } = plan;
	const { first, changesEveryMs } = store.format;
	// The state alone takes 29 pages of each snapshot, whatever the log format. By less than a page with each answer, a follower that
	// a majority needs would be under way for longer than a healed majority may take (seeds 52285920 and 920002831).
	const snapshotChunkBytes = Math.max(plan.settings.snapshotChunkBytes, pageBytes);
	const settings = { ...plan.settings, snapshotChunkBytes };
	if (first !== "wal" && changesEveryMs === null) return { ...plan, settings };
	const { consensus } = settings;
	return {
		...plan,
		// Two pages are more than the least of the limits. What comes from another format is refused by it, which is wanted.
		store: first === "wal" ? { ...store, maxTransactionBytes: 100_000_000 } : store,
		settings: {
			...settings,
			consensus: {
				...consensus,
				maxInFlightBytes: larger(consensus.maxInFlightBytes),
				maxAppendBytes: larger(consensus.maxAppendBytes),
				maxUncommittedBytes: larger(consensus.maxUncommittedBytes),
			},
			fragmentBytes: larger(settings.fragmentBytes),
			maxProposedBytes: larger(settings.maxProposedBytes),
			maxApplyBytes: larger(settings.maxApplyBytes),
			checkpointBytes: larger(settings.checkpointBytes),
			compactLogBytes: larger(settings.compactLogBytes),
			logSegmentBytes: larger(settings.logSegmentBytes),
			maxOpenBytes: larger(settings.maxOpenBytes),
		},
	};
}

/** As far as it was small. */
function larger(bytes: number): number {
	return bytes < 65_536 ? bytes * pagesToRows : bytes;
}
