/**
 * Handing leadership over: no new proposals, bring the target up to date, tell it to stand at once
 * (thesis §3.10). What was asked for outlives our own leadership, because only the next leader's
 * name says how it ended. A target that is dead or refuses costs one timeout; then we serve again.
 */
import { heardSince } from "./heartbeat.ts";
import { isAnythingLent } from "./local-reads.ts";
import { neverLeads } from "./quorum.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf, send } from "./state.ts";
import type { NodeId } from "./types.ts";

type Outcome = "done" | "refused" | "timed-out" | "lost";

export function beginTransfer(state: CoreState, asked: NodeId | null): void {
	const leader = state.roleState;
	if (leader.role !== "leader") return end(state, asked, "refused", "this member does not lead");
	if (state.transfer !== null) {
		return end(state, asked, "refused", `leadership is being handed to ${state.transfer.to} already`);
	}
	if (!leader.established) return end(state, asked, "refused", "this leader is not established yet");
	if (asked === state.self) return end(state, asked, "done", "this member leads already");
	// A voter that is about to go would have to hand it on.
	if (asked !== null && !configurationOf(state).voters.includes(asked)) {
		return end(state, asked, "refused", `${asked} is not a voter`);
	}
	if (asked !== null && neverLeads(configurationOf(state), asked))
		return end(state, asked, "refused", `${asked} never leads`);
	const to = asked ?? bestTarget(state, leader);
	if (to === null) return end(state, asked, "refused", "no other voter that may lead was heard from");
	if (!isFresh(state, leader, to)) return end(state, to, "refused", `${to} was not heard from`);
	state.transfer = { to, deadline: state.now + state.settings.transferTimeoutMs };
	tellTargetToStand(state, leader);
}

/** Once the target has all there is. Said again with every answer of the target: the message may be lost. */
export function tellTargetToStand(state: CoreState, leader: LeaderState): void {
	if (state.transfer === null) return;
	const progress = leader.progress.get(state.transfer.to);
	if (progress?.matchIndex !== state.log.last.index) return;
	// Whoever reads by itself is safe as long as voters hold to us.
	if (isAnythingLent(state, leader)) return;
	leader.leaseForfeited = true;
	send(state, state.transfer.to, { type: "timeout-now" });
}

export function giveUpTransfer(state: CoreState): void {
	if (state.transfer === null || state.now < state.transfer.deadline) return;
	finish(state, "timed-out", `${state.transfer.to} did not take over in time`);
}

/** A leader of a later term is known. */
export function judgeTransfer(state: CoreState, leader: NodeId): void {
	if (state.transfer === null) return;
	if (leader === state.transfer.to) finish(state, "done", `${leader} leads`);
	else finish(state, "lost", `${leader} was elected instead`);
}

/** The voter that was heard and holds most. */
export function bestTarget(state: CoreState, leader: LeaderState): NodeId | null {
	let best: NodeId | null = null;
	let bestMatch = -1;
	for (const voter of configurationOf(state).voters) {
		const progress = leader.progress.get(voter);
		if (progress === undefined || !isFresh(state, leader, voter)) continue;
		if (neverLeads(configurationOf(state), voter)) continue;
		if (progress.matchIndex <= bestMatch) continue;
		best = voter;
		bestMatch = progress.matchIndex;
	}
	return best;
}

function isFresh(state: CoreState, leader: LeaderState, node: NodeId): boolean {
	return state.now - heardSince(leader, node) < state.settings.electionTimeoutMs;
}

function finish(state: CoreState, outcome: Outcome, why: string): void {
	const to = state.transfer?.to ?? null;
	state.transfer = null;
	end(state, to, outcome, why);
}

function end(state: CoreState, to: NodeId | null, outcome: Outcome, why: string): void {
	state.outputs.push({ type: "transfer-ended", to, outcome, why });
}
