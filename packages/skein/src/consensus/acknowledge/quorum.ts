/** quorum: committed. The leader may learn that of others before its own disk has it, and answers only then. */
import type { LogIndex } from "../types.ts";
import type { Standing } from "./standing.ts";

export function quorumIndex({ durableIndex, commitIndex }: Standing): LogIndex {
	return Math.min(durableIndex, commitIndex);
}
