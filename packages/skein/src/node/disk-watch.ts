/**
 * Watches what the writing connection does with its files. A disk that hangs there is no stall to the core where
 * nothing is to be written to the log: a leader would lead on, and nobody's write would ever be executed (found by
 * simulation).
 */
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";

/** So many times longer than a disk may take: a large transaction takes seconds on one that is well. */
export const stalledTransactions = 5;

/** A slow disk that is well writes so much. */
const writtenBytesPerSecond = 16 * 1024 * 1024;

/** How long it may take to write so much. */
export function writingMs(
	{ sizeBytes }: { readonly sizeBytes: number },
	{ diskStallMs }: { readonly diskStallMs: Milliseconds },
): Milliseconds {
	return Math.min(
		diskStallMs + (sizeBytes / writtenBytesPerSecond) * 1_000,
		stalledTransactions * diskStallMs,
	);
}

/** Until it is cancelled: whoever leads each time that `limitMs` have passed does so no more. */
export type DiskWatch = (what: string, limitMs: Milliseconds) => Deadline;

export interface DiskWatchOptions {
	readonly runner: () => CoreRunner;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly logger: Logger;
}

export function createDiskWatch({ runner, clock, deadlines, logger }: DiskWatchOptions): DiskWatch {
	return (what, limitMs) => {
		let deadline = arm();

		function arm(): Deadline {
			return deadlines.add(clock.now() + limitMs, expire);
		}

		function expire(): void {
			// Others may elect this member while it still hangs.
			deadline = arm();
			if (runner().state.role !== "leader") return;
			logger.warn(
				{ forMs: limitMs },
				`${what} does not end, the disk may hang: this node does not lead any more`,
			);
			runner().step({ type: "step-down" });
		}

		return { cancel: () => deadline.cancel() };
	};
}
