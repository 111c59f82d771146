/**
 * A leader changes members: accepts a change, takes it through its joint phase, and steps down if it is
 * out. States and argument: DESIGN.md, "Changing members".
 */
import { encodeConfiguration } from "./configuration.ts";
import { beginDepartures } from "./departing.ts";
import { becomeFollower } from "./follower.ts";
import { heardSince, progressOf } from "./heartbeat.ts";
import type { Input } from "./input.ts";
import { isAnythingLent } from "./local-reads.ts";
import { isJoint, leaveJoint, planChange } from "./membership.ts";
import type { ChangeRefusal, Output } from "./output.ts";
import { isCaretaker } from "./priority.ts";
import { isQuorum, isVoter } from "./quorum.ts";
import { appendOwn, sendAppendsToAll, sendCommitIndex } from "./replication.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf, isDiskStalled, latestConfiguration, send } from "./state.ts";
import { bestTarget } from "./transfer.ts";
import type { Configuration, NodeId } from "./types.ts";

type Request = Extract<Input, { type: "change-members" }>;
type Verdict = Extract<Output, { type: "change-refused" }> | Begin;
type Begin = {
	readonly type: "begin";
	/** Null: it is so already. */
	readonly next: Configuration | null;
	readonly target: Configuration;
};

export function changeMembers(state: CoreState, request: Request): void {
	const verdict = judgeChange(state, request);
	if (verdict.type === "change-refused") {
		state.outputs.push(verdict);
		return;
	}
	const { next, target } = verdict;
	const leader = state.roleState;
	if (next === null || request.dryRun || leader.role !== "leader") {
		state.outputs.push({ type: "change-accepted", index: null, target });
		return;
	}
	state.outputs.push({ type: "change-accepted", index: state.log.last.index + 1, target });
	appendConfiguration(state, leader, next);
}

/** Every reason to refuse, those that pass by themselves last. */
function judgeChange(state: CoreState, { changes, force }: Request): Verdict {
	const leader = state.roleState;
	if (leader.role !== "leader") return refuse("not-leader", "this member does not lead");
	if (!leader.established) return refuse("not-established", "this leader is not established yet");
	const { index, value: current } = latestConfiguration(state);
	if (isJoint(current) || index > state.commitIndex) {
		return refuse("change-under-way", "another change of members is under way");
	}
	const plan = planChange(current, changes);
	if (plan.type === "refused") return refuse(plan.reason, plan.why);
	if (plan.type === "nothing-to-do") return { type: "begin", next: null, target: current };
	if (isHandingOver(state)) return refuse("transferring", `${state.transfer?.to} is about to take over`);
	if (leader.isInTransaction) return refuse("in-transaction", "a large transaction is on its way");
	if (isDiskStalled(state)) return refuse("disk-stalled", "the leader's disk hangs");
	const { next, target } = plan;
	// With the same voters nothing gets worse.
	if (force || !isJoint(next)) return { type: "begin", next, target };
	const { maxInFlightBytes } = state.settings;
	const missing = target.voters.filter((voter) => !keepsPace(state, leader, voter, maxInFlightBytes));
	if (!isQuorum(target, (voter) => !missing.includes(voter))) {
		return refuse(
			"quorum-at-risk",
			`of the voters ${target.voters.join(", ")} no majority would be left: not heard from, or too far behind: ${missing.join(", ")}`,
			missing,
		);
	}
	return { type: "begin", next, target };
}

/** A caretaker tries it all the time, also with one that cannot: other members are what may help. */
function isHandingOver(state: CoreState): boolean {
	return state.transfer !== null && !isCaretaker(state);
}

function refuse(reason: ChangeRefusal, why: string, missing: readonly NodeId[] = []): Verdict {
	return { type: "change-refused", reason, why, missing };
}

/** Heard lately, and it lacks no more than so many bytes. Who is no member yet was never heard. */
function keepsPace(state: CoreState, leader: LeaderState, node: NodeId, mostBytes: number): boolean {
	if (node === state.self) return true;
	const progress = leader.progress.get(node);
	if (progress === undefined) return false;
	const isFresh = state.now - heardSince(leader, node) < state.settings.electionTimeoutMs;
	const lacking = state.log.sizeBetween(progress.matchIndex, state.log.last.index);
	return isFresh && progress.lastContact !== null && lacking <= mostBytes;
}

function appendConfiguration(state: CoreState, leader: LeaderState, next: Configuration): void {
	const before = configurationOf(state);
	appendOwn(state, [{ kind: "configuration", payload: encodeConfiguration(next) }]);
	beginDepartures(state, leader, before);
	for (const { id } of next.members) progressOf(state, leader, id);
	sendAppendsToAll(state, leader);
}

/**
 * Once the last configuration is committed: leaves the joint phase, never earlier (bug 17), leads no more if it is
 * outside, or promotes who joins and keeps pace. False: it has stepped down.
 */
export function continueChange(state: CoreState, leader: LeaderState): boolean {
	const { index, value } = latestConfiguration(state);
	if (!leader.established || state.commitIndex < index) return true;
	if (!isJoint(value) && !isVoter(value, state.self)) return leave(state, leader);
	// A transfer waits for a log that stands still; who takes over goes on from here. The pieces of a large transaction
	// follow each other: its end, or that of this leadership, comes.
	if (isHandingOver(state) || leader.isInTransaction || isDiskStalled(state)) return true;
	if (isJoint(value)) appendConfiguration(state, leader, leaveJoint(value));
	else if (value.joining.length > 0) promoteJoining(state, leader, value);
	return true;
}

function promoteJoining(state: CoreState, leader: LeaderState, current: Configuration): void {
	const { maxAppendBytes } = state.settings;
	const ready = current.joining.filter((node) => keepsPace(state, leader, node, maxAppendBytes));
	if (ready.length === 0) return;
	const plan = planChange(
		current,
		ready.map((id) => ({ change: "promote", id })),
	);
	if (plan.type === "change") appendConfiguration(state, leader, plan.next);
}

function leave(state: CoreState, leader: LeaderState): false {
	sendCommitIndex(state, leader);
	const successor = bestTarget(state, leader);
	// It may win or not; without it the others would wait for a whole timeout, as long as somebody may read by itself.
	if (successor !== null && !isAnythingLent(state, leader)) send(state, successor, { type: "timeout-now" });
	becomeFollower(state, null);
	return false;
}
