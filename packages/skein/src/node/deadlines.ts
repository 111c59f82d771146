/**
 * Deadlines of many requests at the price of one timer. All are looked at when the earliest may have come,
 * and then not again for a while: many that end soon share a look, and each ends at most
 * `sweepIntervalMs` late. Waiting requests are counted in thousands, not millions.
 */
import type { Clock, Milliseconds, MonotonicTime, Timer } from "../world/clock.ts";

const sweepIntervalMs: Milliseconds = 25;

/** No request waits for ever, whatever its deadline: a timer must not outlive by much what it was set for. */
const maxSleepMs: Milliseconds = 1_000;

export interface Deadline {
	cancel(): void;
}

interface Waiting extends Deadline {
	readonly at: MonotonicTime;
	readonly expire: () => void;
}

export interface Deadlines {
	add(at: MonotonicTime, expire: () => void): Deadline;
	/** Everything that still waits ends now: nobody would ever end it otherwise. */
	stop(): void;
}

export function createDeadlines(clock: Clock): Deadlines {
	const waiting = new Set<Waiting>();
	let timer: Timer | null = null;
	/** When the timer fires: too early, perhaps, if what it was set for was cancelled. */
	let sweepAt: MonotonicTime = Number.POSITIVE_INFINITY;
	let stopped = false;

	function sweep(): void {
		sweepAt = Number.POSITIVE_INFINITY;
		const now = clock.now();
		// Chosen before the first ends: what one of them adds for the same moment waits for the next sweep, or this
		// one would never end.
		const due: Waiting[] = [];
		for (const entry of waiting) if (entry.at <= now) due.push(entry);
		for (const entry of due) if (waiting.delete(entry)) entry.expire();
		if (waiting.size === 0) return;
		let earliest = Number.POSITIVE_INFINITY;
		for (const { at } of waiting) earliest = Math.min(earliest, at);
		sweepBy(earliest);
	}

	/** The next sweep is in time for a deadline at `at`. */
	function sweepBy(at: MonotonicTime): void {
		if (stopped || at >= sweepAt) return;
		const now = clock.now();
		const sleepMs = Math.min(Math.max(at - now, sweepIntervalMs), maxSleepMs);
		if (now + sleepMs >= sweepAt) return;
		timer?.cancel();
		sweepAt = now + sleepMs;
		timer = clock.setTimer(sleepMs, sweep);
	}

	return {
		add(at, expire) {
			const entry: Waiting = { at, expire, cancel: () => waiting.delete(entry) };
			if (stopped) return entry;
			waiting.add(entry);
			sweepBy(at);
			return entry;
		},
		stop() {
			stopped = true;
			timer?.cancel();
			for (const entry of waiting) if (waiting.delete(entry)) entry.expire();
		},
	};
}
