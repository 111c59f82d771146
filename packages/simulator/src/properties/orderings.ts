/**
 * The indexes of a member stand in order: compacted ≤ snapshot ≤ applied ≤ committed ≤ last, and durable
 * ≤ last. A snapshot may hold what its database has just applied and its member has not heard of yet (seed 530300131). Applied ≤ committed holds while no mode applies early; compacted ≤ applied is what makes a
 * restart possible, so it is looked at when the log is told to drop entries.
 */
import type { LogIndex, NodeId, Position } from "../../../skein/src/consensus/types.ts";
import { must, type Property } from "./property.ts";

const name = "orderings";

export function orderings(): Property {
	const applied = new Map<NodeId, Position>();
	const at = (node: NodeId): LogIndex => applied.get(node)?.index ?? 0;

	return {
		name,
		on: {
			started({ node, applied: position, recovered }) {
				applied.set(node, position);
				must(
					recovered.base.index <= position.index,
					name,
					() =>
						`${node} came back with applied ${position.index} and a log that begins after ${recovered.base.index}`,
				);
			},
			applied: ({ node, position }) => applied.set(node, position),
			snapshot({ node, position, asked }) {
				must(
					position.index <= Math.max(at(node), asked),
					name,
					() => `${node} made a snapshot of ${position.index} with applied ${at(node)}, asked for ${asked}`,
				);
			},
			"log-compacted"({ node, index }) {
				must(
					index <= at(node),
					name,
					() => `${node} dropped its log up to ${index} with applied ${at(node)}`,
				);
			},
			view({ node, view }) {
				const { base, commitIndex, lastIndex, durableIndex } = view;
				const indexes = () =>
					`${node}: base ${base.index}, applied ${at(node)}, committed ${commitIndex}, durable ${durableIndex}, last ${lastIndex}`;
				must(base.index <= at(node), name, indexes);
				must(at(node) <= commitIndex, name, indexes);
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
