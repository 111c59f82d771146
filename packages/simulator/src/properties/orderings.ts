/**
 * The indexes of a member stand in order: compacted ≤ snapshot ≤ applied ≤ committed ≤ last, and durable
 * ≤ last. Compacted ≤ snapshot is what makes a restart possible after a loss of power: what the log drops, the
 * database holds durably, by a checkpoint or a snapshot that it installed. Looked at when the log is told to drop
 * it. Applied ≤ committed holds while no mode applies early.
 *
 * Databases hold what they were asked to hold a little before anybody hears of it (Database.commit tells late):
 * a snapshot may hold that, and never more.
 */
import type { LogIndex, NodeId, Position } from "../../../skein/src/consensus/types.ts";
import { must, type Property } from "./property.ts";

const name = "orderings";

export function orderings(): Property {
	const applied = new Map<NodeId, Position>();
	/** Up to where each database was asked to apply or to commit. */
	const asked = new Map<NodeId, LogIndex>();
	/** What each database holds durably, over all lives; more of it may be, nobody knows. */
	const durable = new Map<NodeId, LogIndex>();
	const at = (node: NodeId): LogIndex => applied.get(node)?.index ?? 0;

	return {
		name,
		on: {
			started({ node, applied: position, recovered }) {
				applied.set(node, position);
				asked.set(node, position.index);
				must(
					recovered.base.index <= position.index,
					name,
					() =>
						`${node} came back with applied ${position.index} and a log that begins after ${recovered.base.index}`,
				);
			},
			"disk-lost"({ node }) {
				for (const indexes of [applied, asked, durable]) indexes.delete(node);
			},
			applying: ({ node, position }) => asked.set(node, Math.max(asked.get(node) ?? 0, position.index)),
			applied: ({ node, position }) => applied.set(node, position),
			snapshot({ node, position }) {
				const limit = asked.get(node) ?? 0;
				must(
					position.index <= limit,
					name,
					() => `${node} made a snapshot of ${position.index}, and was asked to apply ${limit}`,
				);
			},
			"database-durable"({ node, index }) {
				must(
					index <= at(node),
					name,
					() => `${node} says that ${index} is durable in its database, with applied ${at(node)}`,
				);
				durable.set(node, Math.max(durable.get(node) ?? 0, index));
			},
			"log-compacted"({ node, index }) {
				const limit = durable.get(node) ?? 0;
				must(
					index <= limit,
					name,
					() => `${node} dropped its log up to ${index}, and its database holds ${limit} durably`,
				);
			},
			view({ node, view }) {
				const { base, commitIndex, lastIndex, durableIndex } = view;
				const indexes = () =>
					`${node}: base ${base.index}, applied ${at(node)}, asked for ${asked.get(node)}, committed ${commitIndex}, durable ${durableIndex}, last ${lastIndex}`;
				must(base.index <= at(node), name, indexes);
				must(at(node) <= commitIndex && (asked.get(node) ?? 0) <= commitIndex, name, indexes);
				must(commitIndex <= lastIndex, name, indexes);
				must(durableIndex <= lastIndex, name, indexes);
				const { index, term } = applied.get(node) ?? { index: 0, term: 0 };
				const own = view.termAt(index);
				must(
					own === null || own === term,
					name,
					() => `${node} applied ${index} of term ${term}, its log has it of term ${own}`,
				);
			},
		},
	};
}
