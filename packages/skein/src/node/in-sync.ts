/**
 * Whether this member is in-sync by its own knowledge: it holds a lease from the leader of its term, counted from the
 * moment in which it asked for it, and has applied what it must have. The argument: docs/decisions/in-sync-leases.md.
 *
 * Of now, and of reads that begin after it was asked: what they find is not older. Nothing of this outlives the process.
 */
import type { ReadGrant } from "../consensus/message.ts";
import type { Output } from "../consensus/output.ts";
import type { LogIndex, Milliseconds, Term } from "../consensus/types.ts";
import type { Freshness, Moment } from "./freshness.ts";

export type LeaseAsked = Extract<Output, { type: "lease-asked" }>;
export type Leased = Extract<Output, { type: "leased" }>;

export interface InSync {
	onLeaseAsked(asked: LeaseAsked): void;
	onLeased(leased: Leased): void;
	/** It answers no linearizable reads by itself any more. */
	onReadsEnded(): void;
	holds(): boolean;
	/** It may answer linearizable reads by itself, if it has what the lease asks for; null: it may not. */
	readLease(): ReadGrant | null;
	/**
	 * The most that has passed since the beginning of the latest round that a quorum is known to have answered, on a leader;
	 * null: unknown, or this process cannot tell.
	 */
	confirmedForMs(): Milliseconds | null;
}

/** Of the last rounds; a lease comes two or three behind, more of them where reads begin rounds of their own. */
const maxMoments = 64;

interface Held {
	readonly asked: Moment;
	readonly lease: Leased;
}

export function createInSync(options: {
	readonly freshness: Freshness;
	readonly term: () => Term;
	readonly appliedIndex: () => LogIndex;
}): InSync {
	const { freshness } = options;
	let moments = new Map<number, Moment>();
	let latest = { term: 0, round: 0 };
	let held: Held | null = null;

	return {
		onLeaseAsked({ term, round }) {
			if (term !== latest.term) {
				moments = new Map();
				latest = { term, round: 0 };
			}
			// A copy of what was answered long ago: its lease counts from the first answer, or from none.
			if (round <= latest.round) return;
			latest = { term, round };
			moments.set(round, freshness.moment());
			const [oldest] = moments.keys();
			if (moments.size > maxMoments && oldest !== undefined) moments.delete(oldest);
		},
		onLeased(lease) {
			const asked = lease.term === latest.term ? moments.get(lease.round) : undefined;
			const isOlder = held?.lease.term === lease.term && held.lease.round > lease.round;
			if (asked !== undefined && !isOlder) held = { asked, lease };
		},
		onReadsEnded() {
			if (held !== null) held = { asked: held.asked, lease: { ...held.lease, reads: null } };
		},
		holds() {
			if (held === null || held.lease.term !== options.term()) return false;
			if (options.appliedIndex() < held.lease.index) return false;
			const ageMs = freshness.age(held.asked);
			return ageMs !== null && ageMs < held.lease.durationMs;
		},
		readLease() {
			if (held === null || held.lease.term !== options.term()) return null;
			const { reads } = held.lease;
			const ageMs = reads === null ? null : freshness.age(held.asked);
			return reads !== null && ageMs !== null && ageMs < reads.durationMs ? reads : null;
		},
		confirmedForMs() {
			return held === null || held.lease.term !== options.term() ? null : freshness.age(held.asked);
		},
	};
}
