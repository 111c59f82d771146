/** The pause of the write path before leadership is handed over: who waits for it, and for how long. */
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Deadlines } from "./deadlines.ts";
import { stillWriting } from "./write-errors.ts";

export interface PauseLimits {
	/** An interactive transaction that is open after this is rolled back. */
	readonly finishMs: Milliseconds;
	/** One long statement cannot be interrupted, and all other writes wait for the pause: after this it is given up. */
	readonly limitMs: Milliseconds;
}

export interface WritePause {
	readonly active: boolean;
	begin(): void;
	/** Resolves at `reached`, rejects after `limitMs`. `finish` is called after `finishMs`. */
	wait(limits: PauseLimits, finish: () => void): Promise<void>;
	/** Nothing is under way any more. */
	reached(): void;
	end(): void;
}

export function createWritePause(clock: Clock, deadlines: Deadlines): WritePause {
	let active = false;
	let waiting = new Set<() => void>();

	return {
		get active() {
			return active;
		},
		begin() {
			active = true;
		},
		wait({ finishMs, limitMs }, finish) {
			return new Promise((resolve, reject) => {
				const finishAt = deadlines.add(clock.now() + finishMs, finish);
				const limitAt = deadlines.add(clock.now() + limitMs, () => {
					waiting.delete(done);
					reject(stillWriting(limitMs));
				});
				function done(): void {
					finishAt.cancel();
					limitAt.cancel();
					resolve();
				}
				waiting.add(done);
			});
		},
		reached() {
			if (!active) return;
			const waiters = waiting;
			waiting = new Set();
			for (const done of waiters) done();
		},
		end() {
			active = false;
			waiting = new Set();
		},
	};
}
