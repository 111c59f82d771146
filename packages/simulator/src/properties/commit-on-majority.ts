/**
 * Committed means durable on a majority: whenever an index is known to be committed for the first time,
 * by anybody, the durable logs are counted again, in the most naive way, in each half of the
 * configuration. And a leader counts only entries of its own term (Raft §5.4.2): where its commit index
 * comes to stand there is one.
 *
 * What a member has applied, from a snapshot or the log, it holds. A disk that was lost after it had
 * answered still counts with what it had; an empty one that has its name now never does.
 */
import type { LogIndex, NodeId, Term } from "../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../skein/src/consensus/view.ts";
import type { Committed } from "./committed.ts";
import { linkAt } from "./hash-chain.ts";
import type { MemberLog, MemberLogs } from "./member-logs.ts";
import { must, type Property } from "./property.ts";

const name = "commit on a durable majority";

export function commitOnMajority(logs: MemberLogs, committed: Committed): Property {
	const leading = new Map<NodeId, { readonly term: Term; readonly commitIndex: LogIndex }>();
	/** What the disks had that were lost: the first ones of their members. */
	const lost = new Map<NodeId, MemberLog>();
	const current = new Map<NodeId, MemberLog>();

	function holds(node: NodeId, index: LogIndex, hash: number): boolean {
		const { durable, applied } = lost.get(node) ?? logs.get(node);
		if (index <= applied || index < durable.base.index) return true;
		return linkAt(durable, index)?.hash === hash;
	}

	function recount(node: NodeId, view: CoreView): void {
		const index = view.commitIndex;
		const entry = logs.held(node, view, index);
		must(entry !== null, name, () => `${node} knows ${index} as committed and does not have it`);
		const { voters, outgoingVoters } = view.configuration;
		for (const half of [voters, outgoingVoters]) {
			if (half.length === 0) continue;
			const holders = half.filter((voter) => holds(voter, index, entry.hash));
			must(
				holders.length * 2 > half.length,
				name,
				() =>
					`${node} knows ${index} as committed: of ${half.join(", ")} it is on the disks of ${holders.join(", ") || "nobody"}`,
			);
		}
	}

	return {
		name,
		on: {
			"disk-lost"({ node }) {
				const had = current.get(node);
				if (had !== undefined && !lost.has(node)) lost.set(node, had);
			},
			started({ node }) {
				leading.delete(node);
				// `logs` forgets it before this hears that it is gone.
				if (!lost.has(node)) current.set(node, logs.get(node));
			},
			view({ node, view }) {
				const { role, term, commitIndex } = view;
				if (commitIndex > committed.index && commitIndex > logs.get(node).issued.base.index)
					recount(node, view);
				if (role !== "leader") {
					leading.delete(node);
					return;
				}
				const before = leading.get(node);
				if (before?.term === term && commitIndex === before.commitIndex) return;
				leading.set(node, { term, commitIndex });
				if (before?.term !== term) return;
				// Applied before the core knew it as committed: a snapshot that was asked for earlier, of what others committed.
				if (commitIndex <= logs.get(node).applied) return;
				const found = view.termAt(commitIndex);
				must(
					found === null || found === term,
					name,
					() => `${node} leads term ${term} and committed ${commitIndex} of term ${found} by counting`,
				);
			},
		},
	};
}
