/**
 * Committed means durable on a majority: whenever an index is known to be committed for the first time,
 * by anybody, the durable logs are counted again, in the most naive way, in each half of the
 * configuration. A leader counted by the last configuration that it had before the event in which it knew: what it
 * appended in that event came after. Who heard of it, of a leader that nobody saw know it, may have an older or a newer
 * configuration: there must be a majority in one that somebody had. And a leader counts only entries of its own term (Raft §5.4.2): where its commit index
 * comes to stand there is one.
 *
 * Logs only: what is in databases and in snapshots was committed before, so it is never what is counted. A disk
 * that was lost after it had answered still counts with what it had; an empty one that has its name now never does,
 * in neither half.
 */
import type { Configuration, LogIndex, NodeId, Term } from "../../../skein/src/consensus/types.ts";
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
	/** By which members decide. */
	const configurations = new Map<NodeId, Configuration>();
	const everSeen = new Map<string, Configuration>();

	function holds(node: NodeId, index: LogIndex, hash: number): boolean {
		return linkAt((lost.get(node) ?? logs.get(node)).durable, index)?.hash === hash;
	}

	function recount(node: NodeId, view: CoreView): void {
		const index = view.commitIndex;
		const entry = logs.held(node, view, index);
		must(entry !== null, name, () => `${node} knows ${index} as committed and does not have it`);
		const holders = (half: readonly NodeId[]): NodeId[] =>
			half.filter((voter) => holds(voter, index, entry.hash));
		const isCounted = ({ voters, outgoingVoters }: Configuration): boolean =>
			[voters, outgoingVoters].every((half) => half.length === 0 || 2 * holders(half).length > half.length);
		const isLeader = view.role === "leader" && leading.get(node)?.term === view.term;
		const own = (isLeader ? configurations.get(node) : undefined) ?? view.configuration;
		must(
			isCounted(own) || (!isLeader && [...everSeen.values()].some(isCounted)),
			name,
			() =>
				`${node} knows ${index} as committed: of ${[...own.voters, "and", ...own.outgoingVoters].join(" ")} it is on the disks of ${holders(own.voters).join(", ")} and ${holders(own.outgoingVoters).join(", ")}`,
		);
	}

	/** The configuration of a view is what decides from now on. */
	function remember(node: NodeId, { configuration }: CoreView): void {
		if (configurations.get(node) === configuration) return;
		configurations.set(node, configuration);
		everSeen.set(JSON.stringify(configuration), configuration);
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
				configurations.delete(node);
				// `logs` forgets it before this hears that it is gone.
				if (!lost.has(node)) current.set(node, logs.get(node));
			},
			view({ node, view }) {
				const { role, term, commitIndex } = view;
				if (commitIndex > committed.index) recount(node, view);
				remember(node, view);
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
