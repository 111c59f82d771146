/** semi-sync: the leader and `followers` other voters have it on disk. More of them than a majority needs come after the commit. */
import type { LogIndex } from "../types.ts";
import type { Standing } from "./standing.ts";

export function semiSyncIndex({ durableIndex, matchOfOthers }: Standing, followers: number): LogIndex {
	// While voters change, those who are to elect the next leader are either the old ones or the new ones: both must have it.
	return Math.min(durableIndex, ...matchOfOthers.map((matches) => reachedBy(matches, followers)));
}

function reachedBy(matches: readonly LogIndex[], followers: number): LogIndex {
	const furthestFirst = [...matches].sort((a, b) => b - a);
	// More than there are: never reached.
	return furthestFirst[followers - 1] ?? 0;
}
