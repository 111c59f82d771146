/** A clock that moves only when it is told: timers in their order, and all promises settled in between. */
import type { Clock, Milliseconds } from "../../world/clock.ts";

export interface VirtualClock extends Clock {
	/** Moves on by `spanMs`, timer by timer. */
	run(spanMs: Milliseconds): Promise<void>;
	/** The process does not run for `spanMs`: timers that were due come late, with the next `run`. */
	sleep(spanMs: Milliseconds): void;
}

interface Pending {
	readonly at: number;
	readonly number: number;
	readonly callback: () => void;
}

export function createVirtualClock(): VirtualClock {
	const pending = new Set<Pending>();
	let now = 1_000;
	let number = 0;

	function next(): Pending | null {
		let first: Pending | null = null;
		for (const one of pending) {
			if (first === null || one.at < first.at || (one.at === first.at && one.number < first.number))
				first = one;
		}
		return first;
	}

	return {
		now: () => now,
		wallTime: () => now,
		setTimer(delayMs, callback) {
			const one = { at: now + Math.max(0, delayMs), number: number++, callback };
			pending.add(one);
			return { cancel: () => pending.delete(one) };
		},
		sleep(spanMs) {
			now += spanMs;
		},
		async run(spanMs) {
			const until = now + spanMs;
			await settle();
			for (let one = next(); one !== null && one.at <= until; one = next()) {
				pending.delete(one);
				now = Math.max(now, one.at);
				one.callback();
				await settle();
			}
			now = until;
		},
	};
}

/** Nothing in such a world waits for anything but promises and timers of its clock. */
function settle(): Promise<void> {
	return new Promise((resolve) => {
		setImmediate(resolve);
	});
}
