/**
 * Everything that any member ever knew to be committed: for each index one entry, by its hash. Grows
 * only; who finds that it disagrees has found a broken promise (committed-stays.ts).
 */
import type { LogIndex, Term } from "../../../skein/src/consensus/types.ts";
import type { Link } from "./hash-chain.ts";

export interface Committed {
	/** The highest index. */
	readonly index: LogIndex;
	/** Null: not committed, or nobody who knew it had the entry any more. */
	at(index: LogIndex): Link | null;
	/** The term in which it was committed, or a later one: that of the first who knew. */
	termOf(index: LogIndex): Term;
	/** Somebody in `term` knows that all up to `index` is committed. */
	extend(index: LogIndex, term: Term, entryAt: (index: LogIndex) => Link | null): void;
}

export function createCommitted(): Committed {
	const links: (Link | null)[] = [];
	const terms: Term[] = [];
	const committed: Committed & { index: LogIndex } = {
		index: 0,
		at: (index) => links[index - 1] ?? null,
		termOf: (index) => terms[index - 1] ?? 0,
		extend(index, term, entryAt) {
			while (links.length < index) {
				links.push(entryAt(links.length + 1));
				terms.push(term);
				committed.index = links.length;
			}
		},
	};
	return committed;
}
