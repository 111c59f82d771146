/**
 * A log as a chain of hashes: each entry's hash covers the entry and the hash before it, so two logs
 * with the same hash at one index have everything before it in common, whatever was compacted away.
 * 53 bits: with a million entries two different ones collide once in ten thousand runs.
 */
import type { Entry, LogIndex, Position, Term } from "../../../skein/src/consensus/types.ts";

export interface Link {
	readonly term: Term;
	readonly hash: number;
}

export interface Chain {
	/** The place before the first link. */
	base: Position & { readonly hash: number };
	/** Of the entries after the base, without gaps. */
	links: Link[];
}

export function emptyChain(): Chain {
	return { base: { index: 0, term: 0, hash: 0 }, links: [] };
}

/** Null: before the base, or behind the end. */
export function linkAt(chain: Chain, index: LogIndex): Link | null {
	if (index === chain.base.index) return chain.base;
	return chain.links[index - chain.base.index - 1] ?? null;
}

export function lastIndex(chain: Chain): LogIndex {
	return chain.base.index + chain.links.length;
}

export function lastLink(chain: Chain): Link {
	return chain.links.at(-1) ?? chain.base;
}

/** Removes links from `index` on and returns them. */
export function cut(chain: Chain, index: LogIndex): Link[] {
	return chain.links.splice(Math.max(0, index - chain.base.index - 1));
}

/** Forgets links up to `index`, which becomes the base. */
export function compact(chain: Chain, index: LogIndex): void {
	if (index <= chain.base.index) return;
	const link = linkAt(chain, index);
	if (link === null) throw new RangeError(`${index} is behind the end of the log, ${lastIndex(chain)}`);
	chain.links.splice(0, index - chain.base.index);
	chain.base = { index, ...link };
}

export function linkOf(entry: Entry, before: number): Link {
	const { term, index, kind, payload } = entry;
	let high = (before / 2097152) | 0;
	let low = before | 0;
	for (const value of [term, index, kind.length, payload.length]) {
		high = Math.imul(high ^ value, 0x01000193);
		low = Math.imul((low << 5) | (low >>> 27), 0x2c1b3c6d) ^ value;
	}
	// Each entry of each member comes by here twice: no closure, no iterator.
	for (let place = 0; place < payload.length; place++) {
		const value = payload[place] ?? 0;
		high = Math.imul(high ^ value, 0x01000193);
		low = Math.imul((low << 5) | (low >>> 27), 0x2c1b3c6d) ^ value;
	}
	high = Math.imul(high ^ (high >>> 15), 0x297a2d39);
	low = Math.imul(low ^ (low >>> 13), 0x1b56c4e9);
	return { term, hash: (high >>> 0) * 2097152 + (low >>> 11) };
}
