/**
 * Linearizable reads. The leader notes its commit index (or what it acknowledged beyond), shows with a heartbeat round begun after
 * that that it still leads, and only then is the read ready (thesis §6.4). Never before the barrier
 * is committed (reference bugs 11, 50, 51), and a round serves only reads that were there when it
 * began; its number is never used again, also not for a retry (bug 49). A follower asks the leader.
 */
import { readableIndex } from "./acknowledging.ts";
import { beginRound } from "./heartbeat.ts";
import { shownCommitIndex } from "./local-reads.ts";
import { quorumValue } from "./quorum.ts";
import type { CoreState, LeaderRead, LeaderState } from "./state.ts";
import { configurationOf, send } from "./state.ts";
import type { LogIndex, NodeId } from "./types.ts";

/** Heartbeat intervals after which a follower asks its leader again. */
const retryAfterHeartbeats = 3;
/** Of one read whose answers still count: those before them are seconds old. */
const maxQuestions = 32;

/** `read`: on a leader it joins the next round, elsewhere the leader is asked. Too many: never answered. */
export function beginRead(state: CoreState, readId: number): void {
	if (state.roleState.role === "leader") {
		addLeaderRead(state, state.roleState, { from: null, readId });
		return;
	}
	if (state.followerReads.size >= state.settings.maxPendingReads) return;
	state.followerReads.set(readId, { requestIds: [], askedAt: state.now });
	askLeader(state, readId);
}

export function cancelRead(state: CoreState, readId: number): void {
	state.followerReads.delete(readId);
	const leader = state.roleState;
	if (leader.role !== "leader") return;
	const isOther = (read: LeaderRead): boolean => read.from !== null || read.readId !== readId;
	leader.waitingReads = leader.waitingReads.filter(isOther);
	leader.runningReads = leader.runningReads.filter(isOther);
}

export function addLeaderRead(state: CoreState, leader: LeaderState, read: LeaderRead): void {
	const pending = leader.waitingReads.length + leader.runningReads.length;
	if (pending >= state.settings.maxPendingReads) return;
	leader.waitingReads.push(read);
	beginWaitingReads(state, leader);
}

/**
 * Up to where a read must see that is answered without a round, if the runtime finds that the lease holds (it has the clocks
 * for that): nobody can have been elected since the latest round that a quorum answered began, for an election
 * timeout. Null: the read needs a round of its own. The argument: docs/decisions/leader-leases.md.
 */
export function leasedIndex(state: CoreState, leader: LeaderState): LogIndex | null {
	if (!state.settings.leaderLease || !leader.established || leader.leaseForfeited) return null;
	if (leader.leases.confirmedRound < leader.leaseFromRound) return null;
	return readableIndex(state, leader);
}

/** Another member asked, and the lease holds. */
export function answerUnderLease(state: CoreState, leader: LeaderState, from: NodeId, readId: number): void {
	const index = leasedIndex(state, leader);
	if (index === null) return addLeaderRead(state, leader, { from, readId });
	answerRead(state, leader, from, readId, index);
}

function answerRead(
	state: CoreState,
	leader: LeaderState,
	to: NodeId,
	readId: number,
	index: LogIndex,
): void {
	const commitIndex = shownCommitIndex(state, leader, to);
	send(state, to, { type: "read-index-response", readId, index, commitIndex });
}

/** Begins a round for the reads that wait, unless one is under way: they share the next. */
export function beginWaitingReads(state: CoreState, leader: LeaderState): void {
	if (!leader.established || leader.waitingReads.length === 0 || leader.runningReads.length > 0) return;
	if (beginRound(state, leader)) assignWaitingReads(state, leader);
	releaseReads(state, leader);
}

/** The round that has just begun serves everybody who waits. */
export function assignWaitingReads(state: CoreState, leader: LeaderState): void {
	if (!leader.established) return;
	for (const read of leader.waitingReads) {
		leader.runningReads.push({ ...read, index: readableIndex(state, leader), round: leader.round });
	}
	leader.waitingReads = [];
}

/** After an answer to a heartbeat: the reads whose round, or a later one, a quorum has confirmed. */
export function releaseReads(state: CoreState, leader: LeaderState): void {
	if (leader.runningReads.length === 0) return;
	const confirmed = quorumValue(configurationOf(state), (voter) =>
		voter === state.self ? leader.round : (leader.progress.get(voter)?.confirmedRound ?? 0),
	);
	const ready = leader.runningReads.filter((read) => read.round <= confirmed);
	if (ready.length === 0) return;
	leader.runningReads = leader.runningReads.slice(ready.length);
	for (const { from, readId, index } of ready) {
		if (from === null) state.outputs.push({ type: "read-ready", readId, index });
		else answerRead(state, leader, from, readId, index);
	}
	beginWaitingReads(state, leader);
}

/** Asks again for every read: the leader is another, or the question may be lost. */
export function askLeaderAgain(state: CoreState): void {
	for (const readId of state.followerReads.keys()) askLeader(state, readId);
}

export function retryReads(state: CoreState): void {
	const patience = retryAfterHeartbeats * state.settings.heartbeatIntervalMs;
	for (const [readId, read] of state.followerReads) {
		if (state.now - read.askedAt >= patience) askLeader(state, readId);
	}
}

export function onReadIndexResponse(state: CoreState, requestId: number, index: LogIndex): void {
	for (const [readId, read] of state.followerReads) {
		if (!read.requestIds.includes(requestId)) continue;
		state.followerReads.delete(readId);
		state.outputs.push({ type: "read-ready", readId, index });
		return;
	}
}

/** Leadership is over: our own reads ask the next leader; what others asked is theirs to retry. */
export function handReadsToFollower(state: CoreState, leader: LeaderState): void {
	for (const { from, readId } of [...leader.runningReads, ...leader.waitingReads]) {
		if (from === null) state.followerReads.set(readId, { requestIds: [], askedAt: state.now });
	}
}

/** Leadership began: our own reads wait for the barrier. */
export function takeReadsAsLeader(state: CoreState): LeaderRead[] {
	const reads = [...state.followerReads.keys()].map((readId) => ({ from: null, readId }));
	state.followerReads.clear();
	return reads;
}

function askLeader(state: CoreState, readId: number): void {
	const read = state.followerReads.get(readId);
	if (read === undefined || state.leader === null) return;
	const to: NodeId = state.leader;
	const requestId = state.nextRequestId++;
	read.requestIds.push(requestId);
	if (read.requestIds.length > maxQuestions) read.requestIds.shift();
	read.askedAt = state.now;
	send(state, to, { type: "read-index-request", readId: requestId });
}
