/**
 * Members change one step at a time: a leader appends a configuration only behind one that it knows to be
 * committed, after it has committed in its own term; and nobody comes back who was removed.
 */
import type { Configuration, LogIndex, NodeId, Term } from "../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../skein/src/consensus/view.ts";
import { must, type Property } from "./property.ts";

const name = "one change at a time";

interface Reign {
	readonly term: Term;
	readonly index: LogIndex;
	readonly configuration: Configuration;
	readonly established: boolean;
}

export function changes(): Property {
	const reigns = new Map<NodeId, Reign>();

	function check(node: NodeId, before: Reign, view: CoreView): void {
		const { configurationIndex, commitIndex, configuration } = view;
		must(
			before.index <= commitIndex,
			name,
			() =>
				`${node} appended the configuration of ${configurationIndex} behind that of ${before.index}; ${commitIndex} is committed`,
		);
		must(
			view.established || before.established,
			name,
			() => `${node} appended the configuration of ${configurationIndex} before its barrier was committed`,
		);
		const again = configuration.members.find(({ id }) => before.configuration.retired.includes(id));
		must(again === undefined, name, () => `${node} takes ${again?.id} back, which was removed`);
	}

	return {
		name,
		on: {
			started: ({ node }) => reigns.delete(node),
			view({ node, view }) {
				if (view.role !== "leader") {
					reigns.delete(node);
					return;
				}
				const { term, configurationIndex: index, configuration, established } = view;
				const before = reigns.get(node);
				if (before?.term === term && before.index !== index) check(node, before, view);
				reigns.set(node, { term, index, configuration, established });
			},
		},
	};
}
