/** How far this member's database is, and who waits for it to get further. */
import type { LogIndex, Position } from "../consensus/types.ts";

export interface AppliedIndex {
	readonly position: Position;
	/** All effects up to here are in the database: the position, and pieces behind it. */
	readonly reflected: LogIndex;
	advance(position: Position): void;
	/**
	 * The entries from the position to `index` are committed and change nothing: pieces of a transaction whose
	 * end is not committed yet. Without this word a read would wait for the end of a large transaction
	 * that began before it.
	 */
	reflects(index: LogIndex): void;
	/**
	 * The entries from the position to this one are committed and are configurations, which a leader's database is told
	 * of as soon as its writer is free.
	 */
	passes(position: Position): void;
	/** What a file shows that holds everything up to `held`: configurations behind it included. */
	shownBy(held: Position): Position;
	/** Somebody waits for more than there is. */
	awaited(): boolean;
	/** Called whenever somebody begins to wait. */
	onWait: () => void;
	/** Called whenever the position advanced. */
	onAdvance: (index: LogIndex) => void;
	/**
	 * Calls back once all effects up to `index` are applied (at once if they are). The returned function ends the wait.
	 * `overtaken`: instead of that, when another leader leads: what its predecessor had acknowledged up to here may be
	 * lost, and its log need not reach as far.
	 */
	whenReached(index: LogIndex, reached: () => void, overtaken?: () => void): () => void;
	/** Another leader leads. */
	leaderChanged(): void;
}

/** Nothing but configurations is behind `from`, up to `to`. */
interface Passed {
	readonly from: LogIndex;
	readonly to: Position;
}

const mostPassed = 8;

interface Waiting {
	readonly index: LogIndex;
	readonly reached: () => void;
	readonly overtaken: (() => void) | undefined;
}

export function createAppliedIndex(start: Position): AppliedIndex {
	const waiting = new Set<Waiting>();
	/** Oldest first. A read may have begun on the state before one, and end after it. */
	let passed: readonly Passed[] = [];

	const applied: AppliedIndex & { position: Position; reflected: LogIndex } = {
		position: start,
		reflected: start.index,
		awaited: () => waiting.size > 0,
		onWait: () => {},
		onAdvance: () => {},
		advance(next) {
			if (next.index < applied.position.index) {
				throw new Error(`applied index went back: ${applied.position.index} to ${next.index}`);
			}
			applied.position = next;
			applied.reflects(next.index);
			applied.onAdvance(next.index);
		},
		reflects(index) {
			if (index <= applied.reflected) return;
			applied.reflected = index;
			for (const entry of waiting) {
				if (entry.index > index) continue;
				waiting.delete(entry);
				entry.reached();
			}
		},
		leaderChanged() {
			for (const entry of waiting) {
				if (entry.overtaken === undefined) continue;
				waiting.delete(entry);
				entry.overtaken();
			}
		},
		passes(position) {
			if (position.index > (passed.at(-1)?.to.index ?? 0)) {
				passed = [...passed, { from: applied.position.index, to: position }].slice(-mostPassed);
			}
			applied.reflects(position.index);
		},
		shownBy: (held) =>
			passed.findLast(({ from, to }) => held.index >= from && held.index < to.index)?.to ?? held,
		whenReached(index, reached, overtaken) {
			if (index <= applied.reflected) {
				reached();
				return () => {};
			}
			const entry: Waiting = { index, reached, overtaken };
			waiting.add(entry);
			applied.onWait();
			return () => waiting.delete(entry);
		},
	};
	return applied;
}
