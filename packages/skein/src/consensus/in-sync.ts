/**
 * Writes that wait until others have applied them (mode `sync`): the leader asks those it waits for to apply at once,
 * they say how far they are. What is lost of this is made good by the next heartbeat, whose answer says the same.
 */
import { acknowledge } from "./acknowledging.ts";
import { announceCommit } from "./announce-commit.ts";
import { learnCommitIndex } from "./follower.ts";
import { believeApplied, mayHold } from "./leases.ts";
import { isAnythingLent, shownCommitIndex, tailOf } from "./local-reads.ts";
import type { AppliedResponse, ApplyRequest } from "./message.ts";
import type { Progress } from "./progress.ts";
import { isVoter, isWitness } from "./quorum.ts";
import type { CoreState, FollowerState, LeaderState } from "./state.ts";
import { configurationOf, isDiskStalled, send } from "./state.ts";
import type { LogIndex, NodeId } from "./types.ts";

/** Somebody waits until others have applied what is committed: those who lack it are told. */
export function askToApply(state: CoreState, leader: LeaderState): void {
	if (isDiskStalled(state)) return;
	askTail(state, leader);
	const waiting = leader.unacknowledged.filter(
		({ index, acknowledgement }) => acknowledgement.mode === "sync" && index <= state.commitIndex,
	);
	if (waiting.length === 0) return;
	const isStrict = waiting.some(
		({ acknowledgement }) => acknowledgement.mode === "sync" && acknowledgement.strict,
	);
	const configuration = configurationOf(state);
	for (const [to, lease] of leader.leases.members) {
		const progress = leader.progress.get(to);
		// Also one that departs: it is waited for as long as its lease lasts.
		if (progress === undefined || lease.appliedIndex >= state.commitIndex) continue;
		if (!mayHold(state, lease) && !(isStrict && isVoter(configuration, to) && !isWitness(configuration, to)))
			continue;
		tellToApply(state, leader, to, progress);
	}
}

function tellToApply(state: CoreState, leader: LeaderState, to: NodeId, progress: Progress): void {
	const index = shownCommitIndex(state, leader, to);
	if (progress.askedIndex >= index || (leader.leases.members.get(to)?.appliedIndex ?? 0) >= index) return;
	progress.askedIndex = index;
	send(state, to, { type: "apply-request", index });
	if (progress.matchIndex >= index) progress.sentCommitIndex = Math.max(progress.sentCommitIndex, index);
}

/** The tail of the chain, for who waits in mode `chain`, or for the tail's lease. */
function askTail(state: CoreState, leader: LeaderState): void {
	const lentTo = tailOf(state, leader);
	const tail = lentTo ?? leader.chain.order.at(-1);
	const progress = leader.progress.get(tail ?? "");
	if (tail === undefined || progress === undefined) return;
	const isAwaited = leader.unacknowledged.some(
		({ index, acknowledgement }) =>
			index <= state.commitIndex && (lentTo !== null || acknowledgement.mode === "chain"),
	);
	if (isAwaited) tellToApply(state, leader, tail, progress);
}

export function onApplyRequest(state: CoreState, follower: FollowerState, message: ApplyRequest): void {
	const { index } = message;
	if (state.appliedIndex >= index) return tellApplied(state, follower);
	if (index > follower.awaitedIndex) {
		follower.awaitedIndex = index;
		state.outputs.push({ type: "apply-at-once", index });
	}
	learnCommitIndex(state, follower, index);
}

export function onAppliedResponse(state: CoreState, leader: LeaderState, message: AppliedResponse): void {
	if (believeApplied(state, leader, message.from, message.round, message.appliedIndex))
		showMore(state, leader);
}

/** What is held back for others may be shown: leases have ended, or whoever holds them got further. */
export function showMore(state: CoreState, leader: LeaderState): void {
	announceCommit(state);
	acknowledge(state, leader);
	if (isAnythingLent(state, leader)) askToApply(state, leader);
}

/** This member's database got further. */
export function onApplied(state: CoreState, index: LogIndex): void {
	const before = state.appliedIndex;
	if (index <= before) return;
	state.appliedIndex = index;
	const role = state.roleState;
	if (role.role === "leader") acknowledge(state, role);
	if (role.role === "follower" && role.awaitedIndex > before) tellApplied(state, role);
}

function tellApplied(state: CoreState, { round }: FollowerState): void {
	if (state.leader === null) return;
	send(state, state.leader, { type: "applied-response", round, appliedIndex: state.appliedIndex });
}
