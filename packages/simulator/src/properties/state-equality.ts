/** The same applied index means the same content, by its digest: on all members, in all lives, also after a snapshot. */
import type { LogIndex, NodeId } from "../../../skein/src/consensus/types.ts";
import { must, type Property } from "./property.ts";

const name = "equal applied index, equal state";

export function stateEquality(): Property {
	const digests = new Map<LogIndex, { readonly digest: string; readonly node: NodeId }>();
	return {
		name,
		on: {
			applied({ node, position, digest }) {
				if (digest === null) return;
				const first = digests.get(position.index);
				if (first === undefined) {
					digests.set(position.index, { digest, node });
					return;
				}
				must(
					first.digest === digest,
					name,
					() => `at ${position.index} ${node} has ${digest}, ${first.node} had ${first.digest}`,
				);
			},
		},
	};
}
