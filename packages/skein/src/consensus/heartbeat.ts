/**
 * Heartbeats: "this leader lives, and its disk works". Each is a round with a number of its own, so
 * an answer also shows that we still led when the round began (reading.ts).
 */

import { noteTold } from "./departing.ts";
import { confirmLeases, grantLease } from "./leases.ts";
import { endsReads, shownCommitIndex } from "./local-reads.ts";
import type { Progress } from "./progress.ts";
import { createProgress } from "./progress.ts";
import { isMember, isQuorum } from "./quorum.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf, isDiskStalled, send } from "./state.ts";
import type { NodeId } from "./types.ts";

/** What the leader knows of a member; null: no member of the present configuration, and none that departs. */
export function progressOf(state: CoreState, leader: LeaderState, node: NodeId): Progress | null {
	const isFollower = isMember(configurationOf(state), node) || leader.departing.has(node);
	if (node === state.self || !isFollower) return null;
	const known = leader.progress.get(node);
	if (known !== undefined) return known;
	const progress = createProgress(state.log.last.index, state.now);
	leader.progress.set(node, progress);
	return progress;
}

/** All that get the log: the other members, and those that are told that they are none any more. */
export function followersOf(state: CoreState, leader: LeaderState): NodeId[] {
	const members = configurationOf(state).members.map((member) => member.id);
	return [...members, ...leader.departing.keys()].filter((id) => id !== state.self);
}

/** False: the disk hangs. Followers must then elect another leader, so nothing may reassure them (bug 46). */
export function beginRound(state: CoreState, leader: LeaderState): boolean {
	if (isDiskStalled(state)) return false;
	leader.round++;
	leader.heartbeatAt = state.now;
	state.outputs.push({ type: "lease-asked", term: state.promise.term, round: leader.round });
	for (const node of followersOf(state, leader)) {
		const matchIndex = progressOf(state, leader, node)?.matchIndex ?? 0;
		const lease = grantLease(state, leader, node);
		const commitIndex = Math.min(matchIndex, shownCommitIndex(state, leader, node));
		noteTold(leader, node, commitIndex);
		const { round } = leader;
		const ends = endsReads(state, leader, node);
		send(state, node, { type: "heartbeat-request", commitIndex, round, lease, endsReads: ends });
	}
	confirmLeases(state, leader);
	return true;
}

/** A member counts as heard from when this leader knows it: an answer takes a while. */
export function heardSince(leader: LeaderState, node: NodeId): number {
	const progress = leader.progress.get(node);
	return progress?.lastContact ?? progress?.since ?? leader.since;
}

/** Check-quorum: a quorum of voters was heard within an election timeout. */
export function hasFreshQuorum(state: CoreState, leader: LeaderState): boolean {
	const oldest = state.now - state.settings.electionTimeoutMs;
	return isQuorum(
		configurationOf(state),
		(voter) => voter === state.self || heardSince(leader, voter) > oldest,
	);
}
