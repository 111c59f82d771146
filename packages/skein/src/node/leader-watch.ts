/** For those who wait for another leader, or for the way to it: tells of any change, and gives up soon to look again. */
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Deadlines } from "./deadlines.ts";

const lookAgainMs: Milliseconds = 50;

export interface Change {
	/** Resolves when something changed since `change()`, or a little later, or at the deadline. */
	wait(deadlineAt: MonotonicTime): Promise<void>;
}

export interface LeaderWatch {
	/** Taken before looking at the state, so that no change between looking and waiting is missed. */
	change(): Change;
	changed(): void;
}

export function createLeaderWatch(clock: Clock, deadlines: Deadlines): LeaderWatch {
	let version = 0;
	let waiting = new Set<() => void>();

	return {
		change() {
			const seen = version;
			return {
				wait(deadlineAt) {
					if (seen !== version) return Promise.resolve();
					return new Promise((resolve) => {
						const done = (): void => {
							deadline.cancel();
							waiting.delete(done);
							resolve();
						};
						const deadline = deadlines.add(Math.min(deadlineAt, clock.now() + lookAgainMs), done);
						waiting.add(done);
					});
				},
			};
		},
		changed() {
			version++;
			const everyone = waiting;
			waiting = new Set();
			for (const done of everyone) done();
		},
	};
}
