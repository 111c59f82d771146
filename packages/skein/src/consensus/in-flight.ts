/** Where the stream to a member stands. */
import type { Progress } from "./progress.ts";
import type { CoreState } from "./state.ts";
import type { Position } from "./types.ts";

export function inFlightBytes(state: CoreState, progress: Progress): number {
	if (progress.mode !== "replicating") return 0;
	return state.log.sizeBetween(progress.matchIndex, progress.nextIndex - 1);
}

/** The place before the next entry; null: compacted away. */
export function previousOf(state: CoreState, progress: Progress): Position | null {
	const index = progress.nextIndex - 1;
	const term = state.log.termAt(index);
	return term === null ? null : { term, index };
}
