/**
 * What a message's term means before its content does. Later terms are entered, older ones answered
 * with our own, always (fencing without a deadlock), with two exceptions: a pre-vote changes nothing
 * anywhere, and a sticky voter ignores the term of who wants to depose a living leader.
 */

import { unreachable } from "./assert.ts";
import * as candidate from "./candidate.ts";
import { stand } from "./candidate.ts";
import { decide } from "./electing.ts";
import {
	becomeFollower,
	hearLeader,
	learnCommitIndex,
	onAppendRequest,
	onChainAppend,
	onHeartbeatRequest,
} from "./follower.ts";
import { hasFreshQuorum } from "./heartbeat.ts";
import { isUnfit } from "./holding-back.ts";
import { onAppliedResponse, onApplyRequest } from "./in-sync.ts";
import * as leader from "./leader.ts";
import { isUpToDate } from "./log-view.ts";
import type { ConsensusMessage, ElectorMessage, PreVoteRequest, VoteRequest } from "./message.ts";
import { adoptTerm, grantVote } from "./promise.ts";
import { isMember, isVoter } from "./quorum.ts";
import { addLeaderRead, onReadIndexResponse } from "./reading.ts";
import type { CoreState } from "./state.ts";
import { configurationOf, isDiskStalled, isLeaderFresh, send } from "./state.ts";
import type { NodeId } from "./types.ts";

export function receive(state: CoreState, message: ConsensusMessage): void {
	// Somebody else's mistake must not stop this member.
	if (message.to !== state.self || message.group !== state.group || message.from === state.self) return;
	if (message.type === "chain-append" && message.leader === state.self) return;
	switch (message.type) {
		case "pre-vote-request":
			return onPreVoteRequest(state, message);
		case "vote-request":
			return onVoteRequest(state, message);
		case "elector-message":
			return onElectorMessage(state, message);
		default:
	}
	if (!comesFromLeader(message) && isStranger(state, message)) return;
	if (message.type === "pre-vote-response" && message.granted) {
		// Its term is that of a voter which may be behind us.
		return candidate.onPreVoteResponse(state, message);
	}
	if (message.term > state.promise.term) {
		adoptTerm(state, message.term);
		becomeFollower(state, comesFromLeader(message) ? leaderNamedIn(message) : null);
	}
	if (message.term < state.promise.term) return answerOlderTerm(state, message);
	handle(state, message);
}

/** These prove by themselves that the sender leads the message's term; we may not know it as a member yet. */
function comesFromLeader(message: ConsensusMessage): boolean {
	return (
		message.type === "append-request" ||
		message.type === "chain-append" ||
		message.type === "heartbeat-request" ||
		message.type === "apply-request" ||
		message.type === "timeout-now" ||
		message.type === "read-index-response"
	);
}

function leaderNamedIn(message: ConsensusMessage): NodeId {
	return message.type === "chain-append" ? message.leader : message.from;
}

/** Nobody's business here. One that departs may answer us, but takes nobody into another term any more (bug 9). */
function isStranger(state: CoreState, { from, term }: ConsensusMessage): boolean {
	if (isMember(configurationOf(state), from)) return false;
	const { roleState: role } = state;
	return role.role !== "leader" || !role.departing.has(from) || term > state.promise.term;
}

function handle(
	state: CoreState,
	message: Exclude<ConsensusMessage, PreVoteRequest | VoteRequest | ElectorMessage>,
): void {
	const role = state.roleState;
	switch (message.type) {
		case "append-request":
			return onAppendRequest(state, message);
		case "chain-append":
			return onChainAppend(state, message);
		case "heartbeat-request":
			return onHeartbeatRequest(state, message);
		case "apply-request":
			return role.role === "follower" ? onApplyRequest(state, role, message) : undefined;
		case "applied-response":
			return role.role === "leader" ? onAppliedResponse(state, role, message) : undefined;
		case "timeout-now":
			hearLeader(state, message.from);
			return isUnfit(state) ? undefined : stand(state, "transfer");
		case "read-index-response":
			// Whoever asks for a read index need not wait to hear by another message that it is committed, if it is.
			if (role.role === "follower") learnCommitIndex(state, role, message.commitIndex);
			return onReadIndexResponse(state, message.readId, message.index);
		case "pre-vote-response":
			return candidate.onPreVoteResponse(state, message);
		case "vote-response":
			return candidate.onVoteResponse(state, message);
		case "append-response":
			return role.role === "leader" ? leader.onAppendResponse(state, role, message) : undefined;
		case "heartbeat-response":
			return role.role === "leader" ? leader.onHeartbeatResponse(state, role, message) : undefined;
		case "read-index-request":
			if (role.role !== "leader") return;
			return addLeaderRead(state, role, { from: message.from, readId: message.readId });
		default:
			return unreachable(message);
	}
}

/**
 * Whoever leads or stands in an older term learns that it is over; answers that come late need no answer.
 *
 * The answer tells the term and nothing else. Its receiver may lead that very term when it comes, elected
 * again meanwhile: what it asked in the old one must not count in the new one, where round numbers begin
 * anew and the logs were compared by nobody yet. Round 0 confirms nothing, a refusal at 0 moves nothing.
 */
function answerOlderTerm(state: CoreState, message: ConsensusMessage): void {
	switch (message.type) {
		case "append-request":
		case "chain-append": {
			const result = { accepted: false, previousIndex: 0, hint: { index: 0, term: 0 } } as const;
			return send(state, leaderNamedIn(message), { type: "append-response", result });
		}
		case "heartbeat-request": {
			const lastIndex = state.log.last.index;
			return send(state, message.from, { type: "heartbeat-response", round: 0, lastIndex, appliedIndex: 0 });
		}
		default:
	}
}

/**
 * A hint between voters, in whatever term: it changes none. Whoever knows an older one hears of ours when it asks for
 * votes; whoever knows a later one takes us there when it answers.
 */
function onElectorMessage(state: CoreState, { from, elector, hint }: ElectorMessage): void {
	if (state.roleState.role === "leader" || elector !== state.elector.name) return;
	if (!isVoter(configurationOf(state), from)) return;
	decide(state, state.elector.hear(from, hint, state.now));
}

/** We know of a living leader that is not the candidate itself (bug 8): do not depose it. */
function isSticky(state: CoreState, candidateId: string): boolean {
	if (state.roleState.role === "leader") return hasFreshQuorum(state, state.roleState);
	return state.leader !== candidateId && isLeaderFresh(state);
}

/**
 * The sender's own term is one below the one it asks about. Behind ours: it is refused and told
 * ours, which it enters, so that a higher term with a shorter log and a lower term with a longer log
 * cannot block each other (bugs 5, 6).
 *
 * Whoever cannot write could not promise the term either: with the disks of a majority full, every
 * pre-vote granted would be a term that nobody wins, about one a second for as long as there is no room.
 */
function onPreVoteRequest(state: CoreState, message: PreVoteRequest): void {
	const granted =
		message.term > state.promise.term &&
		!isDiskStalled(state) &&
		!isSticky(state, message.from) &&
		isUpToDate(message.last, state.log.last);
	send(state, message.from, { type: "pre-vote-response", askedTerm: message.term, granted });
}

/**
 * Whoever asks, member or not: the candidate's log may hold a configuration that ours does not yet
 * (bug 18). It counts only the votes that count.
 */
function onVoteRequest(state: CoreState, message: VoteRequest): void {
	const { term, last } = message;
	const isOlder = term < state.promise.term;
	// A vote that cannot be on disk soon is none; and no term is entered that only waits for room.
	// A transfer that the leader asked for, unless it has removed the target since: that request was long on its way.
	const isAsked = message.transfer && !configurationOf(state).retired.includes(message.from);
	const isRefused = isOlder || isDiskStalled(state) || (!isAsked && isSticky(state, message.from));
	if (isRefused) return send(state, message.from, { type: "vote-response", granted: false });
	const isNewTerm = term > state.promise.term;
	const granted = grantVote(state, message.from, term, last);
	if (!granted && isNewTerm) adoptTerm(state, term);
	if (isNewTerm) becomeFollower(state, null);
	if (granted) state.elector.rest(state.now);
	else send(state, message.from, { type: "vote-response", granted: false });
}
