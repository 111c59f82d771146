/**
 * One leader a term: at most one member in one of its lives ever leads a term (Raft §5.2), by what
 * members say of themselves, and by what they send: only a leader sends appends, heartbeats and the
 * word to stand.
 */
import type { NodeId, Term } from "../../../skein/src/consensus/types.ts";
import { must, type Property } from "./property.ts";

const name = "one leader a term";

export function oneLeader(): Property {
	const leaders = new Map<Term, { readonly node: NodeId; readonly life: number }>();
	const lives = new Map<NodeId, number>();

	function leads(node: NodeId, term: Term, how: string): void {
		const leader = leaders.get(term);
		const life = lives.get(node) ?? 0;
		if (leader === undefined) {
			leaders.set(term, { node, life });
			return;
		}
		must(
			leader.node === node && leader.life === life,
			name,
			() =>
				`${node} in its life ${life} ${how} term ${term}, which ${leader.node} led in its life ${leader.life}`,
		);
	}

	return {
		name,
		on: {
			started: ({ node }) => lives.set(node, (lives.get(node) ?? 0) + 1),
			view({ node, view }) {
				if (view.role === "leader") leads(node, view.term, "leads");
			},
			sent({ message }) {
				const { type, from, term } = message;
				if (type === "heartbeat-request" || type === "timeout-now") leads(from, term, `sent a ${type} for`);
			},
			"append-sent": ({ node, term }) => leads(node, term, "sent an append for"),
		},
	};
}
