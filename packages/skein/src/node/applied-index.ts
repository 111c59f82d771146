/** How far this member's database is, and who waits for it to get further. */
import type { LogIndex, Position } from "../consensus/types.ts";

export interface AppliedIndex {
	readonly position: Position;
	advance(position: Position): void;
	/** Somebody waits for more than there is. */
	readonly awaited: boolean;
	/** Called whenever somebody begins to wait. */
	onWait: () => void;
	/** Calls back once `index` is applied (at once if it is). The returned function ends the wait. */
	whenReached(index: LogIndex, reached: () => void): () => void;
}

interface Waiting {
	readonly index: LogIndex;
	readonly reached: () => void;
}

export function createAppliedIndex(start: Position): AppliedIndex {
	let position = start;
	const waiting = new Set<Waiting>();

	const applied: AppliedIndex = {
		get position() {
			return position;
		},
		get awaited() {
			return waiting.size > 0;
		},
		onWait: () => {},
		advance(next) {
			if (next.index < position.index) {
				throw new Error(`applied index went back: ${position.index} to ${next.index}`);
			}
			position = next;
			for (const entry of waiting) {
				if (entry.index > next.index) continue;
				waiting.delete(entry);
				entry.reached();
			}
		},
		whenReached(index, reached) {
			if (index <= position.index) {
				reached();
				return () => {};
			}
			const entry: Waiting = { index, reached };
			waiting.add(entry);
			applied.onWait();
			return () => waiting.delete(entry);
		},
	};
	return applied;
}
