/**
 * How old this member's state can be at most. The one proof is an answered read index: every write that was
 * acknowledged before the question was asked is at or below the index that came back. Once that index is applied
 * here, the state is as fresh as the moment of asking, and every later state of this file is too.
 *
 * Nothing else proves anything. A heartbeat does not: that of a deposed leader looks the same, and so does one that
 * lay in a socket while this process stood still; neither says what others have acknowledged since. (And a heartbeat's
 * commit index is at most what its receiver is known to hold.)
 *
 * Nothing of this outlives the process: after a loss of power the file may be older than it was.
 */
import type { LogIndex } from "../consensus/types.ts";
import { type Clock, type Milliseconds, type MonotonicTime, maxClockDrift } from "../world/clock.ts";
import type { AppliedIndex } from "./applied-index.ts";

/** One moment on both clocks of this process. */
export interface Moment {
	readonly monotonic: MonotonicTime;
	readonly wall: Milliseconds;
}

export interface Freshness {
	/** Taken just before a question is asked. */
	moment(): Moment;
	/** The question of that moment was answered. */
	answered(asked: Moment, index: LogIndex): void;
	/** The latest moment that a state with all effects up to `reflected` is known to be as fresh as; null: unknown. */
	asOf(reflected: LogIndex): Moment | null;
	/**
	 * The most that has passed from `moment` until `agoMs` ago, however wrong this clock may be. Null: this process
	 * cannot tell. Its answer is of now: a process that is stopped after it has asked must ask again.
	 */
	age(moment: Moment, agoMs?: Milliseconds): Milliseconds | null;
}

/** Answers whose index is not applied yet; those that come on top prove nothing, which harms nobody. */
const maxProofs = 32;
/** Both clocks are corrected alike but for jumps of the date; one counts whole milliseconds. */
const clocksAgreeMs = 5;

interface Proof {
	readonly asked: Moment;
	readonly index: LogIndex;
}

export function createFreshness(options: {
	readonly clock: Clock;
	readonly applied: AppliedIndex;
}): Freshness {
	const { clock, applied } = options;
	/** The oldest first; of those whose index is applied only the newest is kept. */
	let proofs: Proof[] = [];

	function forgetOutdated(): void {
		const newest = proofs.findLastIndex(({ index }) => index <= applied.reflected);
		if (newest > 0) proofs = proofs.slice(newest);
	}

	return {
		moment: () => ({ monotonic: clock.now(), wall: clock.wallTime() }),
		answered(asked, index) {
			if (proofs.at(-1)?.index === index) proofs.pop();
			proofs.push({ asked, index });
			forgetOutdated();
			if (proofs.length > maxProofs) proofs.pop();
		},
		asOf: (reflected) => proofs.findLast(({ index }) => index <= reflected)?.asked ?? null,
		age(moment, agoMs = 0) {
			const monotonicMs = clock.now() - moment.monotonic;
			const wallMs = clock.wallTime() - moment.wall;
			// A machine that was suspended (a laptop, a virtual machine that is moved) has a monotonic clock that
			// stood still. Only the date shows it; and a date that was set may hide it.
			if (Math.abs(wallMs - monotonicMs) > clocksAgreeMs) return null;
			const passedMs = wallMs > monotonicMs ? wallMs + 1 : monotonicMs;
			return Math.max(0, passedMs - agoMs) / (1 - maxClockDrift);
		},
	};
}
