/** What others may look at: for status, metrics and tests. Nothing of it can be changed from outside. */
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import { unacknowledgedBy } from "./acknowledging.ts";
import type { ConfigurationAt } from "./configuration.ts";
import { heldBackForMs } from "./holding-back.ts";
import { inFlightBytes } from "./in-flight.ts";
import { mayHold } from "./leases.ts";
import { isAnythingLent } from "./local-reads.ts";
import { isCaretaker } from "./priority.ts";
import type { Progress, ProgressMode } from "./progress.ts";
import { leasedIndex } from "./reading.ts";
import { isChainUsed } from "./relaying.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf } from "./state.ts";
import type {
	Configuration,
	ElectorName,
	HoldBackReason,
	LogIndex,
	Milliseconds,
	MonotonicTime,
	NodeId,
	Position,
	Role,
	Term,
} from "./types.ts";

export interface ProgressView {
	readonly matchIndex: LogIndex;
	readonly nextIndex: LogIndex;
	readonly state: ProgressMode;
	readonly inFlightBytes: number;
	/** Null: not heard in this leadership. */
	readonly lastContact: MonotonicTime | null;
	/** In its database, as it said in this leadership; null: it has not. */
	readonly appliedIndex: LogIndex | null;
	/** It may hold an in-sync lease: writes of mode `sync` wait for it. */
	readonly inSync: boolean;
	/** For how long something has been committed that it has not applied, as far as is known; 0: it has everything. */
	readonly lacksForMs: Milliseconds | null;
}

export interface CoreView {
	readonly role: Role;
	readonly term: Term;
	readonly votedFor: NodeId | null;
	readonly leader: NodeId | null;
	/** This member leads, and its barrier is committed. */
	readonly established: boolean;
	/** This member leads and never is to: it takes no writes, and hands over to whoever may. */
	readonly caretaker: boolean;
	/** Known to be committed; may be above `durableIndex` on a leader. */
	readonly commitIndex: LogIndex;
	readonly base: Position;
	readonly lastIndex: LogIndex;
	readonly lastTerm: Term;
	readonly durableIndex: LogIndex;
	readonly configuration: Configuration;
	readonly configurationIndex: LogIndex;
	/** The elector that runs here. */
	readonly elector: ElectorName;
	readonly transferTo: NodeId | null;
	/** For how long this member does not stand by itself, and why; 0: it does. */
	readonly heldBackForMs: Readonly<Record<HoldBackReason, Milliseconds>>;
	readonly pendingReads: number;
	/** On a leader: every other member it has to do with. Empty otherwise. */
	readonly progress: ReadonlyMap<NodeId, ProgressView>;
	/** On a leader: the followers through which entries travel, the tail last. Empty: each is sent to by itself. */
	readonly chain: readonly NodeId[];
	/** On a leader: entries travel along the chain, as far as somebody is there to stand in it. */
	readonly isChainUsed: boolean;
	/** On a leader: others may answer linearizable reads by themselves just now, and what they lack is held back. */
	readonly isLending: boolean;
	/** What a linearizable read must see while the leader's lease holds; null: no lease counts here. */
	readonly leasedIndex: LogIndex | null;
	termAt(index: LogIndex): Term | null;
	/** On a leader: what waits for acknowledgements without which none of this mode comes either. */
	unacknowledgedBy(acknowledgement: Acknowledgement): number;
	/** The last configuration in the log at or below `index`, which is not below the base. */
	configurationAt(index: LogIndex): ConfigurationAt;
	/** Bytes of the entries after `index`, a small constant for each included: how far behind a member is. */
	bytesAfter(index: LogIndex): number;
}

/** A class, and no literal with getters: V8 keeps such literals as dictionaries, and all of this is asked for often. */
class View implements CoreView {
	readonly #state: CoreState;

	constructor(state: CoreState) {
		this.#state = state;
	}

	get role(): Role {
		return this.#state.roleState.role;
	}

	get term(): Term {
		return this.#state.promise.term;
	}

	get votedFor(): NodeId | null {
		return this.#state.promise.votedFor;
	}

	get elector(): ElectorName {
		return this.#state.elector.name;
	}

	get leader(): NodeId | null {
		return this.#state.leader;
	}

	get established(): boolean {
		return this.#state.roleState.role === "leader" && this.#state.roleState.established;
	}

	get caretaker(): boolean {
		return isCaretaker(this.#state);
	}

	get commitIndex(): LogIndex {
		return this.#state.commitIndex;
	}

	get base(): Position {
		return this.#state.log.base;
	}

	get lastIndex(): LogIndex {
		return this.#state.log.last.index;
	}

	get lastTerm(): Term {
		return this.#state.log.last.term;
	}

	get durableIndex(): LogIndex {
		return this.#state.disk.durableIndex;
	}

	get configuration(): Configuration {
		return configurationOf(this.#state);
	}

	get configurationIndex(): LogIndex {
		return this.#state.configurations.at(-1)?.index ?? 0;
	}

	get transferTo(): NodeId | null {
		return this.#state.transfer?.to ?? null;
	}

	get heldBackForMs(): Readonly<Record<HoldBackReason, Milliseconds>> {
		const forMs = (reason: HoldBackReason): Milliseconds => heldBackForMs(this.#state, reason);
		return { paused: forMs("paused"), "stepped-down": forMs("stepped-down"), unfit: forMs("unfit") };
	}

	get pendingReads(): number {
		const leader = this.#state.roleState;
		if (leader.role !== "leader") return this.#state.followerReads.size;
		return leader.waitingReads.length + leader.runningReads.length;
	}

	get chain(): readonly NodeId[] {
		const leader = this.#state.roleState;
		return leader.role === "leader" ? leader.chain.order : [];
	}

	get isChainUsed(): boolean {
		const leader = this.#state.roleState;
		return leader.role === "leader" && isChainUsed(this.#state, leader);
	}

	get isLending(): boolean {
		const leader = this.#state.roleState;
		return leader.role === "leader" && isAnythingLent(this.#state, leader);
	}

	get leasedIndex(): LogIndex | null {
		const leader = this.#state.roleState;
		return leader.role === "leader" ? leasedIndex(this.#state, leader) : null;
	}

	unacknowledgedBy(acknowledgement: Acknowledgement): number {
		const leader = this.#state.roleState;
		return leader.role === "leader" ? unacknowledgedBy(leader, acknowledgement) : 0;
	}

	get progress(): ReadonlyMap<NodeId, ProgressView> {
		const leader = this.#state.roleState;
		if (leader.role !== "leader") return new Map<NodeId, ProgressView>();
		return new Map(
			[...leader.progress].map(([node, progress]) => [
				node,
				progressView(this.#state, leader, node, progress),
			]),
		);
	}

	termAt(index: LogIndex): Term | null {
		return this.#state.log.termAt(index);
	}

	configurationAt(index: LogIndex): ConfigurationAt {
		const { configurations } = this.#state;
		const found = configurations.findLast((one) => one.index <= index);
		if (found === undefined) throw new Error(`consensus: no configuration is known at ${index}`);
		return found;
	}

	bytesAfter(index: LogIndex): number {
		return this.#state.log.sizeBetween(index, this.#state.log.last.index);
	}
}

function progressView(state: CoreState, leader: LeaderState, node: NodeId, progress: Progress): ProgressView {
	const lease = leader.leases.members.get(node);
	const appliedIndex = lease === undefined || lease.round === 0 ? null : lease.appliedIndex;
	const lacksSince = appliedIndex === null ? null : leader.leases.commitTimes.firstAbove(appliedIndex);
	return {
		matchIndex: progress.matchIndex,
		nextIndex: progress.nextIndex,
		state: progress.mode,
		inFlightBytes: inFlightBytes(state, progress),
		lastContact: progress.lastContact,
		appliedIndex,
		inSync: lease !== undefined && lease.round > 0 && mayHold(state, lease),
		lacksForMs: lacksForMs(state, leader, appliedIndex, lacksSince),
	};
}

function lacksForMs(
	state: CoreState,
	leader: LeaderState,
	appliedIndex: LogIndex | null,
	since: MonotonicTime | null,
): Milliseconds | null {
	if (appliedIndex === null) return null;
	if (since === null) return 0;
	// Longer than this leadership: at least that long.
	return state.now - Math.max(since, leader.since);
}

export function createView(state: CoreState): CoreView {
	return new View(state);
}
