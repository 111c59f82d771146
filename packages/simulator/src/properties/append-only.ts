/** A leader only appends to its log, and only entries of its term (Raft §5.3): nothing is cut, nothing is reset. */

import type { NodeId, Term } from "../../../skein/src/consensus/types.ts";
import type { MemberLogs } from "./member-logs.ts";
import { must, type Property } from "./property.ts";

const name = "leader append-only";

export function appendOnly(logs: MemberLogs): Property {
	/** The term that it leads, as it was at the end of the last event: what it does in the next it does as a leader, unless it has a new term. */
	const leads = new Map<NodeId, Term>();
	const suspects = new Map<NodeId, string>();

	return {
		name,
		on: {
			started({ node }) {
				leads.delete(node);
				suspects.delete(node);
			},
			"log-work"({ node, work }) {
				const term = leads.get(node);
				if (term === undefined) return;
				if (work.type === "reset") suspects.set(node, `reset its log to ${work.base.index}`);
				if (work.type !== "append") return;
				const { from, links } = logs.get(node).cut;
				if (links.length > 0) suspects.set(node, `cut its log from ${from} on`);
				const foreign = work.entries.find((entry) => entry.term !== term);
				if (foreign !== undefined)
					suspects.set(node, `appended ${foreign.index} of term ${foreign.term} to its log`);
			},
			view({ node, view }) {
				const term = leads.get(node);
				const suspicion = suspects.get(node);
				suspects.delete(node);
				// It may have stepped down first, in the same event.
				if (suspicion !== undefined)
					must(
						view.role !== "leader" || view.term !== term,
						name,
						() => `${node} leads term ${term} and ${suspicion}`,
					);
				if (view.role === "leader") leads.set(node, view.term);
				else leads.delete(node);
			},
		},
	};
}
