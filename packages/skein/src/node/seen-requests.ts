/**
 * Which requests of other nodes have arrived before: a message may come twice, or late, and a write must
 * not run twice because of that. A node numbers its requests upwards, from a place of its own in each
 * life, and sends them in that order, so what is not above the highest of its life is not new. (A late one
 * that was overtaken through a new connection is dropped with the copies: its sender has given it up.)
 */
import type { NodeId } from "../consensus/types.ts";

/** Numbers of one life, but for one that asks more than this: it is taken for two. */
export const requestsOfLife = 2 ** 21;
/** Of each node: those that ended long ago send no copies any more. */
const maxLives = 16;

export interface SeenRequests {
	/** True once for each request, and never for one that came after it was sent later. */
	isNew(from: NodeId, requestId: number): boolean;
}

export function createSeenRequests(): SeenRequests {
	/** By node and life; of a node the life that was heard of last stands last. */
	const highest = new Map<NodeId, Map<number, number>>();

	return {
		isNew(from, requestId) {
			const lives = highest.get(from) ?? new Map<number, number>();
			highest.set(from, lives);
			const life = Math.floor(requestId / requestsOfLife);
			const before = lives.get(life);
			if (before !== undefined && requestId <= before) return false;
			lives.delete(life);
			lives.set(life, requestId);
			const [oldest] = lives.keys();
			if (lives.size > maxLives && oldest !== undefined) lives.delete(oldest);
			return true;
		},
	};
}
