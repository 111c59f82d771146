/**
 * Only an operator decides (the input `stand`). Leadership that is handed over, by a transfer, moves as ever; if the
 * leader dies nobody leads before somebody says who is to.
 */
import type { MonotonicTime } from "../types.ts";
import type { Elector, Surroundings } from "./elector.ts";
import { createPatience } from "./patience.ts";

export function createManualElector(around: Surroundings, now: MonotonicTime): Elector {
	const { electionTimeoutMs } = around;
	const patience = createPatience(electionTimeoutMs);
	const elector: Elector = {
		name: "manual",
		rest(since) {
			patience.wait(since, 2 * electionTimeoutMs);
		},
		heardLeader: (since) => elector.rest(since),
		yieldToOthers: (since) => elector.rest(since),
		slept: (since) => patience.slept(since),
		dueAt: () => patience.until,
		tick: (time) => (time >= patience.until ? "forget-leader" : "wait"),
		hear: () => "wait",
	};
	elector.rest(now);
	return elector;
}
