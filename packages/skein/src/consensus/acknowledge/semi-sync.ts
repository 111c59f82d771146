/** semi-sync: the leader and `followers` other voters have it on disk. More of them than a majority needs come after the commit. */
import type { LogIndex } from "../types.ts";
import type { Standing } from "./standing.ts";

export function semiSyncIndex({ durableIndex, matchOfOthers }: Standing, followers: number): LogIndex {
	const furthestFirst = [...matchOfOthers].sort((a, b) => b - a);
	// More than there are: never reached.
	return Math.min(durableIndex, furthestFirst[followers - 1] ?? 0);
}
