/**
 * Watches that whoever may answer linearizable reads by itself, as its runtime would judge it, shows all that any database
 * has ever shown, and all that the leader of its term has acknowledged. All clocks are right here.
 */
import type { Output } from "../output.ts";
import type { LogIndex, NodeId, Term } from "../types.ts";
import { must } from "./member-checker.ts";
import type { SimulatedNode, Simulation } from "./simulation.ts";

export interface LocalReadChecker {
	onOutput(node: SimulatedNode, output: Output): void;
	/** How often it was seen that somebody could read by itself: the tail, and others. */
	readonly byTail: number;
	readonly byOthers: number;
}

interface Held {
	readonly life: number;
	readonly term: Term;
	readonly until: number;
	readonly index: LogIndex;
	readonly tail: boolean;
}

interface Asked {
	readonly life: number;
	readonly term: Term;
	readonly at: Map<number, number>;
}

export function watchLocalReads(simulation: Simulation): LocalReadChecker {
	const asked = new Map<NodeId, Asked>();
	const held = new Map<NodeId, Held>();
	/** By term. */
	const acknowledged = new Map<Term, LogIndex>();
	let shown: LogIndex = 0;
	let shownBy = "nobody";
	let byTail = 0;
	let byOthers = 0;

	function noteAsked(node: SimulatedNode, term: Term, round: number): void {
		const known = asked.get(node.id);
		const isSame = known?.life === node.lives && known.term === term;
		const mine: Asked = isSame ? known : { life: node.lives, term, at: new Map() };
		asked.set(node.id, mine);
		if (round > Math.max(0, ...mine.at.keys())) mine.at.set(round, simulation.now);
	}

	function noteLease(node: SimulatedNode, output: Extract<Output, { type: "leased" }>): void {
		const mine = asked.get(node.id);
		const at = mine?.life === node.lives && mine.term === output.term ? mine.at.get(output.round) : undefined;
		if (at === undefined) return;
		const { term, reads } = output;
		if (reads === null) held.delete(node.id);
		else
			held.set(node.id, {
				life: node.lives,
				term,
				until: at + reads.durationMs,
				index: reads.index,
				tail: reads.tail,
			});
	}

	function mayRead(node: SimulatedNode, lease: Held): boolean {
		const view = node.core?.view;
		if (view === undefined || lease.life !== node.lives || lease.term !== view.term) return false;
		if (view.role === "leader" || simulation.now >= lease.until) return false;
		if (lease.tail) return node.database >= lease.index;
		return view.lastIndex >= lease.index && node.database >= view.lastIndex;
	}

	function look(): void {
		for (const node of simulation.nodes.values()) {
			if (node.core === null || node.database <= shown) continue;
			shown = node.database;
			shownBy = node.id;
		}
		for (const [id, lease] of held) {
			const node = simulation.nodes.get(id);
			if (node === undefined || !mayRead(node, lease)) continue;
			if (lease.tail) byTail++;
			else byOthers++;
			const what = `${id} reads ${node.database} by itself${lease.tail ? " as the tail" : ""}`;
			must(node.database >= shown, `${what}, ${shownBy} has shown ${shown}`);
			const answered = acknowledged.get(lease.term) ?? 0;
			must(node.database >= answered, `${what}, ${answered} was acknowledged`);
		}
	}

	return {
		onOutput(node, output) {
			if (output.type === "lease-asked") noteAsked(node, output.term, output.round);
			if (output.type === "leased") noteLease(node, output);
			if (output.type === "reads-ended") held.delete(node.id);
			if (output.type === "acknowledged") {
				const term = node.core?.view.term ?? 0;
				acknowledged.set(term, Math.max(acknowledged.get(term) ?? 0, output.index));
			}
			look();
		},
		get byTail() {
			return byTail;
		},
		get byOthers() {
			return byOthers;
		},
	};
}
