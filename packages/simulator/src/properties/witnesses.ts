/**
 * A witness votes and keeps no data: it never stands or leads, its log has no payloads, and nobody else's log is without them. And it
 * hears of an entry last: when it writes one, some member with data had it on disk (docs/decisions/witness.md, rule 1; that
 * all that are present had it is the core's own test, since nobody outside can tell who is present).
 */
import { isMember, isWitness } from "../../../skein/src/consensus/quorum.ts";
import type { Entry, NodeId } from "../../../skein/src/consensus/types.ts";
import { linkAt } from "./hash-chain.ts";
import type { MemberLogs } from "./member-logs.ts";
import { must, type Property } from "./property.ts";

const name = "witnesses hold nothing and lead nobody";

export function witnesses(logs: MemberLogs): Property {
	const witnessIds = new Set<NodeId>();
	const others = new Set<NodeId>();
	/** What somebody had on disk may be on a disk that is gone. */
	let isSomethingLost = false;
	/** Work that failed for want of room is asked for again, and the entry may have been cut meanwhile on all other disks (seed 56850769). */
	const heard = new Set<string>();

	function isOnADisk(index: number, term: number): boolean {
		for (const node of others) {
			const { durable } = logs.get(node);
			if (durable.base.index >= index || linkAt(durable, index)?.term === term) return true;
		}
		return false;
	}

	function look(node: NodeId, { index, term, kind }: Entry): void {
		const isData = kind === "command" || kind === "fragment";
		if (others.has(node)) must(kind !== "metadata", name, () => `${node} has no payload of ${index}`);
		if (!witnessIds.has(node)) return;
		must(!isData, name, () => `the witness ${node} has the payload of ${index}`);
		const entry = `${node} ${index} ${term}`;
		if (heard.has(entry)) return;
		heard.add(entry);
		must(
			isSomethingLost || isOnADisk(index, term),
			name,
			() => `the witness ${node} heard of ${index} of term ${term} before it was on any disk with data`,
		);
	}

	return {
		name,
		on: {
			"disk-lost"() {
				isSomethingLost = true;
			},
			"log-work"({ node, work }) {
				if (work.type === "append") for (const entry of work.entries) look(node, entry);
			},
			view({ node, view }) {
				if (!isMember(view.configuration, node)) return;
				if (!isWitness(view.configuration, node)) {
					others.add(node);
					return;
				}
				witnessIds.add(node);
				must(view.role === "follower", name, () => `the witness ${node} is a ${view.role}`);
			},
		},
	};
}
