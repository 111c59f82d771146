/** A leader: takes proposals, counts what is durable, and leads only while a quorum hears it. */
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import { acknowledge, awaitAcknowledgement, otherVoters, unacknowledgedBy } from "./acknowledging.ts";
import { assert } from "./assert.ts";
import { createChain } from "./chain.ts";
import { createCommitTimes } from "./commit-times.ts";
import { forgetDeparted, seeOff } from "./departing.ts";
import { becomeFollower } from "./follower.ts";
import { beginRound, followersOf, hasFreshQuorum, progressOf } from "./heartbeat.ts";
import { askToApply, showMore } from "./in-sync.ts";
import type { Input, ProposedEntry } from "./input.ts";
import { confirmLeases, createLeases, forgetEndedLeases, onLeaseAsked } from "./leases.ts";
import { noteReadsEnded } from "./local-reads.ts";
import type { AppendResponse, HeartbeatResponse } from "./message.ts";
import type { RefusalReason } from "./output.ts";
import { handOverAsCaretaker, isCaretaker, isUseless } from "./priority.ts";
import { assignWaitingReads, beginWaitingReads, releaseReads, takeReadsAsLeader } from "./reading.ts";
import { continueChange } from "./reconfiguration.ts";
import { leaveBehind, noteMode, orderMembers } from "./relaying.ts";
import * as replication from "./replication.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { announceRole, configurationOf, isDiskStalled } from "./state.ts";
import { giveUpTransfer, judgeTransfer, tellTargetToStand } from "./transfer.ts";
import type { Milliseconds } from "./types.ts";

const noPayload = new Uint8Array(0);

/** So many election timeouts a leader has for its barrier. */
const futileTimeouts = 10;

/** The promise round was won. The barrier, an entry of our own term, makes older entries committable. */
export function becomeLeader(state: CoreState): void {
	assert(state.promise.votedFor === state.self, "leading a term that was promised to another");
	const leader: LeaderState = {
		role: "leader",
		since: state.now,
		excusedUntil: Number.NEGATIVE_INFINITY,
		barrierIndex: state.log.last.index + 1,
		established: false,
		isInTransaction: false,
		progress: new Map(),
		departing: new Map(),
		round: 0,
		heartbeatAt: state.now,
		unacknowledged: [],
		acknowledgedIndex: 0,
		durableTimes: createCommitTimes(state.disk.durableIndex),
		leases: createLeases(state),
		chain: createChain(),
		leaseFromRound: 1,
		leaseForfeited: false,
		waitingReads: takeReadsAsLeader(state),
		runningReads: [],
	};
	state.roleState = leader;
	state.lastLeader = state.self;
	state.leader = state.self;
	announceRole(state);
	judgeTransfer(state, state.self);
	// Before the barrier: the first probe asks for what was there before it, and carries it.
	for (const node of followersOf(state, leader)) progressOf(state, leader, node);
	replication.appendOwn(state, [{ kind: "barrier", payload: noPayload }]);
	beginRound(state, leader);
	replication.sendAppendsToAll(state, leader);
	moveOn(state, leader);
}

export function onLeaderTick(state: CoreState, leader: LeaderState): void {
	if (state.now >= leader.excusedUntil && !hasFreshQuorum(state, leader)) {
		becomeFollower(state, null);
		return;
	}
	if (isUseless(state, leader)) {
		state.uselessReigns++;
		state.gaveWayAt = state.now;
		return stepDown(state);
	}
	if (isFutile(state, leader)) return stepDown(state);
	giveUpTransfer(state);
	leaveBehind(state, leader);
	// The leases of who is waited for may have ended.
	showMore(state, leader);
	orderMembers(state, leader);
	forgetDeparted(state, leader);
	forgetEndedLeases(state, leader);
	if (!continueChange(state, leader)) return;
	handOverAsCaretaker(state, leader);
	replication.sendToWitnesses(state, leader);
	replication.sendCommitIndex(state, leader);
	if (state.now - leader.heartbeatAt < state.settings.heartbeatIntervalMs) return;
	if (!beginRound(state, leader)) return;
	assignWaitingReads(state, leader);
	releaseReads(state, leader);
	replication.sendAppendsToAll(state, leader);
}

/**
 * A quorum hears us and nothing is committed: somebody in it makes nothing durable (its disk hangs, or has no room for
 * our snapshot). Others could do without it and without us, but whoever hears us refuses them. Nobody is
 * served before the barrier, so nothing is lost by giving way. A snapshot that is under way may take as long as it takes.
 */
function isFutile(state: CoreState, leader: LeaderState): boolean {
	if (leader.established) return false;
	if (state.now - leader.since < futileTimeouts * state.settings.electionTimeoutMs) return false;
	return [...leader.progress.values()].every(({ mode }) => mode !== "snapshot");
}

/**
 * What a member did not hear while its own process slept says nothing about the others. Once in three
 * timeouts, or one that sleeps all the time would stay; and not if it slept for so long that
 * the others have elected another leader most likely.
 */
export function onLeaderSlept(state: CoreState, leader: LeaderState, forMs: Milliseconds): void {
	const { electionTimeoutMs } = state.settings;
	if (forMs >= 2 * electionTimeoutMs || state.now < leader.excusedUntil + 2 * electionTimeoutMs) return;
	leader.excusedUntil = state.now + electionTimeoutMs;
}

/** Our own disk got further. */
export function onLeaderDurable(state: CoreState, leader: LeaderState): void {
	leader.durableTimes.advanced(state.disk.durableIndex, state.now);
	moveOn(state, leader);
}

export function onAppendResponse(state: CoreState, leader: LeaderState, message: AppendResponse): void {
	if (!replication.onAppendResponse(state, leader, message)) return;
	if (!moveOn(state, leader)) return;
	replication.sendAppends(state, leader, message.from);
	if (message.from === state.transfer?.to) tellTargetToStand(state, leader);
}

export function onHeartbeatResponse(state: CoreState, leader: LeaderState, message: HeartbeatResponse): void {
	replication.onHeartbeatResponse(state, leader, message);
	onLeaseAsked(state, leader, message.from, message.round, message.appliedIndex);
	noteReadsEnded(leader, message.from, message.round);
	confirmLeases(state, leader);
	showMore(state, leader);
	seeOff(leader, message.from, message.round);
	releaseReads(state, leader);
	if (message.from === state.transfer?.to) tellTargetToStand(state, leader);
}

/** `acknowledgement`: when the last of them may be answered; null: nobody waits for that. */
export function propose(
	state: CoreState,
	entries: readonly ProposedEntry[],
	acknowledgement: Acknowledgement | null,
): void {
	const refusal = reasonToRefuse(state, entries, acknowledgement);
	if (refusal !== null) {
		state.outputs.push({ type: "proposal-refused", reason: refusal });
		return;
	}
	const leader = state.roleState;
	if (leader.role !== "leader") return;
	if (acknowledgement !== null) noteMode(state, leader, acknowledgement);
	const firstIndex = state.log.last.index + 1;
	replication.appendOwn(state, entries);
	const lastIndex = state.log.last.index;
	state.outputs.push({ type: "proposal-accepted", term: state.promise.term, firstIndex, lastIndex });
	if (acknowledgement !== null) awaitAcknowledgement(leader, lastIndex, acknowledgement);
	replication.sendAppendsToAll(state, leader);
}

/** An earlier write, or nothing, is to be answered as if it were proposed now. */
export function awaitIndex(
	state: CoreState,
	leader: LeaderState,
	{ index, acknowledgement, waiter }: Extract<Input, { type: "await-acknowledgement" }>,
): void {
	if (acknowledgement.mode === "chain") noteMode(state, leader, acknowledgement);
	awaitAcknowledgement(leader, index, acknowledgement, waiter);
	acknowledge(state, leader);
	askToApply(state, leader);
}

function reasonToRefuse(
	state: CoreState,
	entries: readonly ProposedEntry[],
	acknowledgement: Acknowledgement | null,
): RefusalReason | null {
	assert(entries.length > 0, "an empty proposal");
	const leader = state.roleState;
	if (leader.role !== "leader") return "not-leader";
	if (!leader.established) return "not-established";
	if (state.transfer !== null || isCaretaker(state)) return "transferring";
	if (
		acknowledgement?.mode === "semi-sync" &&
		acknowledgement.followers > otherVoters(configurationOf(state), state.self)
	)
		return "too-few-voters";
	// The other modes wait for nobody that the commit does not wait for.
	if (
		acknowledgement !== null &&
		unacknowledgedBy(leader, acknowledgement) >= state.settings.maxUnacknowledged
	)
		return "overloaded";
	const waiting = state.log.sizeBetween(state.commitIndex, state.log.last.index);
	const added = entries.reduce((sum, entry) => sum + entry.payload.length, 0);
	// One proposal alone may be larger than the limit, or it could never be written.
	if (waiting > 0 && waiting + added > state.settings.maxUncommittedBytes) return "overloaded";
	return isDiskStalled(state) ? "overloaded" : null;
}

/**
 * After any match index moved: commit, tell, acknowledge, and be established once the barrier is committed.
 * False: we lead no more.
 */
function moveOn(state: CoreState, leader: LeaderState): boolean {
	const moved = replication.advanceCommitIndex(state, leader);
	replication.sendToWitnesses(state, leader);
	showMore(state, leader);
	if (!moved) return true;
	leader.leases.commitTimes.advanced(state.commitIndex, state.now);
	askToApply(state, leader);
	if (!leader.established && state.commitIndex >= leader.barrierIndex) {
		leader.established = true;
		announceRole(state);
		replication.sendCommitIndex(state, leader);
	}
	beginWaitingReads(state, leader);
	return continueChange(state, leader);
}

/** Of our own will. The others elect; we stand only when they have had their chance. */
export function stepDown(state: CoreState): void {
	if (state.roleState.role !== "leader") return;
	becomeFollower(state, null);
	state.elector.yieldToOthers(state.now);
}
