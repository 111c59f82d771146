/**
 * Those who were removed hear the leader until they know that their removal is committed, so that they
 * can stop and say so. They count for nothing meanwhile, and whoever does not answer in time is left alone.
 */
import { isMember, isWitness } from "./quorum.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { latestConfiguration } from "./state.ts";
import type { Configuration, LogIndex, NodeId } from "./types.ts";

/** Election timeouts for which a removed member still hears the leader, if it does not answer. */
const departureTimeouts = 10;

/** A configuration that follows `before` has just been appended. */
export function beginDepartures(state: CoreState, leader: LeaderState, before: Configuration): void {
	const { index, value } = latestConfiguration(state);
	const deadline = state.now + departureTimeouts * state.settings.electionTimeoutMs;
	for (const { id } of before.members) {
		if (id === state.self || isMember(value, id)) continue;
		leader.departing.set(id, { index, deadline, toldInRound: null, isWitness: isWitness(before, id) });
	}
}

/** A heartbeat of the present round tells `node` of `commitIndex`. */
export function noteTold(leader: LeaderState, node: NodeId, commitIndex: LogIndex): void {
	const departure = leader.departing.get(node);
	if (departure === undefined || commitIndex < departure.index) return;
	departure.toldInRound ??= leader.round;
}

/** `node` has answered the heartbeat of `round`. */
export function seeOff(leader: LeaderState, node: NodeId, round: number): void {
	const toldInRound = leader.departing.get(node)?.toldInRound ?? null;
	if (toldInRound !== null && round >= toldInRound) forget(leader, node);
}

export function forgetDeparted(state: CoreState, leader: LeaderState): void {
	for (const [node, { deadline }] of leader.departing) if (state.now >= deadline) forget(leader, node);
}

function forget(leader: LeaderState, node: NodeId): void {
	leader.departing.delete(node);
	leader.progress.delete(node);
}
