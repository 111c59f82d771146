/** Watches that while a leader holds its lease, as its runtime would judge it, nobody else is elected or knows of more that is committed. */
import type { Output } from "../output.ts";
import { defaultConsensusSettings, leaderLeaseMs } from "../settings.ts";
import type { MonotonicTime, NodeId, Term } from "../types.ts";
import { must } from "./member-checker.ts";
import type { SimulatedNode, Simulation } from "./simulation.ts";

export interface LeaderLeaseChecker {
	onOutput(node: SimulatedNode, output: Output): void;
	/** How often it was seen that a leader of several held its lease. */
	readonly held: number;
}

/** No random run has other timeouts than these. */
const leaseMs = leaderLeaseMs(defaultConsensusSettings);

interface Reign {
	readonly life: number;
	readonly term: Term;
	/** By round: when it began. All clocks are right here. */
	readonly begun: Map<number, MonotonicTime>;
	confirmed: MonotonicTime;
}

export function watchLeaderLease(simulation: Simulation): LeaderLeaseChecker {
	const reigns = new Map<NodeId, Reign>();
	let held = 0;

	function reignOf(node: SimulatedNode, term: Term): Reign {
		const known = reigns.get(node.id);
		if (known?.life === node.lives && known.term === term) return known;
		const reign: Reign = { life: node.lives, term, begun: new Map(), confirmed: Number.NEGATIVE_INFINITY };
		reigns.set(node.id, reign);
		return reign;
	}

	function look(node: SimulatedNode): void {
		const view = node.core?.view;
		if (view === undefined || view.leasedIndex === null) return;
		const { confirmed } = reignOf(node, view.term);
		if (simulation.now - confirmed >= leaseMs) return;
		const others = [...simulation.nodes.values()].filter((one) => one !== node && one.core !== null);
		for (const { id, core } of others) {
			if (core === null) continue;
			const isElected = core.view.role === "leader" && core.view.term > view.term;
			must(
				!isElected,
				`${id} leads term ${core.view.term} while ${node.id} holds its lease of term ${view.term}`,
			);
			must(
				view.leasedIndex >= core.view.commitIndex,
				`${node.id} shows ${view.leasedIndex} under its lease, ${core.view.commitIndex} is committed`,
			);
		}
		if (others.length > 0) held++;
	}

	return {
		onOutput(node, output) {
			if (node.core?.view.role === "leader") {
				if (output.type === "lease-asked") reignOf(node, output.term).begun.set(output.round, simulation.now);
				if (output.type === "leased") {
					const reign = reignOf(node, output.term);
					reign.confirmed = reign.begun.get(output.round) ?? reign.confirmed;
				}
			}
			for (const one of simulation.nodes.values()) look(one);
		},
		get held() {
			return held;
		},
	};
}
