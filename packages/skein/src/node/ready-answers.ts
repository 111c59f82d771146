/**
 * The answers of a batch that is in the log, or has nothing to put there. Each is given once: as done when its time has come, or, when
 * leadership ends before, as what is known then.
 */
import type { SkeinError } from "../../../client/src/errors.ts";
import type { Position } from "../consensus/types.ts";
import type { WriteOutcome } from "../database/database.ts";
import { sizeOfResults } from "../database/result-size.ts";
import { leadershipLost, notWaitedFor } from "./write-errors.ts";
import type { QueuedWrite, WriteAnswer } from "./write-queue.ts";

/** What waits has a weight without any result, too. */
const overheadBytes = 512;

export interface ReadyAnswer {
	/**
	 * It has a part in the batch's entries. Else, where each request has an entry of its own, it only tells what it
	 * found (a row that violates a constraint, an outcome stored for its key), which others may not have committed yet.
	 */
	readonly changes: boolean;
	readonly answer: (met: boolean) => void;
	/** Nobody waits for it any more: it was told, or its time is over. */
	isGone(): boolean;
	/** What its result weighs. */
	sizeBytes(): number;
	/** It waits from now on; `letGo` is called when nobody waits for it any more. */
	held(letGo: () => void): void;
	/** It cannot wait: there is no room to hold it, or it is gone. */
	giveUp(error: SkeinError): void;
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
		return readyAnswer(
			write,
			changes,
			{ outcome: outcome.outcome, position, replayed: outcome.replayed },
			told,
		);
	});
}

/** Of a batch that changed nothing, and tells of what is in the log up to `position`. */
export function unchangedAnswers(
	batch: readonly QueuedWrite[],
	outcomes: readonly WriteOutcome[],
	position: Position,
): ReadyAnswer[] {
	return batch.map((write, number) => {
		const outcome = outcomes[number];
		if (outcome === undefined) throw new Error("an outcome is missing");
		return readyAnswer(
			write,
			false,
			{ outcome: outcome.outcome, position, replayed: outcome.replayed },
			new Set(),
		);
	});
}

/** By itself: while it waits it holds its own result, and not those of the whole batch. */
function readyAnswer(
	write: QueuedWrite,
	changes: boolean,
	result: Omit<Extract<WriteAnswer, { type: "done" }>, "type">,
	told: ReadonlySet<QueuedWrite>,
): ReadyAnswer {
	return {
		changes,
		isGone: () => told.has(write) || write.cancelled,
		sizeBytes: () => overheadBytes + sizeOfResults(result.outcome),
		held(letGo) {
			write.onCancelled = () => {
				write.onCancelled = undefined;
				letGo();
				write.answer({ type: "failed", error: notWaitedFor() });
			};
		},
		giveUp(error) {
			if (!told.has(write)) write.answer({ type: "failed", error });
		},
		answer(met) {
			write.onCancelled = undefined;
			if (told.has(write)) return;
			if (met) write.answer({ type: "done", ...result });
			// What changed nothing did not happen, and another leader can be asked.
			else write.answer(changes ? { type: "failed", error: leadershipLost() } : { type: "not-leader" });
		},
	};
}
