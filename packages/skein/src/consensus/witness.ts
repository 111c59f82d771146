/**
 * Witnesses vote and keep the log without payloads. All that is special about them is when they are sent an entry: once
 * everybody has it durably who can have it. So a leader that dies leaves no witness that is ahead of those who have the
 * data, and an entry that a witness helped to commit is on as many disks as there were to be had. The argument:
 * docs/decisions/witness.md.
 */

import { heardSince } from "./heartbeat.ts";
import { allVoters, isWitness } from "./quorum.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf } from "./state.ts";
import type { LogIndex, NodeId } from "./types.ts";

/** It gets no payloads. Also one that was removed and still hears us: what it is it stays. */
export function getsNoPayloads(state: CoreState, leader: LeaderState, node: NodeId): boolean {
	// Its removal may be below the base of the log by now.
	if (leader.departing.get(node)?.isWitness === true) return true;
	return state.configurations.some(({ value }) => isWitness(value, node));
}

/** Up to here a member may be sent entries by now. */
export function sendableTo(state: CoreState, leader: LeaderState, to: NodeId): LogIndex {
	return getsNoPayloads(state, leader, to) ? witnessLimit(state, leader) : state.log.last.index;
}

function witnessLimit(state: CoreState, leader: LeaderState): LogIndex {
	const configuration = configurationOf(state);
	// Our own disk too: it may come back without what only a witness knows of.
	let limit = state.disk.durableIndex;
	for (const voter of allVoters(configuration)) {
		if (voter === state.self || isWitness(configuration, voter) || !isPresent(state, leader, voter)) continue;
		limit = Math.min(limit, leader.progress.get(voter)?.matchIndex ?? 0);
	}
	return limit;
}

/** A data voter that is waited for: it is heard, and what it lacks has not been there for long. */
function isPresent(state: CoreState, leader: LeaderState, voter: NodeId): boolean {
	const { electionTimeoutMs, syncLeaseMs } = state.settings;
	const progress = leader.progress.get(voter);
	if (progress === undefined) return true;
	// What it holds is not known yet.
	if (progress.matchIndex === 0 && state.now - progress.since < electionTimeoutMs) return true;
	if (state.now - heardSince(leader, voter) >= electionTimeoutMs) return false;
	const lacksSince = leader.durableTimes.firstAbove(progress.matchIndex);
	return lacksSince === null || state.now - lacksSince < syncLeaseMs;
}
