/**
 * Which proposals wait for their acknowledgement, on the leader. Looked at whenever a match index, the own
 * disk or the commit index moved. What was acknowledged and is not committed yet raises the index of
 * linearizable reads: they see all that was acknowledged before they began.
 */
import { type Acknowledgement, acknowledgedIndex } from "./acknowledge/acknowledgement.ts";
import type { Standing } from "./acknowledge/standing.ts";
import { allVoters } from "./quorum.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf } from "./state.ts";
import type { LogIndex, Term } from "./types.ts";

export function otherVoters(state: CoreState): number {
	return allVoters(configurationOf(state)).filter((voter) => voter !== state.self).length;
}

export function awaitAcknowledgement(
	leader: LeaderState,
	index: LogIndex,
	acknowledgement: Acknowledgement,
): void {
	leader.unacknowledged.push({ index, acknowledgement });
}

/** Nobody would be told: the index of reads does not rise by it either. */
export function forgetAcknowledgement(state: CoreState, term: Term, index: LogIndex): void {
	const leader = state.roleState;
	if (leader.role !== "leader" || state.promise.term !== term) return;
	leader.unacknowledged = leader.unacknowledged.filter((proposal) => proposal.index !== index);
}

/**
 * How many proposals wait that ask for so many followers, or for fewer: as long as they are not met, one that asks for so
 * many is not either. Those that ask for more do not count: where they cannot be met, this one may.
 */
export function unacknowledgedBy({ unacknowledged }: LeaderState, followers: number): number {
	return unacknowledged.filter(
		({ acknowledgement }) => acknowledgement.mode === "semi-sync" && acknowledgement.followers <= followers,
	).length;
}

/** Says of every proposal whose mode is met now that it may be answered. */
export function acknowledge(state: CoreState, leader: LeaderState): void {
	if (leader.unacknowledged.length === 0) return;
	const standing = standingOf(state, leader);
	const waiting = leader.unacknowledged.filter(({ index, acknowledgement }) => {
		if (acknowledgedIndex(standing, acknowledgement) < index) return true;
		leader.acknowledgedIndex = Math.max(leader.acknowledgedIndex, index);
		state.outputs.push({ type: "acknowledged", index });
		return false;
	});
	leader.unacknowledged = waiting;
}

/** What a linearizable read that begins now must see. */
export function readableIndex(state: CoreState, leader: LeaderState): LogIndex {
	return Math.max(state.commitIndex, leader.acknowledgedIndex);
}

function standingOf(state: CoreState, leader: LeaderState): Standing {
	return {
		durableIndex: state.disk.durableIndex,
		commitIndex: state.commitIndex,
		matchOfOthers: allVoters(configurationOf(state))
			.filter((voter) => voter !== state.self)
			.map((voter) => leader.progress.get(voter)?.matchIndex ?? 0),
	};
}
