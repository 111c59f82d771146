/** A leader brings the members' logs to equal its own: what to send to whom, and what answers mean. */
import { assert } from "./assert.ts";
import { leave } from "./chain.ts";
import { appendToLog } from "./follower.ts";
import { followersOf, heardSince, progressOf } from "./heartbeat.ts";
import { inFlightBytes, previousOf } from "./in-flight.ts";
import { shownCommitIndex } from "./local-reads.ts";
import type { AppendResponse, HeartbeatResponse } from "./message.ts";
import type { Progress } from "./progress.ts";
import { acceptUpTo, becomeProbing, becomeSnapshot, rejectAt } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import {
	isOverdue,
	onRefusedInChain,
	orderMembers,
	sendAlongChain,
	sendCommitIndexAlongChain,
} from "./relaying.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf, isDiskStalled, send } from "./state.ts";
import type { Entry, EntryKind, LogIndex, NodeId, Position } from "./types.ts";
import { getsNoPayloads, sendableTo } from "./witness.ts";

/** A probe may be refused: it carries entries (one round trip less when it is not), but few. */
const maxProbeBytes = 64 * 1024;

/** The one way in which a leader's own entries get into its log. */
export function appendOwn(
	state: CoreState,
	entries: readonly { readonly kind: EntryKind; readonly payload: Uint8Array }[],
): void {
	const firstIndex = state.log.last.index + 1;
	const { term } = state.promise;
	const own = entries.map(
		({ kind, payload }, place): Entry => ({ index: firstIndex + place, term, kind, payload }),
	);
	appendToLog(state, own, null);
	if (state.roleState.role === "leader") state.roleState.isInTransaction = own.at(-1)?.kind === "fragment";
}

export function sendAppendsToAll(state: CoreState, leader: LeaderState): void {
	orderMembers(state, leader);
	sendAlongChain(state, leader);
	for (const node of followersOf(state, leader)) sendAppends(state, leader, node);
}

/** Sends what the member lacks, as far as its mode and the window allow. */
export function sendAppends(state: CoreState, leader: LeaderState, to: NodeId): void {
	const progress = progressOf(state, leader, to);
	// Entries are a sign of life like heartbeats: a leader with a hanging disk sends neither (bug 46).
	if (progress === null || isDiskStalled(state)) return;
	if (leader.chain.order.includes(to)) sendAlongChain(state, leader);
	// What it lacks then comes along the chain, when the slowest has room.
	if (leader.chain.order.includes(to)) return;
	if (progress.mode === "probing") sendProbe(state, leader, to, progress);
	else if (progress.mode === "replicating") stream(state, leader, to, progress);
}

function sendProbe(state: CoreState, leader: LeaderState, to: NodeId, progress: Progress): void {
	if (progress.probeSent) return;
	const previous = previousOf(state, progress);
	if (previous === null) return sendSnapshot(state, leader, to, progress);
	progress.probeSent = true;
	progress.probeRound = leader.round;
	const bytes = Math.min(maxProbeBytes, state.settings.maxAppendBytes);
	const limit = sendableTo(state, leader, to);
	if (progress.nextIndex > limit) sendNoEntries(state, leader, to, progress, previous);
	else sendEntries(state, leader, to, progress, previous, { bytes, limit });
}

function stream(state: CoreState, leader: LeaderState, to: NodeId, progress: Progress): void {
	const limit = sendableTo(state, leader, to);
	const bytes = state.settings.maxAppendBytes;
	while (progress.nextIndex <= limit) {
		if (inFlightBytes(state, progress) >= state.settings.maxInFlightBytes) return;
		const previous = previousOf(state, progress);
		if (previous === null) return sendSnapshot(state, leader, to, progress);
		const lastIndex = sendEntries(state, leader, to, progress, previous, { bytes, limit });
		progress.nextIndex = lastIndex + 1;
	}
}

/** Others got further, or are away by now: witnesses may be sent more. */
export function sendToWitnesses(state: CoreState, leader: LeaderState): void {
	for (const { id, witness } of configurationOf(state).members)
		if (witness === true) sendAppends(state, leader, id);
}

function sendEntries(
	state: CoreState,
	leader: LeaderState,
	to: NodeId,
	progress: Progress,
	previous: Position,
	most: { readonly bytes: number; readonly limit: LogIndex },
): LogIndex {
	const firstIndex = progress.nextIndex;
	const lastIndex = Math.min(state.log.lastWithin(firstIndex, most.bytes), most.limit);
	const commitIndex = shownCommitIndex(state, leader, to);
	const { term } = state.promise;
	state.outputs.push({
		type: "send-entries",
		to,
		term,
		previous,
		firstIndex,
		lastIndex,
		commitIndex,
		route: [],
		withoutPayloads: getsNoPayloads(state, leader, to),
	});
	progress.sentCommitIndex = commitIndex;
	return lastIndex;
}

function sendNoEntries(
	state: CoreState,
	leader: LeaderState,
	to: NodeId,
	progress: Progress,
	previous: Position,
): void {
	const commitIndex = shownCommitIndex(state, leader, to);
	progress.sentCommitIndex = commitIndex;
	send(state, to, { type: "append-request", previous, entries: [], commitIndex });
}

function sendSnapshot(state: CoreState, leader: LeaderState, to: NodeId, progress: Progress): void {
	// Making one is dear: not for a member that may be dead. Its next answer tries again. And not only to say good-bye.
	if (leader.departing.has(to) || state.now - heardSince(leader, to) >= state.settings.electionTimeoutMs)
		return;
	becomeSnapshot(progress);
	leave(leader.chain, to);
	state.outputs.push({ type: "send-snapshot", to, term: state.promise.term });
}

/** True: the commit index may have moved. */
export function onAppendResponse(state: CoreState, leader: LeaderState, message: AppendResponse): boolean {
	const progress = progressOf(state, leader, message.from);
	if (progress === null) return false;
	progress.lastContact = state.now;
	const { result } = message;
	if (result.accepted) {
		assert(
			result.matchIndex <= state.log.last.index,
			() => `${message.from} acknowledged ${result.matchIndex}, our log ends at ${state.log.last.index}`,
		);
		acceptUpTo(progress, result.matchIndex, state.log.base.index);
		return true;
	}
	const agree = state.log.latestWithTermAtMost(result.hint.index, result.hint.term);
	if (!rejectAt(progress, result.previousIndex, agree.index)) return false;
	onRefusedInChain(state, leader, message.from, result);
	sendAppends(state, leader, message.from);
	return false;
}

/**
 * An answered heartbeat gets everything moving again that a lost message may have stopped
 * (reference bug 47; hashicorp issue 612): the next probe, or, when a stream is silent, an empty
 * append behind it. A follower that lacks what was streamed refuses that, and is probed anew.
 */
export function onHeartbeatResponse(state: CoreState, leader: LeaderState, message: HeartbeatResponse): void {
	const progress = progressOf(state, leader, message.from);
	if (progress === null) return;
	progress.lastContact = state.now;
	progress.confirmedRound = Math.max(progress.confirmedRound, message.round);
	if (message.round > progress.probeRound) progress.probeSent = false;
	const silent = leader.chain.order.includes(message.from)
		? isOverdue(state, progress, message)
		: !progress.moved && progress.nextIndex - 1 > progress.matchIndex;
	progress.moved = false;
	if (progress.mode === "replicating" && silent && !isDiskStalled(state)) {
		const previous = previousOf(state, progress);
		if (previous !== null) sendNoEntries(state, leader, message.from, progress, previous);
	}
	sendAppends(state, leader, message.from);
}

/**
 * A majority's durable match, our own counting only as far as our disk is. Only an entry of our own
 * term is committed by counting; those before it are committed with it (Raft §5.4.2, Figure 8).
 */
export function advanceCommitIndex(state: CoreState, leader: LeaderState): boolean {
	const index = quorumValue(configurationOf(state), (voter) =>
		voter === state.self ? state.disk.durableIndex : (leader.progress.get(voter)?.matchIndex ?? 0),
	);
	if (index <= state.commitIndex || state.log.termAt(index) !== state.promise.term) return false;
	state.commitIndex = index;
	return true;
}

/**
 * Followers that nothing else is on its way to learn the commit index with the next tick, not with the
 * next heartbeat. Not at once: the next entries mostly follow within a moment and carry it for nothing,
 * where a message of its own costs every follower a wake-up just when the clients are answered. A
 * follower that is asked to read learns it with the read index.
 */
export function sendCommitIndex(state: CoreState, leader: LeaderState): void {
	sendCommitIndexAlongChain(state, leader);
	for (const node of followersOf(state, leader)) sendCommitIndexTo(state, leader, node);
}

function sendCommitIndexTo(state: CoreState, leader: LeaderState, to: NodeId): void {
	const progress = progressOf(state, leader, to);
	if (progress?.mode !== "replicating" || progress.sentCommitIndex >= state.commitIndex) return;
	if (progress.nextIndex <= state.log.last.index || isDiskStalled(state)) return;
	if (progress.sentCommitIndex >= shownCommitIndex(state, leader, to)) return;
	if (leader.chain.order.includes(to)) return tellTail(state, leader, progress, to);
	const previous = previousOf(state, progress);
	if (previous !== null) sendNoEntries(state, leader, to, progress, previous);
}

/** It is told more than the others. An append of its own could overtake what is on its way along the chain. */
function tellTail(state: CoreState, leader: LeaderState, progress: Progress, to: NodeId): void {
	const index = shownCommitIndex(state, leader, to);
	progress.sentCommitIndex = index;
	send(state, to, { type: "apply-request", index });
}

export function onUnreachable(leader: LeaderState, node: NodeId): void {
	const progress = leader.progress.get(node);
	if (progress === undefined || progress.mode === "snapshot") return;
	leave(leader.chain, node);
	// A probe stays where it is: what matches may not be known at all yet.
	if (progress.mode === "replicating") becomeProbing(progress);
	// What was in flight is lost, and so would be a probe now: the next answered heartbeat sends it.
	progress.probeSent = true;
	progress.probeRound = leader.round;
}

/** The snapshot ended. Its success shows where to go on, not that the follower holds it: it says so itself. */
export function onSnapshotSent(
	state: CoreState,
	leader: LeaderState,
	node: NodeId,
	index: LogIndex | null,
): void {
	const progress = leader.progress.get(node);
	if (progress?.mode !== "snapshot") return;
	becomeProbing(progress);
	// From where our log begins, at least: the follower may have got there by another way, and refuses
	// if it has not.
	const firstIndex = Math.max(progress.nextIndex, (index ?? 0) + 1, state.log.base.index + 1);
	progress.nextIndex = Math.min(firstIndex, state.log.last.index + 1);
	// After a failure the next answered heartbeat tries again, not a busy loop.
	progress.probeSent = index === null;
	progress.probeRound = leader.round;
	sendAppends(state, leader, node);
}
