/** chain: committed, on disk at every member of the chain, and applied by the last one. A leader alone is its own tail. */
import type { LogIndex } from "../types.ts";
import { quorumIndex } from "./quorum.ts";
import type { Standing } from "./standing.ts";

export function chainIndex(standing: Standing): LogIndex {
	return Math.min(quorumIndex(standing), ...standing.matchInChain, standing.appliedAtTail);
}
