/**
 * Entries that pass through the followers, one after the other, each sending once. A relayed append is an append of the
 * leader that was on its way for longer: a relay decides nothing, and answers go straight to the leader. States and
 * argument: docs/decisions/chain.md.
 */
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import { isEarly } from "./acknowledge/acknowledgement.ts";
import { breakLink, join, leave, predecessorOf } from "./chain.ts";
import { heardSince, progressOf } from "./heartbeat.ts";
import { inFlightBytes, previousOf } from "./in-flight.ts";
import { shownCommitIndex } from "./local-reads.ts";
import type { AppendResponse, ChainAppend, HeartbeatResponse } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf, isDiskStalled, send } from "./state.ts";
import type { LogIndex, Milliseconds, NodeId } from "./types.ts";

/** Since the last write that asked for it. */
const usedForMs: Milliseconds = 10_000;
/** After a write that does not want to wait for those who read by themselves. */
const lendsNothingForMs: Milliseconds = 1_000;
/** Heartbeat intervals without a word, after which a follower passes nothing on any more. */
const silentIntervals = 3;

export function isChainUsed(state: CoreState, { chain }: LeaderState): boolean {
	return state.alwaysChains || state.now < chain.usedUntil;
}

/** Somebody is about to wait in this mode. */
export function noteMode(state: CoreState, leader: LeaderState, acknowledgement: Acknowledgement): void {
	const { chain } = leader;
	if (acknowledgement.mode === "chain") {
		chain.usedUntil = state.now + usedForMs;
		orderMembers(state, leader);
	} else if (isEarly(acknowledgement) || acknowledgement.mode === "quorum") {
		chain.lendsFrom = state.now + lendsNothingForMs;
	}
}

/** Who stands in the order just now: whoever cannot leaves, whoever has been sent all there is joins. */
export function orderMembers(state: CoreState, leader: LeaderState): void {
	const { chain } = leader;
	if (!isChainUsed(state, leader)) {
		chain.order = [];
		return;
	}
	// A witness is sent an entry when all others have it, and has nothing to read.
	const withData = configurationOf(state).members.filter(({ witness }) => witness !== true);
	const members = withData.map(({ id }) => id);
	for (const node of chain.order) {
		const progress = leader.progress.get(node);
		const isThere =
			members.includes(node) && progress?.mode === "replicating" && isHeard(state, leader, node);
		if (!isThere) leave(chain, node);
	}
	for (const node of members) {
		if (node === state.self || chain.order.includes(node)) continue;
		const progress = progressOf(state, leader, node);
		if (progress?.mode !== "replicating" || !isHeard(state, leader, node)) continue;
		if (progress.nextIndex <= state.log.last.index) continue;
		if (isBehind(state, leader, Math.min(progress.matchIndex, appliedBy(leader, node)))) continue;
		if (join(chain, state.self, node, state.now)) progress.owed = null;
	}
}

/**
 * Whose disk or database hangs, or is slow, answers heartbeats all the same, and all would wait for it: for its window, and for
 * what they asked for. As in mode `sync`, no longer than `syncLeaseMs` after the commit.
 */
export function leaveBehind(state: CoreState, leader: LeaderState): void {
	const { chain, progress } = leader;
	for (const node of chain.order)
		if (isBehind(state, leader, progress.get(node)?.matchIndex ?? 0)) leave(chain, node);
	for (let tail = chain.order.at(-1); tail !== undefined; tail = chain.order.at(-1)) {
		const applied = appliedBy(leader, tail);
		const awaited = leader.unacknowledged.find(
			({ index, acknowledgement }) => acknowledgement.mode === "chain" && index > applied,
		);
		// Not all that it lacks: the pieces of a large transaction are applied at its end.
		if (awaited === undefined || !isBehind(state, leader, awaited.index - 1)) return;
		leave(chain, tail);
	}
}

/** What follows `index` has been committed for longer than anybody should wait for it. */
function isBehind(state: CoreState, { leases, since }: LeaderState, index: LogIndex): boolean {
	const lacksSince = leases.commitTimes.firstAbove(index);
	return lacksSince !== null && state.now - Math.max(lacksSince, since) > state.settings.syncLeaseMs;
}

function appliedBy({ leases }: LeaderState, node: NodeId): LogIndex {
	return leases.members.get(node)?.appliedIndex ?? 0;
}

function isHeard(state: CoreState, leader: LeaderState, node: NodeId): boolean {
	const { heartbeatIntervalMs, electionTimeoutMs } = state.settings;
	const patience = Math.min(silentIntervals * heartbeatIntervalMs, electionTimeoutMs);
	return state.now - heardSince(leader, node) < patience;
}

/** What all in the order lack, to the first of them, as far as the window of the slowest allows. */
export function sendAlongChain(state: CoreState, leader: LeaderState): void {
	for (;;) {
		const all = inStep(state, leader);
		const [first] = all;
		if (first === undefined || first.progress.nextIndex > state.log.last.index) return;
		const { maxInFlightBytes, maxAppendBytes } = state.settings;
		if (all.some(({ progress }) => inFlightBytes(state, progress) >= maxInFlightBytes)) return;
		const previous = previousOf(state, first.progress);
		if (previous === null) {
			// Compacted away: each gets a snapshot.
			leader.chain.order = [];
			return;
		}
		const firstIndex = first.progress.nextIndex;
		const lastIndex = state.log.lastWithin(firstIndex, maxAppendBytes);
		const [to = first.node, ...route] = all.map(({ node }) => node);
		const commitIndex = shownToAll(state, leader, all);
		const { term } = state.promise;
		state.outputs.push({
			type: "send-entries",
			to,
			term,
			previous,
			firstIndex,
			lastIndex,
			commitIndex,
			route,
			withoutPayloads: false,
		});
		for (const { progress } of all) progress.nextIndex = lastIndex + 1;
	}
}

/** Nothing is on its way along the chain, and not all have been told what may be shown. */
export function sendCommitIndexAlongChain(state: CoreState, leader: LeaderState): void {
	const all = inStep(state, leader);
	const [first] = all;
	if (first === undefined || first.progress.nextIndex <= state.log.last.index) return;
	const index = shownCommitIndex(state, leader, null);
	if (all.every(({ progress }) => progress.sentCommitIndex >= index)) return;
	const previous = previousOf(state, first.progress);
	if (previous === null) return;
	const [to = first.node, ...route] = all.map(({ node }) => node);
	const commitIndex = shownToAll(state, leader, all);
	send(state, to, { type: "chain-append", leader: state.self, previous, entries: [], commitIndex, route });
}

interface Link {
	readonly node: NodeId;
	readonly progress: Progress;
}

/** Those in the order; whoever was sent something else has no place in it. */
function inStep(state: CoreState, leader: LeaderState): Link[] {
	if (leader.chain.order.length === 0 || isDiskStalled(state)) return [];
	const all = leader.chain.order.flatMap((node): Link[] => {
		const progress = leader.progress.get(node);
		return progress === undefined ? [] : [{ node, progress }];
	});
	const [first] = all;
	const inStepWithFirst = all.filter(
		({ progress }) => progress.mode === "replicating" && progress.nextIndex === first?.progress.nextIndex,
	);
	if (inStepWithFirst.length < leader.chain.order.length)
		leader.chain.order = inStepWithFirst.map(({ node }) => node);
	return inStepWithFirst;
}

function shownToAll(state: CoreState, leader: LeaderState, all: readonly Link[]): LogIndex {
	const index = shownCommitIndex(state, leader, null);
	for (const { progress } of all) progress.sentCommitIndex = Math.max(progress.sentCommitIndex, index);
	return index;
}

/** It refused what it was sent along the chain. */
export function onRefusedInChain(
	state: CoreState,
	leader: LeaderState,
	node: NodeId,
	result: Extract<AppendResponse["result"], { accepted: false }>,
): void {
	const before = predecessorOf(leader.chain, node);
	const isThere = (leader.progress.get(before ?? "")?.matchIndex ?? 0) >= result.previousIndex;
	if (before !== null && isThere) breakLink(leader.chain, before, node, state.now);
	leave(leader.chain, node);
}

/**
 * What had been sent along the chain an interval ago has not come, and nothing else has come since. Where entries are sent directly
 * two answers in a row tell that; along the chain they are on their way for longer.
 */
export function isOverdue(
	state: CoreState,
	progress: Progress,
	{ lastIndex }: Pick<HeartbeatResponse, "lastIndex">,
): boolean {
	const { owed, matchIndex } = progress;
	if (owed !== null && state.now - owed.at < state.settings.heartbeatIntervalMs) return false;
	const index = progress.nextIndex - 1;
	progress.owed = { index, matchIndex, lastIndex, at: state.now };
	return (
		owed !== null && owed.index > matchIndex && owed.matchIndex === matchIndex && owed.lastIndex === lastIndex
	);
}

/** On a follower: before its own disk has it, and whatever it makes of it itself. */
export function passOn(state: CoreState, message: ChainAppend): void {
	const [to, ...route] = message.route;
	if (to === undefined) return;
	const { leader, previous, entries, commitIndex } = message;
	send(state, to, { type: "chain-append", leader, previous, entries, commitIndex, route });
}
