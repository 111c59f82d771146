/**
 * The promise round: how leadership of a term is granted, once, to one node. A voter promises a
 * term to one candidate at most, on disk, before it says so; it refuses a candidate whose log is
 * behind its own. Term and vote are one record, and its write is ordered before every log write that
 * depends on it (reference bugs 1 to 3, 24).
 */
import { assert } from "./assert.ts";
import { isDurable, issuePromise } from "./disk-ledger.ts";
import { isUpToDate } from "./log-view.ts";
import type { CoreState } from "./state.ts";
import { send } from "./state.ts";
import type { NodeId, Position, Term, VotePromise } from "./types.ts";

/** Enters a later term without a vote in it. */
export function adoptTerm(state: CoreState, term: Term): void {
	assert(term > state.promise.term, () => `term ${term} after ${state.promise.term}`);
	writePromise(state, { term, votedFor: null });
}

/** Promises `term` to ourselves; the ticket of the write. */
export function promiseToSelf(state: CoreState, term: Term): number {
	assert(term > state.promise.term, () => `standing for term ${term} in ${state.promise.term}`);
	return writePromise(state, { term, votedFor: state.self });
}

/**
 * Gives this term's vote to the candidate if it is free (or was given to it before) and its log is
 * not behind ours. The answer goes out when the promise is durable: see `tellGrant`.
 */
export function grantVote(state: CoreState, candidate: NodeId, term: Term, last: Position): boolean {
	assert(term >= state.promise.term, () => `a vote for term ${term} in ${state.promise.term}`);
	const votedFor = term > state.promise.term ? null : state.promise.votedFor;
	if (votedFor !== null && votedFor !== candidate) return false;
	if (!isUpToDate(last, state.log.last)) return false;
	const known = state.promise.term === term && votedFor === candidate;
	const ticket = known ? (state.grant?.ticket ?? 0) : writePromise(state, { term, votedFor: candidate });
	state.grant = { candidate, ticket };
	tellGrant(state);
	return true;
}

/** Answers the candidate once nothing can take the promise back. Called when disk work has completed. */
export function tellGrant(state: CoreState): void {
	if (state.grant === null || !isDurable(state.disk, state.grant.ticket)) return;
	const { candidate } = state.grant;
	state.grant = null;
	send(state, candidate, { type: "vote-response", granted: true });
}

function writePromise(state: CoreState, promise: VotePromise): number {
	// Another term, another leader: what was verified against an earlier leader's log, even the same
	// node's, says nothing about the log it has now.
	if (promise.term > state.promise.term) state.leader = null;
	state.promise = promise;
	// A vote in an earlier term that was not told yet is of no use to anybody now.
	state.grant = null;
	const ticket = issuePromise(state.disk, state.now);
	state.outputs.push({ type: "write-promise", ticket, promise });
	return ticket;
}
