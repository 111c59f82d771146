/**
 * Who leads a term was promised it by a majority, in each half of the configuration that it was elected by:
 * promises that were told, and its own on its disk. Learners, strangers and those who were removed never count; nor
 * does an empty disk under the name of one that was lost: it has forgotten what that one promised.
 */
import type { NodeId, Term } from "../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../skein/src/consensus/view.ts";
import type { MemberLogs } from "./member-logs.ts";
import { must, type Property } from "./property.ts";

const name = "elected by a majority";

export function elections(logs: MemberLogs): Property {
	/** By term and candidate. */
	const promised = new Map<string, Set<NodeId>>();
	const leads = new Map<NodeId, Term>();
	/** Their first disks are lost. */
	const replaced = new Set<NodeId>();

	function check(node: NodeId, view: CoreView): void {
		const { durablePromise } = logs.get(node);
		const isOwn = durablePromise.term === view.term && durablePromise.votedFor === node;
		const told = promised.get(`${view.term} ${node}`) ?? new Set();
		const isFor = (voter: NodeId): boolean =>
			voter === node ? isOwn && !replaced.has(node) : told.has(voter);
		const { voters, outgoingVoters } = view.configuration;
		must(voters.length > 0, name, () => `${node} leads term ${view.term} without any voters`);
		for (const half of [voters, outgoingVoters]) {
			if (half.length === 0) continue;
			const those = half.filter(isFor);
			must(
				2 * those.length > half.length,
				name,
				() => `${node} leads term ${view.term}: of ${half.join(", ")} it was promised by ${those.join(", ")}`,
			);
		}
	}

	return {
		name,
		on: {
			started: ({ node }) => leads.delete(node),
			"disk-lost": ({ node }) => replaced.add(node),
			sent({ message }) {
				if (message.type !== "vote-response" || !message.granted || replaced.has(message.from)) return;
				const key = `${message.term} ${message.to}`;
				promised.set(key, (promised.get(key) ?? new Set()).add(message.from));
			},
			view({ node, view }) {
				if (view.role !== "leader" || leads.get(node) === view.term) return;
				leads.set(node, view.term);
				check(node, view);
			},
		},
	};
}
