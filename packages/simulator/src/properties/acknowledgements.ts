/**
 * An acknowledgement tells the truth when it is sent: what it names is durable on its sender, and equal
 * to the log of the leader of that term as far as that leader has it.
 */
import type { NodeId, Position, Term } from "../../../skein/src/consensus/types.ts";
import { lastIndex, linkAt } from "./hash-chain.ts";
import type { MemberLogs } from "./member-logs.ts";
import { must, type Property } from "./property.ts";

const name = "acknowledgements";

export function acknowledgements(logs: MemberLogs): Property {
	const leading = new Map<NodeId, Term>();
	/** Where each core's log begins: also if a reset to there has found the disk full, or waits behind what did. */
	const bases = new Map<NodeId, Position>();
	return {
		name,
		on: {
			view({ node, view }) {
				bases.set(node, view.base);
				if (view.role === "leader") leading.set(node, view.term);
				else leading.delete(node);
			},
			ended({ node }) {
				leading.delete(node);
				bases.delete(node);
			},
			sent({ message }) {
				if (message.type !== "append-response" || !message.result.accepted) return;
				const { from, to, term } = message;
				const { matchIndex } = message.result;
				const { durable, applied, issued, pending } = logs.get(from);
				// What a snapshot brought is in the database before the log hears of it.
				const end = Math.max(lastIndex(durable), applied);
				must(end >= matchIndex, name, () => `${from} acknowledged ${matchIndex}, its disk ends at ${end}`);
				if (leading.get(to) !== term) return;
				const theirs = linkAt(logs.get(to).issued, matchIndex);
				// While the log is still to be reset to a snapshot, the database has the entry, and a restart believes
				// the database (node/recovery.ts); what the old log has there does not count any more (seed 1001752).
				const base = bases.get(from);
				const hash = base?.index === matchIndex ? logs.known(matchIndex, base.term) : undefined;
				const own =
					hash === undefined
						? linkAt(pending.some(({ type }) => type === "reset") ? issued : durable, matchIndex)
						: { hash };
				must(
					theirs === null || own === null || theirs.hash === own.hash,
					name,
					() => `${from} acknowledged ${matchIndex} to ${to}, and has another entry there or before`,
				);
			},
		},
	};
}
