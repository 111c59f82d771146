/** A follower keeps its log equal to the leader's, and acknowledges what is durable, nothing else. */
import { announceCommit } from "./announce-commit.ts";
import { assert } from "./assert.ts";
import type { ConfigurationAt } from "./configuration.ts";
import { decodeConfiguration } from "./configuration.ts";
import { isPromisePending, issueAppend, issueReset } from "./disk-ledger.ts";
import type { Input } from "./input.ts";
import { isAnythingLent, lentUntil } from "./local-reads.ts";
import type { AppendRequest, ChainAppend, HeartbeatRequest } from "./message.ts";
import { neverLeads } from "./quorum.ts";
import { askLeaderAgain, handReadsToFollower } from "./reading.ts";
import { passOn } from "./relaying.ts";
import type { CoreState, FollowerState } from "./state.ts";
import { announceConfiguration, announceRole, latestConfiguration, send } from "./state.ts";
import { judgeTransfer } from "./transfer.ts";
import type { Entry, LogIndex, NodeId } from "./types.ts";
import { refuseForeign, refuseOtherKind } from "./witness.ts";

/** Follows `leader` in the present term (null: nobody known yet), from whatever role. */
export function becomeFollower(state: CoreState, leader: NodeId | null): FollowerState {
	const before = state.roleState;
	const isKnown = before.role === "follower" && state.leader === leader && leader !== null;
	// What equals the leader's log is known anew for each leader; what is committed does in any case.
	const follower: FollowerState = isKnown
		? before
		: {
				role: "follower",
				verifiedIndex: state.commitIndex,
				acknowledgementOwed: false,
				round: 0,
				awaitedIndex: 0,
			};
	if (before.role === "leader") {
		// As a voter we counted ourselves for the leases that are lent: nobody else gets our vote while they last.
		if (isAnythingLent(state, before)) state.lastLeaderContact = state.now;
		state.showsNothingUntil = lentUntil(before);
		handReadsToFollower(state, before);
		state.elector.rest(state.now);
	}
	state.roleState = follower;
	state.leader = leader;
	announceRole(state);
	if (leader !== null && !isKnown) {
		judgeTransfer(state, leader);
		askLeaderAgain(state);
	}
	return follower;
}

/** A message that only the leader of the present term can send. */
export function hearLeader(state: CoreState, leader: NodeId): FollowerState {
	assert(state.roleState.role !== "leader", () => `${leader} leads our own term ${state.promise.term}`);
	assert(
		state.leader === null || state.leader === leader,
		() => `two leaders in term ${state.promise.term}: ${state.leader} and ${leader}`,
	);
	state.lastLeaderContact = state.now;
	state.lastLeader = leader;
	if (!neverLeads(latestConfiguration(state).value, leader)) state.uselessReigns = 0;
	state.elector.heardLeader(state.now);
	return becomeFollower(state, leader);
}

/** Whoever brought it, it is the leader's. */
export function onChainAppend(state: CoreState, message: ChainAppend): void {
	passOn(state, message);
	onAppend(state, message.leader, message);
}

export function onAppendRequest(state: CoreState, message: AppendRequest): void {
	onAppend(state, message.from, message);
}

type Append = Pick<AppendRequest, "previous" | "entries" | "commitIndex">;

function onAppend(state: CoreState, leader: NodeId, message: Append): void {
	const follower = hearLeader(state, leader);
	const { log } = state;
	const end = message.previous.index + message.entries.length;
	if (message.previous.index > state.commitIndex) {
		if (log.termAt(message.previous.index) !== message.previous.term) return refuse(state, leader, message);
	}
	// What is committed equals the leader's log already (leader completeness) and may be compacted here.
	const fresh = message.entries.filter((entry) => entry.index > state.commitIndex);
	store(state, fresh);
	follower.verifiedIndex = Math.max(follower.verifiedIndex, end);
	// That something is waited for may have overtaken the entries themselves: it is committed too.
	learnCommitIndex(state, follower, Math.max(message.commitIndex, follower.awaitedIndex));
	acknowledge(state, follower);
}

/**
 * Entries that match are skipped: an old or repeated message must never cut what came after it.
 * From the first that differs on, cut and append are one disk step (reference bug 23).
 */
function store(state: CoreState, entries: readonly Entry[]): void {
	const { log } = state;
	const start = entries.findIndex((entry) => log.termAt(entry.index) !== entry.term);
	const first = start < 0 ? undefined : entries[start];
	if (first === undefined) return;
	const truncateFrom = first.index <= log.last.index ? first.index : null;
	if (truncateFrom !== null) {
		assert(
			truncateFrom > state.commitIndex,
			() => `cut at ${truncateFrom}, committed is ${state.commitIndex}`,
		);
		log.truncateFrom(truncateFrom);
		// A configuration counts from the moment it is in the log, and is taken back with it.
		state.configurations = state.configurations.filter((one) => one.index < truncateFrom);
		assert(state.configurations.length > 0, "the log was cut below its only configuration");
	}
	appendToLog(state, entries.slice(start), truncateFrom);
}

/** Shared with the leader: the one way in which entries get into the log. */
export function appendToLog(
	state: CoreState,
	entries: readonly Entry[],
	truncateFrom: LogIndex | null,
): void {
	for (const entry of entries) {
		refuseForeign(state, entry);
		state.log.append({ index: entry.index, term: entry.term, sizeBytes: entry.payload.length });
		if (entry.kind === "configuration") {
			addConfiguration(state, { index: entry.index, value: decodeConfiguration(entry.payload) });
		}
	}
	announceConfiguration(state);
	const ticket = issueAppend(state.disk, state.now, truncateFrom, state.log.last.index);
	state.outputs.push({ type: "append-log", ticket, truncateFrom, entries });
}

function addConfiguration(state: CoreState, added: ConfigurationAt): void {
	refuseOtherKind(state, added.value);
	const { retired } = latestConfiguration(state).value;
	// Who was removed last is the last of them.
	if (added.value.retired.at(-1) !== retired.at(-1)) state.removalSeenAt = state.now;
	state.configurations.push(added);
	// What a quorum of the one before answered says nothing about this one's.
	if (state.roleState.role === "leader") state.roleState.leaseFromRound = state.roleState.round + 1;
}

function refuse(state: CoreState, leader: NodeId, { previous }: Append): void {
	const hint = state.log.latestWithTermAtMost(previous.index, previous.term);
	send(state, leader, {
		type: "append-response",
		result: { accepted: false, previousIndex: previous.index, hint },
	});
}

export function onHeartbeatRequest(state: CoreState, message: HeartbeatRequest): void {
	const follower = hearLeader(state, message.from);
	// At most what we acknowledged to this leader in this term, and so durable and equal to its log,
	// though after a restart we do not know that ourselves any more.
	assert(
		message.commitIndex <= state.log.last.index,
		() => `${message.from} counts on ${message.commitIndex}, our log ends at ${state.log.last.index}`,
	);
	follower.verifiedIndex = Math.max(follower.verifiedIndex, message.commitIndex);
	learnCommitIndex(state, follower, message.commitIndex);
	const { round, lease } = message;
	const { term } = state.promise;
	if (message.endsReads) endReads(state, round);
	if (lease !== null) {
		// What was lent before it was given up, and comes after that, is over.
		const isOver = state.readsEnded.term === term && round <= state.readsEnded.round;
		state.outputs.push({ type: "leased", term, ...lease, reads: isOver ? null : lease.reads });
	}
	follower.round = Math.max(follower.round, round);
	state.outputs.push({ type: "lease-asked", term, round });
	send(state, message.from, {
		type: "heartbeat-response",
		round,
		lastIndex: state.log.last.index,
		appliedIndex: state.appliedIndex,
	});
}

function endReads(state: CoreState, round: number): void {
	const { term } = state.promise;
	const before = state.readsEnded.term === term ? state.readsEnded.round : 0;
	state.readsEnded = { term, round: Math.max(round, before) };
	state.outputs.push({ type: "reads-ended" });
}

/** From the leader of the present term only. */
export function learnCommitIndex(
	state: CoreState,
	follower: FollowerState,
	leaderCommitIndex: LogIndex,
): void {
	// Above what is verified our log may hold other entries than the leader's at these indexes.
	const index = Math.min(leaderCommitIndex, follower.verifiedIndex);
	if (index > state.commitIndex) state.commitIndex = index;
	announceCommit(state);
}

/**
 * Says what equals the leader's log and is durable. Not before the term is durable too: after a
 * crash in an older term we could let an older leader overwrite what we acknowledged to this one.
 */
function acknowledge(state: CoreState, follower: FollowerState): void {
	if (state.leader === null) return;
	const { durableIndex } = state.disk;
	if (isPromisePending(state.disk) || durableIndex < follower.verifiedIndex) {
		follower.acknowledgementOwed = true;
		return;
	}
	follower.acknowledgementOwed = false;
	tellMatch(state, follower);
}

function tellMatch(state: CoreState, follower: FollowerState): void {
	if (state.leader === null) return;
	const matchIndex = Math.min(follower.verifiedIndex, state.disk.durableIndex);
	send(state, state.leader, { type: "append-response", result: { accepted: true, matchIndex } });
}

/** Disk work completed. */
export function onFollowerDurable(state: CoreState, follower: FollowerState): void {
	announceCommit(state);
	if (!follower.acknowledgementOwed || isPromisePending(state.disk)) return;
	follower.acknowledgementOwed = state.disk.durableIndex < follower.verifiedIndex;
	tellMatch(state, follower);
}

/** The database was replaced by a snapshot, durably. The log is kept if it continues it. */
export function onSnapshotInstalled(
	state: CoreState,
	input: Extract<Input, { type: "snapshot-installed" }>,
): void {
	const { index, term } = input;
	if (index < state.log.base.index) return;
	if (state.log.termAt(index) !== term) {
		assert(state.roleState.role !== "leader", "a leader's log lacks what a snapshot holds");
		assert(index > state.commitIndex, () => `a snapshot at ${index} contradicts what is committed`);
		// What was asked for with the log as it was is not worth winning.
		if (state.roleState.role === "candidate") becomeFollower(state, null);
		const base = { index, term };
		refuseOtherKind(state, input.configuration);
		state.log.reset(base);
		state.configurations = [{ index: input.configurationIndex, value: input.configuration }];
		state.removalSeenAt = state.now;
		announceConfiguration(state);
		const ticket = issueReset(state.disk, state.now, index);
		state.outputs.push({ type: "reset-log", ticket, base });
	}
	state.commitIndex = Math.max(state.commitIndex, index);
	announceCommit(state);
	const follower = state.roleState;
	if (follower.role !== "follower") return;
	follower.verifiedIndex = Math.max(follower.verifiedIndex, state.commitIndex);
	if (state.leader !== null) acknowledgeSnapshot(state, follower);
}

function acknowledgeSnapshot(state: CoreState, follower: FollowerState): void {
	// Behind the log's own reset, so that the next entries find the log that they continue.
	follower.acknowledgementOwed = state.disk.pending.length > 0;
	if (!follower.acknowledgementOwed) tellMatch(state, follower);
}
