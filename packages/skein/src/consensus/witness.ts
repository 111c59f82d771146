/**
 * Witnesses vote and keep the log without payloads. All that is special about them is when they are sent an entry: once
 * everybody has it durably who can have it. So a leader that dies leaves no witness that is ahead of those who have the
 * data, and an entry that a witness helped to commit is on as many disks as there were to be had. The argument:
 * docs/decisions/witness.md.
 */

import { assert } from "./assert.ts";
import { heardSince } from "./heartbeat.ts";
import { allVoters, isMember, isWitness } from "./quorum.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf } from "./state.ts";
import type { Configuration, Entry, LogIndex, NodeId } from "./types.ts";

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

/**
 * What a machine is it stays. An entry is taken for the same by its index and term alone, so a log without payloads must
 * never be counted as one with them: a machine stops before it is a member as what it is not.
 */
export function refuseOtherKind(
	{ self, witness }: Pick<CoreState, "self" | "witness">,
	configuration: Configuration,
): void {
	if (!isMember(configuration, self)) return;
	assert(isWitness(configuration, self) === witness, () =>
		witness
			? `${self} is a witness, and was added as a member with data: remove it, and add another machine, or this one with an empty directory, under an id that is new`
			: `${self} is a member with data, and was added as a witness: remove it, and add a machine that was started with --witness under an id that is new`,
	);
}

/** The other half of it: whoever sends us this takes us for what we are not. */
export function refuseForeign({ self, witness }: CoreState, { index, kind }: Entry): void {
	if (kind === "metadata")
		assert(witness, () => `${self} is sent entry ${index} without its payload: it is no witness`);
	else if (kind === "command" || kind === "fragment")
		assert(!witness, () => `${self} is a witness, and is sent entry ${index} with its payload`);
}
