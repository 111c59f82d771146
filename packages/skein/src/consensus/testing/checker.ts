/** Watches a simulation and throws as soon as one of the invariants of DESIGN.md is broken. */
import type { Output } from "../output.ts";
import type { Entry, LogIndex, NodeId, Term } from "../types.ts";
import { isStored, must, watchMembers } from "./member-checker.ts";
import type { SimulatedNode, Simulation } from "./simulation.ts";

export interface Checker {
	/** Before a read is handed to a node. */
	readBegan(readId: number): void;
	/** The highest index that any node announced as committed. */
	readonly committedIndex: LogIndex;
	readonly readsDone: number;
	/** Configurations that were committed, joint ones too. */
	readonly changesDone: number;
}

export function watch(simulation: Simulation): Checker {
	const leaders = new Map<Term, NodeId>();
	/** By index and term: the one payload, and the term of the entry before. */
	const entries = new Map<string, { readonly payload: string; readonly previousTerm: Term }>();
	const members = watchMembers(simulation);
	const committed = new Map<LogIndex, Entry>();
	const readFloor = new Map<number, LogIndex>();
	const announced = new Map<string, LogIndex>();
	let committedIndex = 0;
	let readsDone = 0;

	function onAppend(node: SimulatedNode, appended: readonly Entry[]): void {
		for (const entry of appended) {
			const key = `${entry.index} in term ${entry.term}`;
			const payload = `${entry.kind} ${entry.payload.join()}`;
			const previousTerm = node.core?.view.termAt(entry.index - 1) ?? null;
			const known = entries.get(key);
			if (previousTerm === null) continue;
			if (known === undefined) entries.set(key, { payload, previousTerm });
			else must(known.payload === payload && known.previousTerm === previousTerm, `log matching at ${key}`);
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
		else if (output.type === "read-ready") {
			const floor = readFloor.get(output.readId) ?? 0;
			must(output.index >= floor, `read ${output.readId} is stale: ${output.index}, committed was ${floor}`);
			readsDone++;
		}
	};

	return {
		readBegan(readId) {
			const known = [...simulation.nodes.values()].map((node) => node.core?.view.commitIndex ?? 0);
			readFloor.set(readId, Math.max(committedIndex, ...known));
		},
		get committedIndex() {
			return committedIndex;
		},
		get changesDone() {
			return members.changesDone;
		},
		get readsDone() {
			return readsDone;
		},
	};
}
