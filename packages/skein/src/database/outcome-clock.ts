/**
 * The time by which stored outcomes age. It is replicated with them, and it passes only while a leader measures
 * it, by a clock that is never set: no date that is wrong, and no leader that has another one, makes outcomes older.
 */
import type { Milliseconds } from "../world/clock.ts";

/** What the leader's monotonic clock shows, as a time of the replicated clock; it never goes back. */
export type OutcomeClock = (monotonicMs: Milliseconds) => Milliseconds;

/**
 * For one reign: what other leaders measure in between must not be counted twice. `lastMs` is asked once: what
 * the newest outcome says that is stored when the first one of this reign comes.
 */
export function createOutcomeClock(lastMs: () => Milliseconds): OutcomeClock {
	let began: { readonly monotonicMs: Milliseconds; readonly atMs: Milliseconds } | null = null;
	let passedMs = 0;
	return (monotonicMs) => {
		began ??= { monotonicMs, atMs: lastMs() };
		passedMs = Math.max(passedMs, Math.floor(monotonicMs - began.monotonicMs));
		return began.atMs + passedMs;
	};
}
