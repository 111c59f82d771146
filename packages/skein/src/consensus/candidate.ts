/**
 * Standing for leadership: first a pre-vote, in which nobody promises anything, so that a member
 * that cannot win raises no term (thesis §9.6); then the vote, with our own promise on disk before
 * anybody is asked. A member that the leader told to stand skips the first (bug 7).
 */
import { isDurable } from "./disk-ledger.ts";
import { becomeFollower } from "./follower.ts";
import { isHeldBack, isUnfit } from "./holding-back.ts";
import { becomeLeader } from "./leader.ts";
import type { PreVoteResponse, VoteResponse } from "./message.ts";
import { isSpared } from "./priority.ts";
import { promiseToSelf } from "./promise.ts";
import { allVoters, isQuorum, isVoter } from "./quorum.ts";
import type { CandidateState, CoreState, StandReason } from "./state.ts";
import { announceRole, configurationOf, isDiskStalled, isLeaderFresh, mayStand, send } from "./state.ts";
import type { NodeId } from "./types.ts";

export function stand(state: CoreState, why: StandReason): void {
	state.elector.rest(state.now);
	if (!mayStand(state) || (why === "elector" && isWithheld(state))) return forgetLeader(state);
	// Who cannot write could not lead.
	if (isDiskStalled(state)) return;
	if (why === "transfer") beginVote(state, why);
	else beginPreVote(state, why);
}

/**
 * An operator's word, in place of the elector's. Who leads is not deposed by it, for it begins with a pre-vote. Nor by our own
 * vote: it is ours to refuse like anybody's while a leader's lease may rest on it, also right behind a start, with no leader known.
 */
export function standAsAsked(state: CoreState): void {
	if (state.roleState.role === "leader" || isUnfit(state) || isLeaderFresh(state)) return;
	stand(state, "operator");
}

/** It is not to stand by itself just now, though it is a voter. */
export function isWithheld(state: CoreState): boolean {
	return isHeldBack(state) || isSpared(state);
}

/** Who is no voter, or held back, has no business to stand, but should not take silence for a leader either. */
export function forgetLeader(state: CoreState): void {
	const { role } = state.roleState;
	if (role === "leader" || (role === "follower" && (state.leader === null || isLeaderFresh(state)))) return;
	becomeFollower(state, null);
}

function beginPreVote(state: CoreState, why: StandReason): void {
	const askedTerm = state.promise.term + 1;
	const candidate = become(state, { phase: "pre-vote", askedTerm, why, promiseTicket: null });
	candidate.granted.add(state.self);
	for (const voter of others(state)) {
		send(state, voter, { type: "pre-vote-request", last: state.log.last }, askedTerm);
	}
	tally(state, candidate);
}

function beginVote(state: CoreState, why: StandReason): void {
	const askedTerm = state.promise.term + 1;
	const promiseTicket = promiseToSelf(state, askedTerm);
	become(state, { phase: "vote", askedTerm, why, promiseTicket });
}

function become(
	state: CoreState,
	round: Pick<CandidateState, "phase" | "askedTerm" | "why" | "promiseTicket">,
): CandidateState {
	const candidate: CandidateState = { role: "candidate", ...round, granted: new Set(), refused: new Set() };
	state.roleState = candidate;
	state.leader = null;
	announceRole(state);
	return candidate;
}

/**
 * Our own promise is durable, and with it everything in the log before it: only now may others hear
 * of it. A crash earlier could otherwise bring a vote for the log that we said we had.
 */
export function onCandidateDurable(state: CoreState, candidate: CandidateState): void {
	if (candidate.promiseTicket === null || !isDurable(state.disk, candidate.promiseTicket)) return;
	candidate.promiseTicket = null;
	candidate.granted.add(state.self);
	for (const voter of others(state)) {
		send(state, voter, {
			type: "vote-request",
			last: state.log.last,
			transfer: candidate.why === "transfer",
		});
	}
	tally(state, candidate);
}

export function onPreVoteResponse(state: CoreState, message: PreVoteResponse): void {
	const candidate = state.roleState;
	if (candidate.role !== "candidate" || candidate.phase !== "pre-vote") return;
	// A late answer to an older question.
	if (message.askedTerm !== candidate.askedTerm) return;
	count(state, candidate, message.from, message.granted);
}

export function onVoteResponse(state: CoreState, message: VoteResponse): void {
	const candidate = state.roleState;
	if (candidate.role !== "candidate" || candidate.phase !== "vote") return;
	count(state, candidate, message.from, message.granted);
}

function count(state: CoreState, candidate: CandidateState, from: NodeId, granted: boolean): void {
	if (!isVoter(configurationOf(state), from)) return;
	if (granted) candidate.granted.add(from);
	else candidate.refused.add(from);
	tally(state, candidate);
}

function tally(state: CoreState, candidate: CandidateState): void {
	const configuration = configurationOf(state);
	if (isQuorum(configuration, (voter) => candidate.granted.has(voter))) {
		if (candidate.phase === "vote") return becomeLeader(state);
		// It was said in the middle of the round, in which nothing is promised yet.
		if (candidate.why === "elector" && isHeldBack(state)) return void becomeFollower(state, null);
		// The round takes its time from here on.
		state.elector.rest(state.now);
		return beginVote(state, candidate.why);
	}
	const isOpen = isQuorum(configuration, (voter) => !candidate.refused.has(voter));
	if (!isOpen) becomeFollower(state, null);
}

function others(state: CoreState): NodeId[] {
	return allVoters(configurationOf(state)).filter((voter) => voter !== state.self);
}
