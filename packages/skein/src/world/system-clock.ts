/** The machine's own clock. */
import type { Clock } from "./clock.ts";

/** The longest delay that setTimeout keeps; a longer one would fire at once. */
const maxDelayMs = 2 ** 31 - 1;

export function createSystemClock(): Clock {
	return {
		now: () => performance.now(),
		wallTime: () => Date.now(),
		setTimer(delayMs, callback) {
			if (!(delayMs <= maxDelayMs)) throw new RangeError(`a timer of ${delayMs} ms`);
			// setTimeout counts whole milliseconds and may fire a fraction early: "not earlier" needs the ceiling.
			const timer = setTimeout(callback, Math.ceil(Math.max(0, delayMs)));
			return { cancel: () => clearTimeout(timer) };
		},
	};
}
