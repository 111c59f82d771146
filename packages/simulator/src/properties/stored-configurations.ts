/**
 * A database knows who belongs to the group: with everything up to an index it holds the last configuration up to
 * there, whoever led. What the log does not have any more is found nowhere else, and a snapshot brings it to others.
 */
import type { LogIndex, NodeId, Term } from "../../../skein/src/consensus/types.ts";
import type { Committed } from "./committed.ts";
import { must, type Property } from "./property.ts";

const name = "configurations are stored";

export function storedConfigurations(committed: Committed): Property {
	/** Terms by index of all configurations that were ever appended. */
	const appended = new Map<LogIndex, Set<Term>>();

	function check(node: NodeId, applied: LogIndex, stored: LogIndex | null | undefined): void {
		if (stored === undefined) return;
		for (const [index, terms] of appended) {
			if (index <= (stored ?? 0) || index > applied) continue;
			const term = committed.at(index)?.term;
			must(
				term === undefined || !terms.has(term),
				name,
				() =>
					`the database of ${node} holds ${applied}, and the configuration of ${stored}, not that of ${index}`,
			);
		}
	}

	return {
		name,
		on: {
			"log-work"({ work }) {
				if (work.type !== "append") return;
				for (const { index, term, kind } of work.entries) {
					if (kind === "configuration") appended.set(index, (appended.get(index) ?? new Set()).add(term));
				}
			},
			started: ({ node, applied, configurationIndex }) => check(node, applied.index, configurationIndex),
			snapshot: ({ node, position, configurationIndex }) => check(node, position.index, configurationIndex),
		},
	};
}
