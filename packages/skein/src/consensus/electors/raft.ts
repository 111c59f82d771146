/** Raft's elector (paper §5.2): whoever heard no leader for a random time stands. */
import type { RandomSource } from "../random.ts";
import type { Milliseconds, MonotonicTime } from "../types.ts";
import type { Elector } from "./elector.ts";

export function createRaftElector(
	electionTimeoutMs: Milliseconds,
	random: RandomSource,
	now: MonotonicTime,
): Elector {
	let standAt = 0;
	/** Since the last rest: one that sleeps again and again must stand at last. */
	let hasSlept = false;

	const elector: Elector = {
		rest(since) {
			// Drawn anew each time over a whole timeout's width: two that collided rarely collide again.
			hasSlept = false;
			standAt = since + electionTimeoutMs + Math.floor(random() * electionTimeoutMs);
		},
		yieldToOthers(since) {
			elector.rest(since);
			standAt += 2 * electionTimeoutMs;
		},
		slept(since) {
			if (!hasSlept) standAt = Math.max(standAt, since + electionTimeoutMs / 2);
			hasSlept = true;
		},
		dueAt: () => standAt,
		tick: (time) => (time >= standAt ? "stand" : "wait"),
	};
	elector.rest(now);
	return elector;
}
