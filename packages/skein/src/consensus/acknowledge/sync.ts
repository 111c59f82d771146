/**
 * sync: committed, and applied by the leader and by all who may be in-sync. Strict: by every other voter too, whether it
 * is in-sync or not.
 */
import type { LogIndex } from "../types.ts";
import { quorumIndex } from "./quorum.ts";
import type { Standing } from "./standing.ts";

export function syncIndex(standing: Standing, strict: boolean): LogIndex {
	const { appliedIndex, appliedInSync } = standing;
	const ofVoters = strict ? standing.appliedOfVoters : [];
	return Math.min(quorumIndex(standing), appliedIndex, ...appliedInSync, ...ofVoters);
}
