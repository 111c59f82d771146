/**
 * Not standing for a while: because an operator said so, or for want of a database that fits the log, or of room for
 * what it is to apply. It only ever keeps a member from asking for leadership: it votes, promises, follows and steps
 * down as ever, so that it costs availability at most, and ends by itself.
 */
import { isVoter } from "./quorum.ts";
import type { CoreState } from "./state.ts";
import { configurationOf } from "./state.ts";
import type { HoldBackReason, Milliseconds } from "./types.ts";

/** Anew from now on; 0: no more. */
export function holdBack(state: CoreState, reason: HoldBackReason, forMs: Milliseconds): void {
	state.heldBackUntil[reason] = state.now + forMs;
}

/** It is not to stand by itself. Who is told to by the leader stands all the same. */
export function isHeldBack(state: CoreState): boolean {
	if (isUnfit(state) || heldBackForMs(state, "stepped-down") > 0) return true;
	return heldBackForMs(state, "paused") > 0 && !isLeadershipOpen(state);
}

/** Nor when the leader tells it to: it could not serve, and whoever leads has the copy that it waits for. */
export function isUnfit(state: CoreState): boolean {
	return heldBackForMs(state, "unfit") > 0;
}

/** It is ours to take up again; or whoever had it was removed, and nobody else would before the pause is over. */
function isLeadershipOpen(state: CoreState): boolean {
	const { lastLeader, self } = state;
	return lastLeader === self || (lastLeader !== null && !isVoter(configurationOf(state), lastLeader));
}

export function heldBackForMs(state: CoreState, reason: HoldBackReason): Milliseconds {
	return Math.max(0, state.heldBackUntil[reason] - state.now);
}
