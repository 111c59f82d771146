/**
 * The invariants that have to do with who counts: majorities are recounted on the disks, configuration by
 * configuration, without anything of quorum.ts or membership.ts.
 */
import { decodeConfiguration } from "../configuration.ts";
import type { Configuration, Entry, LogIndex, NodeId, Term } from "../types.ts";
import type { Before, SimulatedNode, Simulation } from "./simulation.ts";

export interface MemberChecker {
	/** Up to here some leader has counted a majority. */
	readonly countedIndex: LogIndex;
	/** Configurations that were committed. */
	readonly changesDone: number;
	/** Who voted when the last step began, on either side of a joint phase. */
	/** The order of the chain that the node which has just stepped had before. */
	chainBefore(): readonly NodeId[];
	halvesBefore(): readonly (readonly NodeId[])[];
	onPromiseTold(term: Term, candidate: NodeId, voter: NodeId): void;
	onElected(node: SimulatedNode, term: Term): void;
	/** An entry was announced as committed for the first time; they come in order. */
	onCommitted(entry: Entry): void;
}

export function must(holds: boolean, what: string): asserts holds {
	if (!holds) throw new Error(`invariant broken: ${what}`);
}

/** The disk of the node holds the entry, or a snapshot that covers it. */
export function isStored(node: SimulatedNode, entry: Entry): boolean {
	const { base, log } = node.stored;
	return entry.index <= base.index || log.some((one) => one.index === entry.index && one.term === entry.term);
}

export function watchMembers(simulation: Simulation): MemberChecker {
	/** By term and candidate: whose promises were told, the candidate's own being on its disk. */
	const told = new Map<string, Set<NodeId>>();
	const usedUp = new Set<NodeId>();
	let committedMembers: readonly NodeId[] = [];
	let countedIndex = 0;
	let changesDone = 0;
	let chain: readonly NodeId[] = [];
	let halves: readonly (readonly NodeId[])[] = [];

	function countCommit(node: SimulatedNode, before: Before): void {
		const view = node.core?.view;
		if (view === undefined || before.role !== "leader" || view.commitIndex <= before.commitIndex) return;
		const entry = node.log.get(view.commitIndex);
		must(entry !== undefined && entry.term === view.term, `${node.id} counted an entry of an older term`);
		const holds = (id: NodeId): boolean => {
			const member = simulation.nodes.get(id);
			return member !== undefined && isStored(member, entry);
		};
		must(
			hasMajorities(before.configuration, holds),
			`${node.id} counts ${entry.index} as committed without a majority of ${show(before.configuration)}`,
		);
		countedIndex = Math.max(countedIndex, entry.index);
	}

	/** Before the step all earlier outputs were carried out: `node.log` is what the core had in its log. */
	function checkLastCounts(node: SimulatedNode, before: Before): void {
		let last = 0;
		for (const { index, kind } of node.log.values()) {
			if (kind === "configuration" && index > last) last = index;
		}
		must(
			last === 0 || last === before.configurationIndex,
			`${node.id} goes by the configuration of ${before.configurationIndex}, the last in its log is ${last}`,
		);
	}

	function checkStep(node: SimulatedNode, before: Before): void {
		const view = node.core?.view;
		if (view === undefined) return;
		const { configuration, configurationIndex, commitIndex, role } = view;
		const isNew = configurationIndex !== before.configurationIndex;
		if (role === "leader" && before.role === "leader" && isNew) onChange(node, before, configuration);
		const isSettled = configurationIndex <= commitIndex && configuration.outgoingVoters.length === 0;
		const isOutside = isSettled && !configuration.voters.includes(node.id);
		must(!isOutside || role === "follower", `${node.id} is ${role}, and no voter`);
	}

	function onChange(node: SimulatedNode, before: Before, next: Configuration): void {
		const view = node.core?.view;
		const isBehindCommitted = view?.established === true && view.commitIndex >= before.configurationIndex;
		must(isBehindCommitted, `${node.id} changes members behind a configuration that is not committed`);
		must(
			alwaysMeet(before.configuration, next),
			`${show(before.configuration)} and ${show(next)} have quorums without a common voter`,
		);
		const previous = node.log.get((view?.configurationIndex ?? 0) - 1);
		const isInside = previous?.kind === "fragment" && previous.term === view?.term;
		must(!isInside, `${node.id} changes members in the middle of a transaction`);
		const again = next.members.find(({ id }) => usedUp.has(id));
		must(again === undefined, `the id ${again?.id} is used again`);
	}

	simulation.onStepped = (node, before) => {
		chain = before.chain;
		const { voters, outgoingVoters } = before.configuration;
		halves = outgoingVoters.length === 0 ? [voters] : [voters, outgoingVoters];
		checkLastCounts(node, before);
		countCommit(node, before);
		checkStep(node, before);
	};

	return {
		get countedIndex() {
			return countedIndex;
		},
		get changesDone() {
			return changesDone;
		},
		halvesBefore: () => halves,
		chainBefore: () => chain,
		onPromiseTold(term, candidate, voter) {
			const key = `${term} ${candidate}`;
			const voters = told.get(key) ?? new Set();
			told.set(key, voters.add(voter));
		},
		onElected(node, term) {
			const { promise } = node.stored;
			const others = told.get(`${term} ${node.id}`) ?? new Set<NodeId>();
			const isOwn = promise.term === term && promise.votedFor === node.id;
			const configuration = node.core?.view.configuration;
			must(configuration !== undefined, `${node.id} leads while it is down`);
			must(
				hasMajorities(configuration, (id) => (id === node.id ? isOwn : others.has(id))),
				`${node.id} leads ${term} without a majority of ${show(configuration)}`,
			);
		},
		onCommitted(entry) {
			if (entry.kind !== "configuration") return;
			const members = decodeConfiguration(entry.payload).members.map(({ id }) => id);
			for (const id of committedMembers) if (!members.includes(id)) usedUp.add(id);
			committedMembers = members;
			changesDone++;
		},
	};
}

function hasMajorities(configuration: Configuration, agrees: (id: NodeId) => boolean): boolean {
	const { voters, outgoingVoters } = configuration;
	const isMajority = (half: readonly NodeId[]): boolean => 2 * half.filter(agrees).length > half.length;
	return isMajority(voters) && (outgoingVoters.length === 0 || isMajority(outgoingVoters));
}

/** No way to part all voters leaves a quorum of the one on this side and a quorum of the other on that. */
function alwaysMeet(one: Configuration, other: Configuration): boolean {
	const all = new Set([...one.voters, ...one.outgoingVoters, ...other.voters, ...other.outgoingVoters]);
	const ids = [...all];
	for (let side = 0; side < 2 ** ids.length; side++) {
		const isHere = (id: NodeId): boolean => ((side >> ids.indexOf(id)) & 1) === 1;
		if (hasMajorities(one, isHere) && hasMajorities(other, (id) => !isHere(id))) return false;
	}
	return true;
}

function show({ voters, outgoingVoters }: Configuration): string {
	return [voters, outgoingVoters].map((half) => `[${half.join(" ")}]`).join(" and ");
}
