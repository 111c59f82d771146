/** What others may look at: for status, metrics and tests. Nothing of it can be changed from outside. */
import type { ProgressMode } from "./progress.ts";
import { inFlightBytes } from "./replication.ts";
import type { CoreState } from "./state.ts";
import { configurationOf } from "./state.ts";
import type { Configuration, LogIndex, MonotonicTime, NodeId, Position, Role, Term } from "./types.ts";

export interface ProgressView {
	readonly matchIndex: LogIndex;
	readonly nextIndex: LogIndex;
	readonly state: ProgressMode;
	readonly inFlightBytes: number;
	/** Null: not heard in this leadership. */
	readonly lastContact: MonotonicTime | null;
}

export interface CoreView {
	readonly role: Role;
	readonly term: Term;
	readonly votedFor: NodeId | null;
	readonly leader: NodeId | null;
	/** This member leads, and its barrier is committed. */
	readonly established: boolean;
	/** Known to be committed; may be above `durableIndex` on a leader. */
	readonly commitIndex: LogIndex;
	readonly base: Position;
	readonly lastIndex: LogIndex;
	readonly lastTerm: Term;
	readonly durableIndex: LogIndex;
	readonly configuration: Configuration;
	readonly configurationIndex: LogIndex;
	readonly transferTo: NodeId | null;
	readonly pendingReads: number;
	/** On a leader: every other member it has to do with. Empty otherwise. */
	readonly progress: ReadonlyMap<NodeId, ProgressView>;
	termAt(index: LogIndex): Term | null;
	/** Bytes of the entries after `index`, a small constant for each included: how far behind a member is. */
	bytesAfter(index: LogIndex): number;
}

export function createView(state: CoreState): CoreView {
	return {
		get role() {
			return state.roleState.role;
		},
		get term() {
			return state.promise.term;
		},
		get votedFor() {
			return state.promise.votedFor;
		},
		get leader() {
			return state.leader;
		},
		get established() {
			return state.roleState.role === "leader" && state.roleState.established;
		},
		get commitIndex() {
			return state.commitIndex;
		},
		get base() {
			return state.log.base;
		},
		get lastIndex() {
			return state.log.last.index;
		},
		get lastTerm() {
			return state.log.last.term;
		},
		get durableIndex() {
			return state.disk.durableIndex;
		},
		get configuration() {
			return configurationOf(state);
		},
		get configurationIndex() {
			return state.configurations.at(-1)?.index ?? 0;
		},
		get transferTo() {
			return state.transfer?.to ?? null;
		},
		get pendingReads() {
			const leader = state.roleState;
			if (leader.role !== "leader") return state.followerReads.size;
			return leader.waitingReads.length + leader.runningReads.length;
		},
		get progress() {
			const leader = state.roleState;
			if (leader.role !== "leader") return new Map<NodeId, ProgressView>();
			return new Map(
				[...leader.progress].map(([node, progress]) => [
					node,
					{
						matchIndex: progress.matchIndex,
						nextIndex: progress.nextIndex,
						state: progress.mode,
						inFlightBytes: inFlightBytes(state, progress),
						lastContact: progress.lastContact,
					},
				]),
			);
		},
		termAt: (index) => state.log.termAt(index),
		bytesAfter: (index) => state.log.sizeBetween(index, state.log.last.index),
	};
}
