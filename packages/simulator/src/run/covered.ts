/**
 * What a cluster with witnesses survives, beside what every cluster does: a disk with data may be lost only while another one
 * has all that it has, and all that a witness knows of (docs/decisions/witness.md: with f + 1 members with data present). Who
 * goes on with a damaged disk may commit with witnesses alone what is then lost with it: not covered either.
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Cluster } from "../cluster/cluster.ts";

export interface CoverOptions {
	readonly cluster: Cluster;
	/** All sets of voters that may count. */
	readonly voters: () => readonly (readonly NodeId[])[];
	readonly spent: () => ReadonlySet<NodeId>;
}

/** `isGone`: from now on, for good. `among`: who is there to cover it. */
export function isCovered(
	{ cluster, voters, spent }: CoverOptions,
	node: NodeId,
	isGone: boolean,
	among: (node: NodeId) => boolean = () => true,
): boolean {
	const { members } = cluster;
	if (cluster.member(node).isWitness || !members.some(({ isWitness }) => isWitness)) return true;
	if (!isGone) return false;
	const sound = members.filter(({ id, hasLostDisk }) => !hasLostDisk && !spent().has(id));
	const halves = voters();
	return sound.some(({ id, isWitness }) => {
		if (id === node || isWitness || !among(id) || !halves.every((half) => half.includes(id))) return false;
		const own = cluster.logEnd(id);
		if (own === null || own.durableIndex < own.lastIndex) return false;
		return members.every((other) => {
			const end = cluster.logEnd(other.id);
			if (end === null) return true;
			return end.lastTerm < own.lastTerm || (end.lastTerm === own.lastTerm && end.lastIndex <= own.lastIndex);
		});
	});
}
