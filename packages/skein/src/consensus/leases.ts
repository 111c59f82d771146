/**
 * In-sync leases, as the leader grants them: whom it waits for in mode `sync`. A member counts its lease from the
 * moment in which it answered a heartbeat; the leader grants it when a quorum has answered a later round, so that no
 * lease of this term can begin after the next leader was elected. The argument: docs/decisions/in-sync-leases.md.
 */
import { createCommitTimes } from "./commit-times.ts";
import type { Lease, Leases } from "./lease.ts";
import { lendReads, longest } from "./local-reads.ts";
import type { LeaseGrant } from "./message.ts";
import { isMember, isWitness, quorumValue } from "./quorum.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf } from "./state.ts";
import type { LogIndex, MonotonicTime, NodeId } from "./types.ts";

/**
 * Leadership begins: everybody may hold a lease of an earlier leader, which began before now. Whoever was removed, and
 * is in no configuration of our log any more, got its last one before that removal.
 */
export function createLeases(state: CoreState): Leases {
	const members = new Map<NodeId, Lease>();
	const { configurations } = state;
	const removed = unknownLease(state, state.removalSeenAt);
	if (mayHold(state, removed))
		for (const id of configurations[0]?.value.retired ?? []) members.set(id, { ...removed });
	for (const { value } of configurations) {
		// No leader gives a witness one.
		for (const { id, witness } of value.members)
			if (id !== state.self && witness !== true) members.set(id, unknownLease(state, state.now));
	}
	return {
		members,
		commitTimes: createCommitTimes(state.commitIndex),
		confirmedRound: 0,
		acknowledgedIndex: 0,
		tail: null,
		// Earlier leaders showed nothing that is not below our barrier.
		shownIndex: state.log.last.index + 1,
	};
}

function unknownLease(state: CoreState, beganBy: MonotonicTime): Lease {
	const endsAt = beganBy + longest(state, state.settings.syncLeaseMs);
	const readsUntil = Number.NEGATIVE_INFINITY;
	return { round: 0, appliedIndex: 0, endsAt, pending: null, ready: null, readsUntil, readsEndIn: null };
}

/** The member may be in-sync by its own knowledge. */
export function mayHold(state: CoreState, lease: Lease): boolean {
	return state.now <= lease.endsAt;
}

/**
 * Every later leader knows it: it is a member of what is committed, and nothing in our log removes it. Whoever was added
 * by what may be taken back, or is being removed, gets no lease any more, and is waited for as long as it holds one.
 */
function mayGet(state: CoreState, node: NodeId): boolean {
	const inForce = state.configurations.findLast((one) => one.index <= state.commitIndex);
	// A witness has nothing that could be read.
	const current = configurationOf(state);
	return (
		inForce !== undefined &&
		isMember(inForce.value, node) &&
		isMember(current, node) &&
		!isWitness(current, node)
	);
}

/** Members no more, whose leases have ended: nobody asks for them again. */
export function forgetEndedLeases(state: CoreState, leader: LeaderState): void {
	const { members } = leader.leases;
	if (members.size < configurationOf(state).members.length) return;
	for (const [id, lease] of members) {
		const isOver = !mayHold(state, lease) && state.now > lease.readsUntil;
		if (isOver && !leader.progress.has(id)) members.delete(id);
	}
}

/** Whoever believes that it is in-sync has applied this. */
function leastApplied(leader: LeaderState): LogIndex {
	return Math.max(leader.barrierIndex, leader.leases.acknowledgedIndex);
}

/**
 * What a member has applied, as it says with a round. Of a later round it counts also if it is less: the member was
 * started again. True: it is news of its present life.
 */
export function believeApplied(
	state: CoreState,
	leader: LeaderState,
	from: NodeId,
	round: number,
	appliedIndex: LogIndex,
): boolean {
	// None, or that of an older term.
	if (round === 0) return false;
	const lease = leader.leases.members.get(from) ?? unknownLease(state, state.now);
	leader.leases.members.set(from, lease);
	if (round < lease.round) return false;
	// In our term, so it has given up what an earlier leader gave it.
	if (lease.round === 0) lease.endsAt = Number.NEGATIVE_INFINITY;
	lease.appliedIndex = round > lease.round ? appliedIndex : Math.max(lease.appliedIndex, appliedIndex);
	lease.round = round;
	return true;
}

/** An answered heartbeat asks for a lease. */
export function onLeaseAsked(
	state: CoreState,
	leader: LeaderState,
	from: NodeId,
	round: number,
	appliedIndex: LogIndex,
): void {
	if (!believeApplied(state, leader, from, round, appliedIndex)) return;
	if (!leader.established || !mayGet(state, from)) return;
	const lease = leader.leases.members.get(from);
	if (lease === undefined || lease.pending !== null) return;
	const lacksSince = leader.leases.commitTimes.firstAbove(appliedIndex);
	const lacksForMs = lacksSince === null ? 0 : state.now - lacksSince;
	const durationMs = Math.floor(state.settings.syncLeaseMs - lacksForMs);
	if (durationMs <= 0) return;
	lease.pending = { round, at: state.now, durationMs, confirmedBy: leader.round + 1 };
}

/** After a round began, or was answered: what a quorum has confirmed now. */
export function confirmLeases(state: CoreState, leader: LeaderState): void {
	const { leases } = leader;
	const confirmed = quorumValue(configurationOf(state), (voter) =>
		voter === state.self ? leader.round : (leader.progress.get(voter)?.confirmedRound ?? 0),
	);
	if (confirmed <= leases.confirmedRound || confirmed === Number.POSITIVE_INFINITY) return;
	leases.confirmedRound = confirmed;
	for (const lease of leases.members.values()) {
		if (lease.pending === null || lease.pending.confirmedBy > confirmed) continue;
		lease.ready = lease.pending;
		lease.pending = null;
	}
	if (!mayGet(state, state.self)) return;
	// Our own: it counts from the beginning of the round.
	state.outputs.push({
		type: "leased",
		term: state.promise.term,
		round: confirmed,
		durationMs: state.settings.syncLeaseMs,
		index: leastApplied(leader),
		reads: null,
	});
}

/** The lease that the next heartbeat to a member carries. From now on it is waited for. */
export function grantLease(state: CoreState, leader: LeaderState, to: NodeId): LeaseGrant | null {
	const lease = leader.leases.members.get(to);
	const report = lease?.ready ?? null;
	if (lease === undefined || report === null) return null;
	lease.ready = null;
	if (!mayGet(state, to)) return null;
	lease.endsAt = Math.max(lease.endsAt, report.at + longest(state, report.durationMs));
	const reads = lendReads(state, leader, to, report);
	return { round: report.round, durationMs: report.durationMs, index: leastApplied(leader), reads };
}
