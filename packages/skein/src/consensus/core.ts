/** The one door: step(input) gives outputs. It only sends each input to the part that it concerns. */
import { forgetAcknowledgement } from "./acknowledging.ts";
import { assert, unreachable } from "./assert.ts";
import { onCandidateDurable, standAsAsked } from "./candidate.ts";
import type { ConfigurationAt } from "./configuration.ts";
import { validateConfiguration } from "./configuration.ts";
import { complete, createDiskLedger } from "./disk-ledger.ts";
import { createSurroundings, decide } from "./electing.ts";
import { createElector } from "./electors/create.ts";
import { onFollowerDurable, onSnapshotInstalled } from "./follower.ts";
import { holdBack } from "./holding-back.ts";
import { onApplied } from "./in-sync.ts";
import type { Input } from "./input.ts";
import { awaitIndex, onLeaderDurable, onLeaderSlept, onLeaderTick, propose, stepDown } from "./leader.ts";
import type { LogHeader } from "./log-view.ts";
import { createLogView } from "./log-view.ts";
import type { Output } from "./output.ts";
import { tellGrant } from "./promise.ts";
import { createRandomSource } from "./random.ts";
import { answerUnderLease, beginRead, cancelRead, retryReads } from "./reading.ts";
import { receive } from "./receive.ts";
import { changeMembers } from "./reconfiguration.ts";
import { onSnapshotSent, onUnreachable } from "./replication.ts";
import type { ConsensusSettings } from "./settings.ts";
import type { CoreState } from "./state.ts";
import { announceRole, electorIn } from "./state.ts";
import { beginTransfer, giveUpTransfer } from "./transfer.ts";
import type { GroupId, LogIndex, MonotonicTime, NodeId, Position, VotePromise } from "./types.ts";
import type { CoreView } from "./view.ts";
import { createView } from "./view.ts";
import { refuseOtherKind } from "./witness.ts";

export interface CoreOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly settings: ConsensusSettings;
	/** Any number, another one at every start: times of standing and ids of questions come from it. */
	readonly seed: number;
	readonly now: MonotonicTime;
	readonly promise: VotePromise;
	/** The place just before the first entry of the log. */
	readonly base: Position;
	readonly headers: readonly LogHeader[];
	/** The configuration in force at `base`, and its index. */
	readonly configuration: ConfigurationAt;
	/** The configuration entries in the log, oldest first. */
	readonly configurations: readonly ConfigurationAt[];
	/** What is known to be committed: the database's applied index. */
	readonly commitIndex: LogIndex;
	/** This machine keeps no payloads, and is a member as a witness or not at all. As its disk says; default: false. */
	readonly witness?: boolean;
}

export interface Core {
	step(input: Input): Output[];
	/** What the core knows just now; every property is read anew. */
	readonly view: CoreView;
	/** A tick before this does nothing, unless another input comes first; now or earlier: every tick counts. */
	tickDueAt(): MonotonicTime;
}

export function createCore(options: CoreOptions): Core {
	const state = createState(options);
	return {
		step(input) {
			assert(input.now >= state.now, () => `time went back from ${state.now} to ${input.now}`);
			state.now = input.now;
			state.outputs = [];
			dispatch(state, input);
			return state.outputs;
		},
		view: createView(state),
		tickDueAt: () => tickDueAt(state),
	};
}

/** Whoever only waits for a leader to fall silent need not be woken a hundred times a second for it. */
function tickDueAt(state: CoreState): MonotonicTime {
	const isWaiting =
		state.roleState.role !== "leader" && state.transfer === null && state.followerReads.size === 0;
	return isWaiting ? state.elector.dueAt() : state.now;
}

function createState(options: CoreOptions): CoreState {
	const { self, group, settings, now, commitIndex } = options;
	const log = createLogView(options.base, options.headers);
	// A snapshot can be durable before the promise of the term in which it came. No vote of ours in such
	// a term can have been told (that waits for the promise), so entering it anew is safe.
	const entered = log.base.term > options.promise.term;
	const promise = entered ? { term: log.base.term, votedFor: null } : options.promise;
	// Terms below the log's mean that the promise was lost: voting again would be a second vote (bug 2).
	assert(
		promise.term >= log.last.term,
		() => `promise of term ${promise.term} behind the log's ${log.last.term}`,
	);
	assert(
		commitIndex >= log.base.index && commitIndex <= log.last.index,
		() => `applied ${commitIndex}, the log holds ${log.base.index} to ${log.last.index}`,
	);
	const configurations = [options.configuration, ...options.configurations];
	for (const { index, value } of configurations) {
		// Who joins begins without members, before the first entry.
		if (index > 0 || value.members.length > 0) validateConfiguration(value);
		refuseOtherKind({ self, witness: options.witness === true }, value);
	}
	const random = createRandomSource(options.seed);
	const surroundings = createSurroundings(() => state, self, settings, random);
	const state: CoreState = {
		self,
		witness: options.witness === true,
		group,
		settings,
		elector: createElector(electorIn(configurations.at(-1)?.value, settings), surroundings, now),
		surroundings,
		log,
		disk: createDiskLedger(log.last.index),
		now,
		outputs: [],
		promise,
		grant: null,
		configurations,
		removalSeenAt: now,
		commitIndex,
		announcedCommitIndex: commitIndex,
		readsEnded: { term: 0, round: 0 },
		showsNothingUntil: Number.NEGATIVE_INFINITY,
		appliedIndex: commitIndex,
		leader: null,
		lastLeader: null,
		uselessReigns: 0,
		gaveWayAt: Number.NEGATIVE_INFINITY,
		heldBackUntil: { paused: now, "stepped-down": now, unfit: now },
		// Also without any term: a heartbeat may have been answered before its term was durable.
		lastLeaderContact: now,
		roleState: {
			role: "follower",
			verifiedIndex: commitIndex,
			acknowledgementOwed: false,
			round: 0,
			awaitedIndex: 0,
		},
		followerReads: new Map(),
		// Apart from those of earlier lives of this member: an answer to one of them must not count.
		nextRequestId: Math.floor(random() * 2 ** 31) * 2 ** 21 + 1,
		transfer: null,
		alwaysChains: settings.chain,
		announcedConfiguration: configurations.at(-1) ?? options.configuration,
		announcedRole: null,
	};
	announceRole(state);
	return state;
}

function dispatch(state: CoreState, input: Input): void {
	const role = state.roleState;
	switch (input.type) {
		case "tick":
			return onTick(state);
		case "slept":
			return role.role === "leader"
				? onLeaderSlept(state, role, input.forMs)
				: state.elector.slept(state.now);
		case "message":
			return receive(state, input.message);
		case "propose":
			return propose(state, input.entries, input.acknowledgement);
		case "forget-acknowledgement":
			return forgetAcknowledgement(state, input);
		case "await-acknowledgement":
			return role.role === "leader" ? awaitIndex(state, role, input) : undefined;
		case "applied":
			return onApplied(state, input.index);
		case "read":
			return beginRead(state, input.readId);
		case "read-under-lease":
			return role.role === "leader" ? answerUnderLease(state, role, input.from, input.readId) : undefined;
		case "cancel-read":
			return cancelRead(state, input.readId);
		case "durable":
			return onDurable(state, input.ticket);
		case "unreachable":
			return role.role === "leader" ? onUnreachable(role, input.node) : undefined;
		case "snapshot-installed":
			return onSnapshotInstalled(state, input);
		case "snapshot-sent":
			return role.role === "leader" ? onSnapshotSent(state, role, input.to, input.index) : undefined;
		case "change-members":
			return changeMembers(state, input);
		case "compacted":
			return onCompacted(state, input.index);
		case "transfer":
			return beginTransfer(state, input.to);
		case "stand":
			return standAsAsked(state);
		case "step-down":
			return stepDown(state);
		case "hold-back":
			return holdBack(state, input.reason, input.forMs);
		case "use-chain":
			state.alwaysChains = input.always;
			return;
		default:
			return unreachable(input);
	}
}

function onTick(state: CoreState): void {
	if (state.roleState.role === "leader") return onLeaderTick(state, state.roleState);
	giveUpTransfer(state);
	retryReads(state);
	decide(state, state.elector.tick(state.now));
}

function onDurable(state: CoreState, ticket: number): void {
	complete(state.disk, ticket);
	tellGrant(state);
	const role = state.roleState;
	switch (role.role) {
		case "follower":
			return onFollowerDurable(state, role);
		case "candidate":
			return onCandidateDurable(state, role);
		case "leader":
			return onLeaderDurable(state, role);
	}
}

function onCompacted(state: CoreState, index: LogIndex): void {
	assert(index <= state.commitIndex, () => `compacted to ${index}, committed is ${state.commitIndex}`);
	state.log.compactTo(index);
	// The one in force at the base stays: a cut may need to go back to it (bug 16).
	const inForce = state.configurations.findLastIndex((one) => one.index <= state.log.base.index);
	state.configurations = state.configurations.slice(Math.max(inForce, 0));
}
