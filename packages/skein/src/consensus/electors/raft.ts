/** Raft's elector (paper §5.2): whoever heard no leader for a random time stands. */
import type { MonotonicTime } from "../types.ts";
import type { Elector, Surroundings } from "./elector.ts";
import { createPatience } from "./patience.ts";

export function createRaftElector(around: Surroundings, now: MonotonicTime): Elector {
	const { electionTimeoutMs, random } = around;
	const patience = createPatience(electionTimeoutMs);

	/** Drawn anew each time over a whole timeout's width: two that collided rarely collide again. */
	function waitMs(): number {
		return electionTimeoutMs + Math.floor(random() * electionTimeoutMs);
	}

	const elector: Elector = {
		name: "raft",
		rest(since) {
			patience.wait(since, waitMs());
		},
		heardLeader: (since) => elector.rest(since),
		yieldToOthers(since) {
			patience.wait(since, waitMs() + 2 * electionTimeoutMs);
		},
		slept: (since) => patience.slept(since),
		dueAt: () => patience.until,
		tick: (time) => (time >= patience.until ? "stand" : "wait"),
		hear: () => "wait",
	};
	elector.rest(now);
	return elector;
}
