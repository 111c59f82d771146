/**
 * A promise is never taken back, over all lives of a member: its term never goes back, and in one term
 * it is given to one candidate. And it is durable before it is answered: a vote that is told, a vote
 * that is asked for (it begins with one's own), an acknowledgement in a term.
 *
 * An empty disk under the name of one that was lost has forgotten its promises: it is another voter, and keeps its own.
 * Nobody is elected by its votes (elections.ts).
 *
 * After a crash the promise on disk is the last that was durable, or a later one that was issued.
 */
import type { NodeId, VotePromise } from "../../../skein/src/consensus/types.ts";
import type { MemberLogs } from "./member-logs.ts";
import type { Observed } from "./observation.ts";
import { must, type Property } from "./property.ts";

const name = "promises";

export function promises(logs: MemberLogs): Property {
	/** By member and term: whom it told, over all of its lives, that it has its vote. */
	const told = new Map<string, NodeId>();
	const issued = new Map<NodeId, VotePromise>();
	/** Disks that were lost before, by member. */
	const replaced = new Map<NodeId, number>();
	const disk = (node: NodeId): string => `${node} ${replaced.get(node) ?? 0}`;

	function keep(node: NodeId, before: VotePromise, after: VotePromise): void {
		const isKept =
			after.term > before.term ||
			(after.term === before.term && (before.votedFor === null || before.votedFor === after.votedFor));
		must(isKept, name, () => `${node} took back ${text(before)} for ${text(after)}`);
	}

	function tell(node: NodeId, candidate: NodeId, term: number): void {
		const { durablePromise } = logs.get(node);
		const isDurable = durablePromise.term === term && durablePromise.votedFor === candidate;
		must(isDurable, name, () => {
			return `${node} told its vote for ${candidate} in term ${term}, its disk has ${text(durablePromise)}`;
		});
		const key = `${disk(node)} ${term}`;
		const other = told.get(key);
		if (other === undefined) told.set(key, candidate);
		else must(other === candidate, name, () => `${node} voted for ${other} and ${candidate} in term ${term}`);
	}

	function onSent({ message }: Observed<"sent">): void {
		const { type, from, to, term } = message;
		if (type === "vote-request") tell(from, from, term);
		else if (type === "vote-response" && message.granted) tell(from, to, term);
		else if (type === "append-response" && message.result.accepted) {
			const { durablePromise, durable } = logs.get(from);
			const own = Math.max(durablePromise.term, durable.base.term);
			must(own >= term, name, () => `${from} acknowledged in term ${term}, its disk is in ${own}`);
		}
	}

	return {
		name,
		on: {
			"log-work"({ node, work }) {
				if (work.type !== "promise") return;
				keep(node, issued.get(node) ?? logs.get(node).durablePromise, work.promise);
				issued.set(node, work.promise);
			},
			// What follows is asked for again, from the oldest that is not on disk.
			"log-refused": ({ node }) => issued.set(node, logs.get(node).durablePromise),
			started({ node, recovered }) {
				const { promise, maybe } = logs.get(node).before;
				keep(node, promise, recovered.promise);
				const possible = [
					promise,
					...maybe.flatMap((work) => (work.type === "promise" ? [work.promise] : [])),
				];
				must(
					promise.term === 0 || possible.some((one) => text(one) === text(recovered.promise)),
					name,
					() => `${node} came back with ${text(recovered.promise)}, which it never made`,
				);
				issued.set(node, recovered.promise);
			},
			"disk-lost"({ node }) {
				replaced.set(node, (replaced.get(node) ?? 0) + 1);
				issued.delete(node);
			},
			sent: onSent,
		},
	};
}

function text({ term, votedFor }: VotePromise): string {
	return `the promise of term ${term} to ${votedFor ?? "nobody"}`;
}
