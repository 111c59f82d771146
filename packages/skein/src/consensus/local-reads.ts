/**
 * Read leases: the leader's own lease, lent to followers that then answer linearizable reads by themselves; and what is
 * held back for them. An index is *shown* by acknowledging it, or by telling anybody, also ourselves, that it is
 * committed. The argument: docs/decisions/chain.md.
 */
import type { ReadGrant } from "./message.ts";
import { isMember } from "./quorum.ts";
import { leaderLeaseMs } from "./settings.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf } from "./state.ts";
import type { LogIndex, Milliseconds, MonotonicTime, NodeId } from "./types.ts";

/** When the last read lease has ended that was lent. */
export function lentUntil({ leases }: LeaderState): MonotonicTime {
	let until = leases.tail?.until ?? Number.NEGATIVE_INFINITY;
	for (const { readsUntil } of leases.members.values()) until = Math.max(until, readsUntil);
	return until;
}

/** Somebody may answer reads by itself just now. */
export function isAnythingLent(state: CoreState, leader: LeaderState): boolean {
	return state.now <= lentUntil(leader);
}

/**
 * The most that may be shown to `to` (null: to anybody but the tail): what all have on disk who read by themselves, and,
 * but to the tail, what the tail has applied. Infinity: nobody reads by himself.
 */
function gate(state: CoreState, { leases, progress }: LeaderState, to: NodeId | null): LogIndex {
	let index = Number.POSITIVE_INFINITY;
	for (const [node, { readsUntil }] of leases.members) {
		if (state.now <= readsUntil) index = Math.min(index, progress.get(node)?.matchIndex ?? 0);
	}
	const { tail } = leases;
	if (tail === null || state.now > tail.until || to === tail.node) return index;
	return Math.min(index, leases.members.get(tail.node)?.appliedIndex ?? 0);
}

/** What may be acknowledged, in whatever mode. */
export function acknowledgeableIndex(state: CoreState, leader: LeaderState): LogIndex {
	return gate(state, leader, null);
}

/** What may be told to anybody as committed. */
export function showableIndex(state: CoreState, leader: LeaderState): LogIndex {
	return Math.min(state.commitIndex, gate(state, leader, null));
}

/** What is told to `to` as committed: it is shown from now on. */
export function shownCommitIndex(state: CoreState, leader: LeaderState, to: NodeId | null): LogIndex {
	const index = Math.min(state.commitIndex, gate(state, leader, to));
	leader.leases.shownIndex = Math.max(leader.leases.shownIndex, index);
	return index;
}

/** Who is told more than the others; null: nobody. */
export function tailOf(state: CoreState, { leases: { tail } }: LeaderState): NodeId | null {
	return tail !== null && state.now <= tail.until ? tail.node : null;
}

/** `at`: when the leader had heard the answer from which the lease counts. From now on it is waited for. */
export function lendReads(
	state: CoreState,
	leader: LeaderState,
	to: NodeId,
	report: { readonly at: MonotonicTime; readonly round: number },
): ReadGrant | null {
	const { leases, chain } = leader;
	const lease = leases.members.get(to);
	if (lease === undefined || !maySomebodyGet(state, leader) || !chain.order.includes(to)) return null;
	const lacksSince = leases.commitTimes.firstAbove(lease.appliedIndex);
	const lacksForMs = lacksSince === null ? 0 : state.now - lacksSince;
	const durationMs = Math.floor(leaderLeaseMs(state.settings) - lacksForMs);
	if (durationMs <= 0) return null;
	const until = report.at + longest(state, durationMs);
	const tail = chain.order.at(-1) === to && (tailOf(state, leader) ?? to) === to;
	lease.readsUntil = Math.max(lease.readsUntil, until);
	lease.readsEndIn = null;
	if (tail)
		leases.tail = { node: to, until: Math.max(until, leases.tail?.node === to ? leases.tail.until : until) };
	return { durationMs, index: leases.shownIndex, tail };
}

/**
 * Whether the heartbeat of the present round tells `to` to give up its read lease: somebody is in a hurry, or it is a member no
 * more, and would hold up all that is shown, since it is soon forgotten what it has.
 */
export function endsReads(state: CoreState, leader: LeaderState, to: NodeId): boolean {
	const lease = leader.leases.members.get(to);
	if (lease === undefined || state.now > lease.readsUntil) return false;
	const isInHurry = state.transfer !== null || state.now < leader.chain.lendsFrom;
	const isWanted = isInHurry || !isMember(configurationOf(state), to);
	if (isWanted) lease.readsEndIn ??= leader.round;
	// Also if nobody is in a hurry any more: or the answer to this round would say too much.
	return lease.readsEndIn !== null;
}

/** `from` has answered the heartbeat of `round`. */
export function noteReadsEnded({ leases }: LeaderState, from: NodeId, round: number): void {
	const lease = leases.members.get(from);
	if (lease === undefined || lease.readsEndIn === null || round < lease.readsEndIn) return;
	lease.readsEndIn = null;
	lease.readsUntil = Number.NEGATIVE_INFINITY;
	if (leases.tail?.node === from) leases.tail = null;
}

function maySomebodyGet(state: CoreState, leader: LeaderState): boolean {
	if (!state.settings.leaderLease || !leader.established || leader.leaseForfeited) return false;
	if (state.transfer !== null || state.now < leader.chain.lendsFrom) return false;
	return leader.leases.confirmedRound >= leader.leaseFromRound;
}

/** What must pass on our clock so that `ms` have truly passed. */
export function longest(state: CoreState, ms: Milliseconds): Milliseconds {
	return ms * (1 + state.settings.maxClockDrift);
}
