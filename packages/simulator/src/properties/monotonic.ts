/**
 * What only grows: the term over all lives of a member, the commit index and the applied index within
 * one (after a crash both begin again at what the database holds). And one view of one term has one leader.
 */
import type { LogIndex, NodeId, Term } from "../../../skein/src/consensus/types.ts";
import { must, type Property } from "./property.ts";

const name = "monotonic";

export function monotonic(): Property {
	const terms = new Map<NodeId, Term>();
	const commits = new Map<NodeId, LogIndex>();
	const applies = new Map<NodeId, LogIndex>();
	const leaders = new Map<NodeId, { readonly term: Term; readonly leader: NodeId }>();

	function grow(values: Map<NodeId, number>, node: NodeId, value: number, what: string): void {
		const before = values.get(node) ?? 0;
		must(value >= before, name, () => `the ${what} of ${node} went back from ${before} to ${value}`);
		values.set(node, value);
	}

	return {
		name,
		on: {
			started({ node, applied, recovered }) {
				// A term that was not durable was not told: terms begin again at what was.
				terms.set(node, recovered.promise.term);
				commits.set(node, applied.index);
				applies.set(node, applied.index);
				leaders.delete(node);
			},
			"disk-lost"({ node }) {
				for (const values of [terms, commits, applies, leaders]) values.delete(node);
			},
			applied: ({ node, position }) => grow(applies, node, position.index, "applied index"),
			view({ node, view }) {
				grow(terms, node, view.term, "term");
				grow(commits, node, view.commitIndex, "commit index");
				if (view.leader === null) return;
				const before = leaders.get(node);
				must(
					before?.term !== view.term || before.leader === view.leader,
					name,
					() => `${node} knew ${before?.leader} as leader of term ${view.term}, now ${view.leader}`,
				);
				leaders.set(node, { term: view.term, leader: view.leader });
			},
		},
	};
}
