/**
 * Deadlines of many requests at the price of one timer: all are looked at a few times a second, so
 * each ends at most `sweepIntervalMs` late. Waiting requests are counted in thousands, not millions.
 */
import type { Clock, Milliseconds, MonotonicTime, Timer } from "../world/clock.ts";

const sweepIntervalMs: Milliseconds = 25;

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
	let stopped = false;

	function sweep(): void {
		timer = null;
		const now = clock.now();
		for (const entry of waiting) {
			if (entry.at <= now && waiting.delete(entry)) entry.expire();
		}
		arm();
	}

	function arm(): void {
		if (timer === null && waiting.size > 0 && !stopped) timer = clock.setTimer(sweepIntervalMs, sweep);
	}

	return {
		add(at, expire) {
			const entry: Waiting = { at, expire, cancel: () => waiting.delete(entry) };
			if (stopped) return entry;
			waiting.add(entry);
			arm();
			return entry;
		},
		stop() {
			stopped = true;
			timer?.cancel();
			for (const entry of waiting) if (waiting.delete(entry)) entry.expire();
		},
	};
}
