/** Watches a simulation and throws as soon as one of the invariants of DESIGN.md is broken. */
import type { Output } from "../output.ts";
import type { Entry, LogIndex, NodeId, Term } from "../types.ts";
import { watchLeaderLease } from "./leader-lease-checker.ts";
import { watchLocalReads } from "./local-read-checker.ts";
import { isStored, must, watchMembers } from "./member-checker.ts";
import type { SimulatedNode, Simulation } from "./simulation.ts";

export interface Checker {
	/** Before a read is handed to a node. */
	readBegan(readId: number): void;
	/** Before `await-acknowledgement` in mode sync is handed to a leader. */
	awaited(waiter: number, index: LogIndex): void;
	/** Before `forget-acknowledgement` for this waiter: it must not be told any more. */
	forgotten(waiter: number): void;
	readonly awaitedDone: number;
	/** The highest index that any node announced as committed. */
	readonly committedIndex: LogIndex;
	readonly readsDone: number;
	readonly acknowledgementsDone: number;
	/** Of mode `sync`, and for how many of them another member than the leader was in-sync. */
	readonly syncDone: number;
	readonly syncWithFollower: number;
	/** Configurations that were committed, joint ones too. */
	readonly changesDone: number;
	/** How often it was seen that a leader of several held its lease. */
	readonly leasesHeld: number;
	/** How often it was seen that the tail, or another member of the chain, could answer reads by itself. */
	readonly readsByTail: number;
	readonly readsByOthers: number;
	/** Of mode `chain`. */
	readonly chainDone: number;
	/** Announced as committed by a member with data of a configuration with a witness. */
	readonly witnessed: number;
}

/** What a member holds, as it would judge it itself; all clocks are right here. */
interface HeldLease {
	readonly life: number;
	readonly term: Term;
	readonly endsAt: number;
	readonly index: LogIndex;
}

function hasWitness({ core }: SimulatedNode): boolean {
	return core?.view.configuration.members.some(({ witness }) => witness === true) ?? false;
}

/** By its name here: it gets entries without payloads before it knows that it is one. */
const isWitnessNode = ({ id }: SimulatedNode): boolean => id.startsWith("w");

export function watch(simulation: Simulation): Checker {
	const leaders = new Map<Term, NodeId>();
	/** By term: what its leader's log held when it was elected, as terms by index. */
	const inherited = new Map<Term, ReadonlyMap<LogIndex, Term>>();
	/** By index and term: the one payload, and the term of the entry before. */
	const entries = new Map<string, { readonly payload: string; readonly previousTerm: Term }>();
	const members = watchMembers(simulation);
	const leaderLease = watchLeaderLease(simulation);
	const localReads = watchLocalReads(simulation);
	const committed = new Map<LogIndex, Entry>();
	const readFloor = new Map<number, LogIndex>();
	const announced = new Map<string, LogIndex>();
	/** By term: the highest index that its leader acknowledged. */
	const acknowledged = new Map<Term, LogIndex>();
	const acknowledgedBefore = new Map<number, ReadonlyMap<Term, LogIndex>>();
	let acknowledgementsDone = 0;
	const awaited = new Map<number, LogIndex>();
	let awaitedDone = 0;
	let syncDone = 0;
	let chainDone = 0;
	let syncWithFollower = 0;
	/** The highest that was answered in mode sync, by whoever led. */
	let syncIndex = 0;
	/** By node: when it answered which round, of its present life and term. */
	const asked = new Map<
		NodeId,
		{ readonly life: number; readonly term: Term; readonly at: Map<number, number> }
	>();
	const leases = new Map<NodeId, HeldLease>();
	let witnessed = 0;
	let committedIndex = 0;
	let readsDone = 0;

	function isInSync(node: SimulatedNode): boolean {
		const lease = leases.get(node.id);
		if (lease === undefined || lease.life !== node.lives || node.core?.view.term !== lease.term) return false;
		return simulation.now < lease.endsAt && node.database >= lease.index;
	}

	/** Whoever believes that it is in-sync shows all that was answered in mode sync. */
	function seesSync(): void {
		for (const node of simulation.nodes.values()) {
			if (node.database >= syncIndex || !isInSync(node)) continue;
			must(false, `${node.id} is in-sync with ${node.database}, answered was ${syncIndex}`);
		}
	}

	function onLeaseAsked(node: SimulatedNode, term: Term, round: number): void {
		const known = asked.get(node.id);
		const isSame = known?.life === node.lives && known.term === term;
		const mine = isSame ? known : { life: node.lives, term, at: new Map<number, number>() };
		asked.set(node.id, mine);
		const latest = Math.max(0, ...mine.at.keys());
		if (round > latest) mine.at.set(round, simulation.now);
	}

	function onLeased(node: SimulatedNode, output: Extract<Output, { type: "leased" }>): void {
		const mine = asked.get(node.id);
		if (mine?.life !== node.lives || mine.term !== output.term) return;
		const at = mine.at.get(output.round);
		if (at === undefined) return;
		const { term, durationMs, index } = output;
		leases.set(node.id, { life: node.lives, term, endsAt: at + durationMs, index });
	}

	function onAppend(node: SimulatedNode, appended: readonly Entry[]): void {
		const isWithout = isWitnessNode(node);
		for (const entry of appended) {
			const key = `${entry.index} in term ${entry.term}`;
			const payload = `${entry.kind} ${entry.payload.join()}`;
			const previousTerm = node.core?.view.termAt(entry.index - 1) ?? null;
			const known = entries.get(key);
			if (previousTerm === null) continue;
			if (known === undefined) {
				if (!isWithout) entries.set(key, { payload, previousTerm });
				continue;
			}
			const isSame =
				entry.kind === "metadata"
					? isWithout && known.payload.startsWith(new TextDecoder().decode(entry.payload))
					: known.payload === payload;
			must(isSame && known.previousTerm === previousTerm, `log matching at ${key}`);
		}
	}

	function onLeader(node: SimulatedNode, term: Term): void {
		const other = leaders.get(term);
		must(
			other === undefined || other === node.id,
			`election safety: ${other} and ${node.id} lead term ${term}`,
		);
		if (other !== undefined) return;
		leaders.set(term, node.id);
		inherited.set(term, new Map([...node.log.values()].map((entry) => [entry.index, entry.term])));
		members.onElected(node, term);
		for (const [index, entry] of committed) {
			const held = node.core?.view.termAt(index) ?? null;
			const isCompacted = index <= (node.core?.view.base.index ?? 0);
			must(
				isCompacted || held === entry.term,
				`leader completeness: ${node.id} leads ${term} without ${index}`,
			);
		}
	}

	function onCommit(node: SimulatedNode, index: LogIndex): void {
		const life = `${node.id} ${node.lives}`;
		const before = announced.get(life) ?? 0;
		must(index >= before, `${node.id} announced ${index} after ${before}`);
		announced.set(life, index);
		for (let each = before + 1; each <= index; each++) {
			const entry = node.log.get(each);
			if (entry === undefined) continue;
			must(isStored(node, entry), `${node.id} may apply ${each}, which is not on its disk`);
			// It has no payload to compare, and hears of a commit from somebody who has.
			if (isWitnessNode(node)) continue;
			witnessed += Number(hasWitness(node));
			const known = committed.get(each);
			if (known === undefined) {
				must(each <= members.countedIndex, `${each} is committed, and no leader counted it`);
				committed.set(each, entry);
				members.onCommitted(entry);
			} else {
				must(
					known.term === entry.term && known.payload.join() === entry.payload.join(),
					`committed entry ${each} differs on ${node.id}`,
				);
			}
		}
		committedIndex = Math.max(committedIndex, index);
	}

	/** Once, and when this node has applied it; that everybody in-sync has is seen behind it. */
	function onAwaited(node: SimulatedNode, index: LogIndex, waiter: number): void {
		must(awaited.get(waiter) === index, `${node.id} acknowledged ${index} to ${waiter}, unasked or twice`);
		awaited.delete(waiter);
		must(node.database >= index, `${node.id} acknowledged ${index} to ${waiter} before it had applied it`);
		syncIndex = Math.max(syncIndex, index);
		awaitedDone++;
	}

	/** Asked of the disks themselves, and no proposal twice. */
	function onAcknowledged(node: SimulatedNode, index: LogIndex): void {
		const term = node.core?.view.term ?? 0;
		const key = `${index} in term ${term}`;
		const acknowledgement = simulation.modes.get(key);
		must(acknowledgement !== undefined, `${node.id} acknowledged ${key} unasked`);
		simulation.modes.delete(key);
		acknowledged.set(term, Math.max(acknowledged.get(term) ?? 0, index));
		acknowledgementsDone++;
		// Only who has data has applied or stores anything.
		const halves = members.halvesBefore().map((half) => half.filter((id) => !id.startsWith("w")));
		if (acknowledgement.mode === "sync") {
			const others = [...simulation.nodes.values()].filter((one) => one !== node);
			must(node.database >= index, `${node.id} acknowledged ${key} in sync before it had applied it`);
			const isStrict = acknowledgement.strict;
			syncDone++;
			if (others.some(isInSync)) syncWithFollower++;
			// A member that is down may start with less; whoever is up has it.
			const voters = others.filter((one) => halves.some((half) => half.includes(one.id)));
			const lacking = voters.filter((one) => one.core !== null && one.database < index);
			const restarted = lacking.filter((one) => one.lives > 1);
			must(!isStrict || lacking.length === restarted.length, `${key} acknowledged as strict without all`);
			syncIndex = Math.max(syncIndex, index);
		}
		const entry = node.log.get(index);
		// Committed long ago and compacted: its mode asked for more followers than the commit did.
		if (entry === undefined && index <= node.stored.base.index) return;
		must(entry?.term === term, `${node.id} acknowledged ${key}, which is not its own`);
		must(isStored(node, entry), `${node.id} acknowledged ${key}, which is not on its disk`);
		const holds = (one: SimulatedNode): boolean => isStored(one, entry) || index <= one.stored.applied;
		if (acknowledgement.mode === "semi-sync") {
			for (const half of halves) {
				const holders = [...simulation.nodes.values()].filter(
					(one) => one !== node && half.includes(one.id) && holds(one),
				).length;
				const isMet = holders >= acknowledgement.followers;
				must(isMet, `${key} acknowledged with ${holders} copies on ${half.join(", ")}`);
			}
		}
		// What a leader counts is recounted by the disks (member-checker.ts).
		if (acknowledgement.mode === "chain") onChainAcknowledged(node, entry, key);
		if (acknowledgement.mode === "quorum" || acknowledgement.mode === "chain")
			must(index <= members.countedIndex, `${key} acknowledged as committed, and no leader counted it`);
	}

	/** Everybody in the order that the leader had before this step, or has now, holds it; the tail has applied it. */
	function onChainAcknowledged(node: SimulatedNode, entry: Entry, key: string): void {
		chainDone++;
		const orders = [members.chainBefore(), node.core?.view.chain ?? []];
		must(
			orders.some((order) => isAtAll(order, node, entry)),
			`${key} acknowledged as chain, not all of ${orders.map((order) => order.join()).join(" or ")} have it`,
		);
	}

	function isAtAll(order: readonly NodeId[], leader: SimulatedNode, entry: Entry): boolean {
		const all = order.flatMap((id) => simulation.nodes.get(id) ?? []);
		const tail = all.at(-1) ?? leader;
		return (
			all.every((one) => isStored(one, entry) || entry.index <= one.stored.applied) &&
			// One that has ended since may have less.
			(tail.database >= entry.index || tail.core === null || tail.lives > 1)
		);
	}

	/** The leader of a later term begins without it. Others may hold it for a while (sweep seed 2024). */
	function isLost(index: LogIndex, term: Term, readIn: Term): boolean {
		return readIn > term && inherited.get(readIn)?.get(index) !== term;
	}

	/** It sees what was acknowledged before it began, unless that was lost with its leader. */
	function seesAcknowledged(node: SimulatedNode, readId: number, index: LogIndex): void {
		const readIn = node.core?.view.term ?? 0;
		for (const [term, before] of acknowledgedBefore.get(readId) ?? []) {
			const isThere = node.core?.view.termAt(before) === term && !isLost(before, term, readIn);
			must(
				!isThere || index >= before,
				`read ${readId} at ${index} misses ${before}, acknowledged before it`,
			);
		}
	}

	function onSend(node: SimulatedNode, output: Extract<Output, { type: "send" }>): void {
		const { message } = output;
		const { promise, base, log } = node.stored;
		if (message.type === "vote-response" && message.granted) {
			members.onPromiseTold(message.term, message.to, node.id);
			const isKept = promise.term === message.term && promise.votedFor === message.to;
			must(isKept, `${node.id} told a vote for ${message.to} that is not on its disk`);
		}
		if (message.type === "vote-request") {
			must(
				promise.term === message.term && promise.votedFor === node.id,
				`${node.id} asked before its own vote`,
			);
		}
		if (message.type === "append-response" && message.result.accepted) {
			must(Math.max(promise.term, base.term) >= message.term, `${node.id} acknowledged before its term`);
			const end = log.at(-1)?.index ?? base.index;
			const isHeld = message.result.matchIndex <= Math.max(end, node.stored.applied);
			must(isHeld, `${node.id} acknowledged ${message.result.matchIndex}, its disk ends at ${end}`);
		}
	}

	simulation.onOutput = (node, output) => {
		if (output.type === "append-log") onAppend(node, output.entries);
		else if (output.type === "role" && output.role === "leader") onLeader(node, output.term);
		else if (output.type === "commit") onCommit(node, output.index);
		else if (output.type === "send") onSend(node, output);
		else if (output.type === "acknowledged" && output.waiter === null) onAcknowledged(node, output.index);
		else if (output.type === "acknowledged" && output.waiter !== null)
			onAwaited(node, output.index, output.waiter);
		else if (output.type === "lease-asked") onLeaseAsked(node, output.term, output.round);
		else if (output.type === "leased") onLeased(node, output);
		else if (output.type === "read-ready") {
			seesAcknowledged(node, output.readId, output.index);
			const floor = readFloor.get(output.readId) ?? 0;
			must(output.index >= floor, `read ${output.readId} is stale: ${output.index}, committed was ${floor}`);
			readsDone++;
		}
		seesSync();
		leaderLease.onOutput(node, output);
		localReads.onOutput(node, output);
	};

	return {
		awaited(waiter, index) {
			awaited.set(waiter, index);
		},
		forgotten(waiter) {
			awaited.delete(waiter);
		},
		get awaitedDone() {
			return awaitedDone;
		},
		readBegan(readId) {
			// What is held back was shown to nobody.
			const known = [...simulation.nodes.values()].map(({ core }) =>
				core === null || core.view.isLending ? 0 : core.view.commitIndex,
			);
			acknowledgedBefore.set(readId, new Map(acknowledged));
			readFloor.set(readId, Math.max(committedIndex, ...known));
		},
		get committedIndex() {
			return committedIndex;
		},
		get syncDone() {
			return syncDone;
		},
		get syncWithFollower() {
			return syncWithFollower;
		},
		get acknowledgementsDone() {
			return acknowledgementsDone;
		},
		get changesDone() {
			return members.changesDone;
		},
		get witnessed() {
			return witnessed;
		},
		get leasesHeld() {
			return leaderLease.held;
		},
		get readsByTail() {
			return localReads.byTail;
		},
		get readsByOthers() {
			return localReads.byOthers;
		},
		get chainDone() {
			return chainDone;
		},
		get readsDone() {
			return readsDone;
		},
	};
}
