/**
 * What is committed never changes: all who know an index to be committed have the same entry there, the
 * base of a snapshot is a committed entry, and nobody cuts a committed entry out of its log. But for who has
 * not entered the term in which it was committed: a leader of an earlier one may be heard late, and who still
 * follows it was not counted (Raft counts the acknowledgements of the leader's own term).
 */
import type { LogIndex, NodeId, Term } from "../../../skein/src/consensus/types.ts";
import type { Committed } from "./committed.ts";
import type { MemberLogs } from "./member-logs.ts";
import { must, type Property } from "./property.ts";

const name = "committed never changes";

export function committedStays(logs: MemberLogs, committed: Committed): Property {
	const looked = new Map<NodeId, LogIndex>();
	/** In which each member was when it asked for its last work. */
	const terms = new Map<NodeId, Term>();

	function enter(node: NodeId, term: Term): Term {
		const latest = Math.max(terms.get(node) ?? 0, term);
		terms.set(node, latest);
		return latest;
	}

	return {
		name,
		on: {
			started({ node, recovered }) {
				looked.delete(node);
				terms.set(node, recovered.promise.term);
			},
			"log-work"({ node, work }) {
				const { cut, issued } = logs.get(node);
				if (work.type === "promise") enter(node, work.promise.term);
				const term = enter(node, work.type === "append" ? (work.entries.at(-1)?.term ?? 0) : 0);
				for (const [place, link] of cut.links.entries()) {
					const index = cut.from + place;
					if (index > committed.index) break;
					must(
						committed.at(index)?.hash !== link.hash || term < committed.termOf(index),
						name,
						() => `${node} cut the committed entry ${index} of term ${link.term} out of its log`,
					);
				}
				if (work.type !== "reset") return;
				must(
					work.base.index <= committed.index,
					name,
					() =>
						`${node} took a snapshot of ${work.base.index}, and nobody knew more as committed than ${committed.index}`,
				);
				const entry = committed.at(work.base.index);
				must(
					entry === null || entry.hash === issued.base.hash,
					name,
					() =>
						`${node} took a snapshot of ${work.base.index} in term ${work.base.term}, committed is one of term ${entry?.term}`,
				);
			},
			view({ node, view }) {
				const { issued } = logs.get(node);
				const { commitIndex } = view;
				const from = Math.max(looked.get(node) ?? 0, issued.base.index, view.base.index) + 1;
				for (let index = from; index <= commitIndex && index <= committed.index; index++) {
					const entry = committed.at(index);
					const own = logs.held(node, view, index);
					must(
						entry === null || own?.hash === entry.hash,
						name,
						() =>
							`${node} knows ${index} as committed with an entry of term ${own?.term}, others with one of term ${entry?.term}`,
					);
				}
				looked.set(node, commitIndex);
				committed.extend(commitIndex, view.term, (index) => logs.held(node, view, index));
			},
		},
	};
}
