/**
 * The order in which entries pass through the followers, as their leader keeps it for itself: nobody else knows or need agree,
 * since each message carries its own route. Plain data and what changes it; who may stand in it is decided in relaying.ts.
 */
import type { Milliseconds, MonotonicTime, NodeId } from "./types.ts";

interface BrokenLink {
	readonly until: MonotonicTime;
	readonly forMs: Milliseconds;
}

export interface Chain {
	/** The followers that get entries along the chain, the tail last. All of them were sent the same. */
	order: NodeId[];
	/** Until then entries travel along it. */
	usedUntil: MonotonicTime;
	/** Until then nobody is lent a read lease: a write came that does not want to wait for it. */
	lendsFrom: MonotonicTime;
	/** Links that lost something, as "from to". At most as many as there are pairs of members. */
	readonly broken: Map<string, BrokenLink>;
}

const firstBreakMs: Milliseconds = 1_000;
const longestBreakMs: Milliseconds = 60_000;

export function createChain(): Chain {
	return {
		order: [],
		usedUntil: Number.NEGATIVE_INFINITY,
		lendsFrom: Number.NEGATIVE_INFINITY,
		broken: new Map(),
	};
}

/** At the end if it can be, and else as near to it as broken links allow. False: nowhere. */
export function join(chain: Chain, leader: NodeId, node: NodeId, now: MonotonicTime): boolean {
	const { order } = chain;
	const isWhole = (from: NodeId, to: NodeId | undefined): boolean =>
		to === undefined || now >= (chain.broken.get(`${from} ${to}`)?.until ?? now);
	for (let place = order.length; place >= 0; place--) {
		const before = order[place - 1];
		if (before !== undefined && !isWhole(before, node)) continue;
		if (before === undefined && !isWhole(leader, node)) continue;
		if (!isWhole(node, order[place])) continue;
		chain.order = order.toSpliced(place, 0, node);
		return true;
	}
	return false;
}

export function leave(chain: Chain, node: NodeId): void {
	if (chain.order.includes(node)) chain.order = chain.order.filter((one) => one !== node);
}

/** Who passes on to `node`; null: the leader itself, or `node` is not in the order. */
export function predecessorOf({ order }: Chain, node: NodeId): NodeId | null {
	return order[order.indexOf(node) - 1] ?? null;
}

/** What was sent over it did not come. It is not used for a while, each time for longer. */
export function breakLink(chain: Chain, from: NodeId, to: NodeId, now: MonotonicTime): void {
	const link = `${from} ${to}`;
	const before = chain.broken.get(link);
	// It was whole for long: this is another story.
	const isOld = before === undefined || now > before.until + longestBreakMs;
	const forMs = isOld ? firstBreakMs : Math.min(2 * before.forMs, longestBreakMs);
	chain.broken.set(link, { until: now + forMs, forMs });
}
