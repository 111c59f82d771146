/** Between the core and its elector: what the elector may know, and what becomes of its decisions. */
import { unreachable } from "./assert.ts";
import { forgetLeader, isWithheld, stand } from "./candidate.ts";
import type { Decision, Surroundings } from "./electors/elector.ts";
import type { RandomSource } from "./random.ts";
import type { ConsensusSettings } from "./settings.ts";
import type { CoreState } from "./state.ts";
import { configurationOf, isDiskStalled, isLeaderFresh, mayStand, send } from "./state.ts";
import type { NodeId } from "./types.ts";

export function decide(state: CoreState, decision: Decision): void {
	switch (decision) {
		case "wait":
			return;
		case "stand":
			return stand(state, "elector");
		case "forget-leader":
			state.elector.rest(state.now);
			return forgetLeader(state);
		default:
			return unreachable(decision);
	}
}

/** The state is asked for when it is needed: an elector is one of its parts. */
export function createSurroundings(
	state: () => CoreState,
	self: NodeId,
	{ electionTimeoutMs, heartbeatIntervalMs }: ConsensusSettings,
	random: RandomSource,
): Surroundings {
	return {
		self,
		random,
		electionTimeoutMs,
		heartbeatIntervalMs,
		get term() {
			return state().promise.term;
		},
		get last() {
			return state().log.last;
		},
		get configuration() {
			return configurationOf(state());
		},
		get isLeaderFresh() {
			return isLeaderFresh(state());
		},
		get isStanding() {
			return state().roleState.role === "candidate";
		},
		get mayStand() {
			const now = state();
			return mayStand(now) && !isWithheld(now) && !isDiskStalled(now);
		},
		tell(to, hint) {
			const now = state();
			send(now, to, { type: "elector-message", elector: now.elector.name, hint });
		},
	};
}
