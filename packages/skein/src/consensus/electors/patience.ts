/** When a wait is over: what all electors have in common. */
import type { Milliseconds, MonotonicTime } from "../types.ts";

export interface Patience {
	/** It waits until then. */
	readonly until: MonotonicTime;
	/** Anew, from now on. */
	wait(now: MonotonicTime, forMs: Milliseconds): void;
	/** As an elector's `slept`. */
	slept(now: MonotonicTime): void;
}

export function createPatience(electionTimeoutMs: Milliseconds): Patience {
	let until = 0;
	/** Since the wait began: one that sleeps again and again must end it at last. */
	let hasSlept = false;
	return {
		get until() {
			return until;
		},
		wait(now, forMs) {
			hasSlept = false;
			until = now + forMs;
		},
		slept(now) {
			if (!hasSlept) until = Math.max(until, now + electionTimeoutMs / 2);
			hasSlept = true;
		},
	};
}
