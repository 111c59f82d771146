/**
 * Clock: the only source of time. Two kinds that must not be mixed: monotonic time for waits and
 * leases (it never goes back and says nothing about the date), wall time for people and records.
 */

/** A span of time in milliseconds; may have a fraction. */
export type Milliseconds = number;
/** A point on this process's own monotonic clock, in milliseconds. Never compared across nodes. */
export type MonotonicTime = number;
/** Milliseconds since 1970, for people and for records only: it may jump. */
export type WallTime = number;

/**
 * The most that a clock is taken to be fast or slow, as a share of true time: quartz is off by 0.0001 at
 * worst, a clock that is being corrected by 0.0005. Who leans on spans of time allows for it.
 */
export const maxClockDrift = 0.01;

export interface Timer {
	cancel(): void;
}

export interface Clock {
	now(): MonotonicTime;
	wallTime(): WallTime;
	/** Calls `callback` once, not earlier than after `delayMs`. A pending timer keeps the process alive only if it must. */
	setTimer(delayMs: Milliseconds, callback: () => void): Timer;
}
