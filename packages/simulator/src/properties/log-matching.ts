/**
 * Log matching (Raft §5.3): entries of one index and term are the same in all logs, and so is all before
 * them: by the hash chain also what was compacted. Terms in a log never go back. Looked at when an
 * entry is appended. Where a log begins after a snapshot there must be an entry that somebody had.
 */
import type { NodeId, Position } from "../../../skein/src/consensus/types.ts";
import { linkAt } from "./hash-chain.ts";
import type { MemberLogs } from "./member-logs.ts";
import { must, type Property } from "./property.ts";

const name = "log matching";

export function logMatching(logs: MemberLogs): Property {
	function mustBeKnown(node: NodeId, { index, term }: Position): void {
		must(
			index === 0 || logs.known(index, term) !== undefined,
			name,
			() => `the log of ${node} begins after ${index} of term ${term}, which nobody had`,
		);
	}

	return {
		name,
		on: {
			started: ({ node, recovered }) => mustBeKnown(node, recovered.base),
			"log-work"({ node, work }) {
				if (work.type === "reset") mustBeKnown(node, work.base);
				if (work.type !== "append") return;
				const { issued } = logs.get(node);
				for (const { index, term } of work.entries) {
					const hash = linkAt(issued, index)?.hash;
					must(
						hash === logs.known(index, term),
						name,
						() =>
							`${node} has another entry ${index} of term ${term}, or another log before it, than the first who had it`,
					);
					const before = linkAt(issued, index - 1)?.term ?? 0;
					must(
						before <= term,
						name,
						() => `${node} has ${index} of term ${term} after one of term ${before}`,
					);
				}
			},
		},
	};
}
