/**
 * Which proposals wait for their acknowledgement, on the leader. Looked at whenever a match index, the own
 * disk or the commit index moved. What was acknowledged and is not committed yet raises the index of
 * linearizable reads: they see all that was acknowledged before they began.
 */
import { type Acknowledgement, acknowledgedIndex, waitsForFollowers } from "./acknowledge/acknowledgement.ts";
import type { Standing } from "./acknowledge/standing.ts";
import type { Input } from "./input.ts";
import { mayHold } from "./leases.ts";
import { acknowledgeableIndex, showableIndex } from "./local-reads.ts";
import { allVoters, isWitness } from "./quorum.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf } from "./state.ts";
import type { Configuration, LogIndex, NodeId } from "./types.ts";

/** With data. In a joint phase: of those who will vote. What asks for more of them is never met. */
export function otherVoters(configuration: Configuration, self: NodeId): number {
	return configuration.voters.filter((voter) => voter !== self && !isWitness(configuration, voter)).length;
}

export function awaitAcknowledgement(
	leader: LeaderState,
	index: LogIndex,
	acknowledgement: Acknowledgement,
	waiter: number | null = null,
): void {
	leader.unacknowledged.push({ index, acknowledgement, waiter });
}

/** Nobody would be told: the index of reads does not rise by it either. */
export function forgetAcknowledgement(
	state: CoreState,
	{ term, index, waiter }: Extract<Input, { type: "forget-acknowledgement" }>,
): void {
	const leader = state.roleState;
	if (leader.role !== "leader" || state.promise.term !== term) return;
	leader.unacknowledged = leader.unacknowledged.filter((one) => one.index !== index || one.waiter !== waiter);
}

/**
 * How much waits that asks for the same, or for less: as long as it is not met, another of this mode is not either.
 * What asks for more or for something else does not count: where it cannot be met, this one may.
 */
export function unacknowledgedBy({ unacknowledged }: LeaderState, acknowledgement: Acknowledgement): number {
	if (!waitsForFollowers(acknowledgement)) return 0;
	return unacknowledged.filter((one) => asksForNoMore(one.acknowledgement, acknowledgement)).length;
}

function asksForNoMore(one: Acknowledgement, than: Acknowledgement): boolean {
	if (one.mode === "semi-sync") return than.mode === "semi-sync" && one.followers <= than.followers;
	if (one.mode === "sync") return than.mode === "sync" && (than.strict || !one.strict);
	if (one.mode === "chain") return than.mode === "chain";
	return false;
}

/** Says of every proposal whose mode is met now that it may be answered. */
export function acknowledge(state: CoreState, leader: LeaderState): void {
	if (leader.unacknowledged.length === 0) return;
	const standing = new LeaderStanding(state, leader);
	const limit = acknowledgeableIndex(state, leader);
	const waiting = leader.unacknowledged.filter(({ index, acknowledgement, waiter }) => {
		if (Math.min(acknowledgedIndex(standing, acknowledgement), limit) < index) return true;
		leader.leases.shownIndex = Math.max(leader.leases.shownIndex, index);
		leader.acknowledgedIndex = Math.max(leader.acknowledgedIndex, index);
		if (acknowledgement.mode === "sync")
			leader.leases.acknowledgedIndex = Math.max(leader.leases.acknowledgedIndex, index);
		state.outputs.push({ type: "acknowledged", index, waiter });
		return false;
	});
	leader.unacknowledged = waiting;
}

/** What a linearizable read that begins now must see: all that was shown. */
export function readableIndex(state: CoreState, leader: LeaderState): LogIndex {
	return Math.max(showableIndex(state, leader), leader.leases.shownIndex, leader.acknowledgedIndex);
}

/** Of the state as it is when it is asked: most modes look at little of it, and it is looked at with every answer. */
class LeaderStanding implements Standing {
	readonly #state: CoreState;
	readonly #leader: LeaderState;

	constructor(state: CoreState, leader: LeaderState) {
		this.#state = state;
		this.#leader = leader;
	}

	get durableIndex(): LogIndex {
		return this.#state.disk.durableIndex;
	}

	get commitIndex(): LogIndex {
		return this.#state.commitIndex;
	}

	get appliedIndex(): LogIndex {
		return this.#state.appliedIndex;
	}

	get matchOfOthers(): readonly (readonly LogIndex[])[] {
		const configuration = configurationOf(this.#state);
		const { voters, outgoingVoters } = configuration;
		const halves = outgoingVoters.length === 0 ? [voters] : [voters, outgoingVoters];
		const { progress } = this.#leader;
		return halves.map((half) =>
			half
				.filter((voter) => this.#isOther(configuration, voter))
				.map((voter) => progress.get(voter)?.matchIndex ?? 0),
		);
	}

	get appliedInSync(): readonly LogIndex[] {
		const applied: LogIndex[] = [];
		for (const lease of this.#leader.leases.members.values()) {
			if (mayHold(this.#state, lease)) applied.push(lease.appliedIndex);
		}
		return applied;
	}

	get appliedOfVoters(): readonly LogIndex[] {
		const { members } = this.#leader.leases;
		const configuration = configurationOf(this.#state);
		const others = allVoters(configuration).filter((voter) => this.#isOther(configuration, voter));
		return others.map((voter) => members.get(voter)?.appliedIndex ?? 0);
	}

	get matchInChain(): readonly LogIndex[] {
		const { chain, progress } = this.#leader;
		return chain.order.map((node) => progress.get(node)?.matchIndex ?? 0);
	}

	get appliedAtTail(): LogIndex {
		const { chain, leases } = this.#leader;
		const tail = chain.order.at(-1);
		return tail === undefined ? this.#state.appliedIndex : (leases.members.get(tail)?.appliedIndex ?? 0);
	}

	/** With data: a witness counts for the commit alone. */
	#isOther(configuration: Configuration, voter: NodeId): boolean {
		return voter !== this.#state.self && !isWitness(configuration, voter);
	}
}
