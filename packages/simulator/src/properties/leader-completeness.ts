/**
 * Leader completeness (Raft §5.4): who leads a term has everything that was committed in earlier terms,
 * as far as anybody ever knew it. By the hash chain the last of it stands for all. (A leader of an
 * earlier term may be elected late, by votes that were long on their way: it need not have what was
 * committed in later terms meanwhile, and will commit nothing.)
 */
import type { NodeId, Term } from "../../../skein/src/consensus/types.ts";
import type { Committed } from "./committed.ts";
import { lastIndex } from "./hash-chain.ts";
import type { MemberLogs } from "./member-logs.ts";
import { must, type Property } from "./property.ts";

const name = "leader completeness";

export function leaderCompleteness(logs: MemberLogs, committed: Committed): Property {
	const leads = new Map<NodeId, Term>();
	return {
		name,
		on: {
			started: ({ node }) => leads.delete(node),
			view({ node, view }) {
				if (view.role !== "leader") {
					leads.delete(node);
					return;
				}
				if (leads.get(node) === view.term) return;
				leads.set(node, view.term);
				const { issued } = logs.get(node);
				let { index } = committed;
				while (index > 0 && committed.termOf(index) >= view.term) index--;
				const entry = committed.at(index);
				// A snapshot holds what is committed: committed-stays.ts and state-equality.ts look at it.
				if (entry === null || index < issued.base.index) return;
				must(
					logs.held(node, view, index)?.hash === entry.hash,
					name,
					() =>
						`${node} leads term ${view.term} without the committed entry ${index} of term ${entry.term}; its log ends at ${lastIndex(issued)}`,
				);
			},
		},
	};
}
