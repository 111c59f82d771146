// As what a node joins: of its options, where it starts and where it is added.
import type { JoinKind } from "../server/join.ts";
import { UsageError } from "./usage-error.ts";

export function joinKind({ learner, witness }: { learner: boolean; witness: boolean }): JoinKind {
	if (learner && witness) {
		throw new UsageError(
			"--learner and --witness exclude each other: one has data and no vote, the other a vote and no data",
		);
	}
	if (witness) return "witness";
	return learner ? "learner" : "joining";
}
