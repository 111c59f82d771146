/** Everything a core knows, and the few things that every part of it does: emit, send, announce. */
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import type { Chain } from "./chain.ts";
import type { CommitTimes } from "./commit-times.ts";
import type { ConfigurationAt } from "./configuration.ts";
import type { DiskLedger } from "./disk-ledger.ts";
import { isStalled } from "./disk-ledger.ts";
import { createElector } from "./electors/create.ts";
import type { Elector, Surroundings } from "./electors/elector.ts";
import type { Leases } from "./lease.ts";
import type { LogView } from "./log-view.ts";
import type { ConsensusMessage } from "./message.ts";
import type { Output } from "./output.ts";
import type { Progress } from "./progress.ts";
import { isVoter, isWitness } from "./quorum.ts";
import type { ConsensusSettings } from "./settings.ts";
import { defaultElector } from "./settings.ts";
import type {
	Configuration,
	ElectorName,
	GroupId,
	HoldBackReason,
	LogIndex,
	MonotonicTime,
	NodeId,
	Role,
	Term,
	VotePromise,
} from "./types.ts";

export interface FollowerState {
	readonly role: "follower";
	/** Our log equals that of this term's leader up to here. */
	verifiedIndex: LogIndex;
	/** The leader waits to hear that `verifiedIndex` is durable. */
	acknowledgementOwed: boolean;
	/** The latest heartbeat round that was answered to this leader; 0: none. */
	round: number;
	/** Committed, and the leader waits to hear that it is applied. */
	awaitedIndex: LogIndex;
}

/** Who wants this member to ask for leadership. transfer: the leader itself, so voters are not sticky. */
export type StandReason = "elector" | "operator" | "transfer";

export interface CandidateState {
	readonly role: "candidate";
	/** Pre-vote: nothing is promised yet, by nobody. Vote: `promise` is our own. */
	readonly phase: "pre-vote" | "vote";
	/** The term that is asked for. */
	readonly askedTerm: Term;
	readonly why: StandReason;
	/** Of our own promise; the votes are asked for once it is durable. Null when nothing is awaited. */
	promiseTicket: number | null;
	readonly granted: Set<NodeId>;
	readonly refused: Set<NodeId>;
}

/** A read whose leader must still be confirmed. `from` null: asked on this member. */
export interface LeaderRead {
	readonly from: NodeId | null;
	readonly readId: number;
}

export interface RunningRead extends LeaderRead {
	/** What was committed, or acknowledged, when the round began. */
	readonly index: LogIndex;
	/** An answer to this round, or a later one, shows that we led after the read was asked. */
	readonly round: number;
}

/** A proposal whose client is not answered yet. */
export interface Unacknowledged {
	/** Of its last entry. */
	readonly index: LogIndex;
	readonly acknowledgement: Acknowledgement;
	/** Null: the proposal itself. */
	readonly waiter: number | null;
}

export interface Transfer {
	readonly to: NodeId;
	readonly deadline: MonotonicTime;
}

export interface Departure {
	/** Of the configuration that it is not in. */
	readonly index: LogIndex;
	readonly deadline: MonotonicTime;
	/** The round in which it was first told that this is committed. */
	toldInRound: number | null;
	/** It was one, and is sent what a witness is sent. */
	readonly isWitness: boolean;
}

export interface LeaderState {
	readonly role: "leader";
	/** When leadership began: members count as heard then. */
	readonly since: MonotonicTime;
	/** This process slept: until then it is not the others' silence if nothing was heard. */
	excusedUntil: MonotonicTime;
	readonly barrierIndex: LogIndex;
	established: boolean;
	/** The last entry is a piece of a transaction that goes on: nothing may come in between. */
	isInTransaction: boolean;
	/** Every member but this one, and those that depart. */
	readonly progress: Map<NodeId, Progress>;
	/** Members no more: they still hear us, until they know it or their time is up (reconfiguration.ts). */
	readonly departing: Map<NodeId, Departure>;
	/** The latest heartbeat round; grows with every one and is never used twice. */
	round: number;
	heartbeatAt: MonotonicTime;
	/** Proposals that wait for their acknowledgement, in the order of the log. */
	unacknowledged: Unacknowledged[];
	/** When our own disk had what. */
	readonly durableTimes: CommitTimes;
	/** The highest that was acknowledged in this leadership; above the commit index where a mode answers early. */
	acknowledgedIndex: LogIndex;
	/** Who may be in-sync, and who may read by itself. */
	readonly leases: Leases;
	readonly chain: Chain;
	/** Rounds that count for our own lease: those begun with the present configuration. */
	leaseFromRound: number;
	/** Somebody was told to stand, and that message may be on its way for however long: voters will not hold to us. */
	leaseForfeited: boolean;
	/** Reads that no round was begun for yet. */
	waitingReads: LeaderRead[];
	/** Reads that wait for their round, oldest first. */
	runningReads: RunningRead[];
}

/** A read asked here while another member leads, or nobody. */
export interface FollowerRead {
	/**
	 * The ids of its latest questions. An answer to any of them will do: each was asked after the read
	 * began. If only the last one counted, no read would end where the way to the leader and back takes
	 * longer than the wait before the next question.
	 */
	requestIds: number[];
	askedAt: MonotonicTime;
}

export interface CoreState {
	readonly self: NodeId;
	/** What this machine is, whatever a configuration says. */
	readonly witness: boolean;
	readonly group: GroupId;
	readonly settings: ConsensusSettings;
	elector: Elector;
	/** What electors know of us. */
	readonly surroundings: Surroundings;
	readonly log: LogView;
	readonly disk: DiskLedger;
	now: MonotonicTime;
	outputs: Output[];
	/** The term that this member is in, and whom it gave its vote. Issued to disk before it is acted upon. */
	promise: VotePromise;
	/** A vote that was given, to be told once its ticket is durable. */
	grant: { readonly candidate: NodeId; readonly ticket: number } | null;
	/** Those in the log, oldest first; the first is the one in force at the base. The last one counts. */
	configurations: ConfigurationAt[];
	/** When this core first knew of the last removal of a member: its start, at the latest. */
	removalSeenAt: MonotonicTime;
	commitIndex: LogIndex;
	announcedCommitIndex: LogIndex;
	/** The latest heartbeat round that ended our read lease, and its term. */
	readsEnded: { readonly term: Term; readonly round: number };
	/** We led, and lent read leases that last until then. */
	showsNothingUntil: MonotonicTime;
	/** In this member's database. */
	appliedIndex: LogIndex;
	leader: NodeId | null;
	/** Who was last known to lead, in this life. */
	lastLeader: NodeId | null;
	/** How often this member gave way as a caretaker since it last followed one that may lead. */
	uselessReigns: number;
	/** When the last of them ended. */
	gaveWayAt: MonotonicTime;
	/** Until then this member does not stand by itself (holding-back.ts). */
	readonly heldBackUntil: Record<HoldBackReason, MonotonicTime>;
	/** When a leader was heard last. An earlier life may have heard one just before it ended: so a start counts as well. */
	lastLeaderContact: MonotonicTime;
	roleState: FollowerState | CandidateState | LeaderState;
	/** Reads asked on this member while it does not lead. */
	readonly followerReads: Map<number, FollowerRead>;
	nextRequestId: number;
	/** A transfer that was asked for here; it outlives our own leadership. */
	transfer: Transfer | null;
	/** As `use-chain` says. */
	alwaysChains: boolean;
	announcedConfiguration: ConfigurationAt;
	announcedRole: Extract<Output, { type: "role" }> | null;
}

type Timeless<M> = M extends ConsensusMessage ? Omit<M, "group" | "from" | "to" | "term"> : never;
export type MessageBody = Timeless<ConsensusMessage>;

export function latestConfiguration(state: CoreState): ConfigurationAt {
	const latest = state.configurations.at(-1);
	if (latest === undefined) throw new Error("consensus: no configuration");
	return latest;
}

export function configurationOf(state: CoreState): Configuration {
	return latestConfiguration(state).value;
}

/**
 * Whoever may be needed to win: a voter of the last configuration, or of one from that in force at the commit index
 * on, which the last may turn out to have been the only one to see (thesis §4.2.2; the case is in DESIGN.md).
 */
export function mayStand(state: CoreState): boolean {
	const inForce = state.configurations.findLastIndex((one) => one.index <= state.commitIndex);
	return state.configurations
		.slice(Math.max(inForce, 0))
		.some(({ value }) => isVoter(value, state.self) && !isWitness(value, state.self));
}

/** The last configuration in the log is another: what was said of it is said anew. */
export function announceConfiguration(state: CoreState): void {
	const latest = latestConfiguration(state);
	if (latest === state.announcedConfiguration) return;
	state.announcedConfiguration = latest;
	chooseElector(state);
	state.outputs.push({ type: "configuration", index: latest.index, value: latest.value });
}

/** The log's, if it names one. */
export function electorIn(
	configuration: Configuration | undefined,
	settings: Pick<ConsensusSettings, "elector">,
): ElectorName {
	return configuration?.elector ?? settings.elector ?? defaultElector;
}

/** Another one is in the log: it decides from now on. A round that is under way goes on, as it would for any elector. */
function chooseElector(state: CoreState): void {
	const name = electorIn(configurationOf(state), state.settings);
	if (name !== state.elector.name) state.elector = createElector(name, state.surroundings, state.now);
}

export function send(state: CoreState, to: NodeId, body: MessageBody, term: Term = state.promise.term): void {
	// The compiler cannot see that a member of the union stays one when the envelope is added.
	const message = { ...body, group: state.group, from: state.self, to, term } as ConsensusMessage;
	state.outputs.push({ type: "send", message });
}

/** Says role, term, leader and establishment if any changed. Before what the new role sends. */
export function announceRole(state: CoreState): void {
	const role: Role = state.roleState.role;
	const established = state.roleState.role === "leader" && state.roleState.established;
	const { term } = state.promise;
	const { announcedRole: before, leader } = state;
	const isKnown =
		before?.role === role &&
		before.term === term &&
		before.leader === leader &&
		before.established === established;
	if (isKnown) return;
	state.announcedRole = { type: "role", role, term, leader, established };
	state.outputs.push(state.announcedRole);
}

export function isDiskStalled(state: CoreState): boolean {
	return isStalled(state.disk, state.now, state.settings.diskStallMs);
}

/**
 * A leader was heard within the time for which voters are sticky, whether it is still known who it was or not: what it
 * may answer under its lease depends on this time alone (docs/decisions/leader-leases.md).
 */
export function isLeaderFresh(state: CoreState): boolean {
	return state.now - state.lastLeaderContact < state.settings.electionTimeoutMs;
}
