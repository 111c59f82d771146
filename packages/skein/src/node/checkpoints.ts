/** When the owner of the writing connection makes a checkpoint that was asked for (DESIGN.md, "Checkpoints"). */
import type { LogIndex } from "../consensus/types.ts";
import type { Database } from "../database/database.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import { type DiskWatch, writingMs } from "./disk-watch.ts";
import type { NodeSettings } from "./settings.ts";

/** For so long a checkpoint waits until nothing else is to be done … */
const patienceMs: Milliseconds = 1_000;
/** … if the file has not grown to so many times the size from which it is copied back. */
const urgentSizes = 4;

export interface Checkpoints {
	/** Resolves with the index that is durable. One at a time. */
	ask(): Promise<LogIndex>;
	/** For the owner, between two steps; it was idle if it found nothing to do. */
	between(wasIdle: boolean): Promise<void>;
	/** Nobody will come between two steps any more. */
	stop(error: Error): void;
}

export interface CheckpointsOptions {
	readonly database: Database;
	readonly clock: Clock;
	readonly settings: NodeSettings;
	readonly watch: DiskWatch;
	/** No transaction is open on the writing connection, and none waits for its commit. */
	readonly isFree: () => Promise<boolean>;
	/** Something was asked for. */
	readonly wake: () => void;
}

interface Asked {
	readonly at: MonotonicTime;
	readonly resolve: (index: LogIndex) => void;
	readonly reject: (error: unknown) => void;
}

export function createCheckpoints(options: CheckpointsOptions): Checkpoints {
	const { database, clock, settings, watch } = options;
	let asked: Asked | null = null;
	let stopped: Error | null = null;

	function isTime({ at }: Asked, wasIdle: boolean): boolean {
		if (wasIdle || clock.now() - at >= patienceMs) return true;
		return database.walBytes() >= urgentSizes * settings.checkpointBytes;
	}

	const limitMs = (): Milliseconds => writingMs({ sizeBytes: database.walBytes() }, settings.consensus);

	return {
		ask() {
			if (stopped !== null) return Promise.reject(stopped);
			if (asked !== null) return Promise.reject(new Error("a checkpoint was asked for already"));
			return new Promise((resolve, reject) => {
				asked = { at: clock.now(), resolve, reject };
				options.wake();
			});
		},
		async between(wasIdle) {
			const one = asked;
			if (one === null || !isTime(one, wasIdle) || !(await options.isFree())) return;
			asked = null;
			const patience = watch("a checkpoint", limitMs());
			try {
				one.resolve(await database.checkpoint());
			} catch (error) {
				one.reject(error);
			} finally {
				patience.cancel();
			}
		},
		stop(error) {
			stopped = error;
			asked?.reject(error);
			asked = null;
		},
	};
}
