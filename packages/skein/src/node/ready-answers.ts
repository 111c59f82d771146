/**
 * The answers of a batch that is in the log. Each is given once: as done when its time has come, or, when
 * leadership ends before, as what is known then.
 */
import type { Position } from "../consensus/types.ts";
import type { WriteOutcome } from "../database/database.ts";
import { leadershipLost } from "./write-errors.ts";
import type { QueuedWrite } from "./write-queue.ts";

export interface ReadyAnswer {
	/**
	 * It has a part in the batch's entries. Else, where each request has an entry of its own, it only tells what it
	 * found (a row that violates a constraint, an outcome stored for its key), which others may not have committed yet.
	 */
	readonly changes: boolean;
	readonly answer: (met: boolean) => void;
}

export function readyAnswers(
	batch: readonly QueuedWrite[],
	outcomes: readonly WriteOutcome[],
	{ positions, last }: { readonly positions: readonly Position[]; readonly last: Position },
	/** They heard already that it takes too long. */
	told: ReadonlySet<QueuedWrite>,
): ReadyAnswer[] {
	let next = 0;
	return batch.map((write, number) => {
		const outcome = outcomes[number];
		if (outcome === undefined) throw new Error("an outcome is missing");
		const position = (outcome.payload === null ? undefined : positions[next++]) ?? last;
		const changes = write.request.note === null || outcome.payload !== null;
		return {
			changes,
			answer(met) {
				if (told.has(write)) return;
				if (met)
					write.answer({ type: "done", outcome: outcome.outcome, position, replayed: outcome.replayed });
				// What changed nothing did not happen, and another leader can be asked.
				else write.answer(changes ? { type: "failed", error: leadershipLost() } : { type: "not-leader" });
			},
		};
	});
}
