/**
 * Linearizable reads: which index must be applied before a read may be answered. All reads that
 * arrive while one question is under way share the next one: that question begins after each of
 * them arrived, which is what linearizability needs (reference bug 49: a round never serves a read
 * that came after it began).
 */

import { SkeinError } from "../../../client/src/errors.ts";
import type { LogIndex } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Freshness, Moment } from "./freshness.ts";
import { whyNobodyLeads } from "./why-nobody-leads.ts";

interface Waiting {
	readonly resolve: (index: LogIndex) => void;
	readonly reject: (error: SkeinError) => void;
	readonly deadline: Deadline;
}

export interface ReadIndex {
	/** Resolves with the index to wait for. Rejects with NO_LEADER or TIMEOUT. */
	ask(deadlineAt: MonotonicTime): Promise<LogIndex>;
	onReady(readId: number, index: LogIndex): void;
	stop(): void;
}

export interface ReadIndexOptions {
	readonly runner: () => CoreRunner;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	/** Every answered question is a proof. */
	readonly freshness: Pick<Freshness, "moment" | "answered">;
	/** What a read must see that begins now and needs no question, since this member leads for sure; null: ask. */
	readonly leasedIndex: () => LogIndex | null;
	readonly leaderWaitMs: Milliseconds;
	readonly maxQueued: number;
}

export function createReadIndex(options: ReadIndexOptions): ReadIndex {
	const { clock, deadlines } = options;
	let nextReadId = 1;
	let stopped = false;
	/** Share the question that is under way. */
	let asked: { readonly readId: number; readonly waiting: Set<Waiting>; readonly at: Moment } | null = null;
	/** Wait for the next question. */
	let gathering = new Set<Waiting>();

	function askNext(): void {
		if (asked !== null || gathering.size === 0) return;
		// The core may ask again, later: the first time is the one that is safe to count from.
		asked = { readId: nextReadId++, waiting: gathering, at: options.freshness.moment() };
		gathering = new Set();
		options.runner().step({ type: "read", readId: asked.readId });
	}

	function giveUp(waiting: Waiting): void {
		gathering.delete(waiting);
		if (asked?.waiting.delete(waiting) && asked.waiting.size === 0) {
			options.runner().step({ type: "cancel-read", readId: asked.readId });
			asked = null;
			askNext();
		}
		waiting.reject(noAnswer(options.runner()));
	}

	return {
		ask(deadlineAt) {
			if (stopped) return Promise.reject(stopping());
			const at = options.freshness.moment();
			const leased = options.leasedIndex();
			if (leased !== null) {
				options.freshness.answered(at, leased);
				return Promise.resolve(leased);
			}
			const queued = gathering.size + (asked?.waiting.size ?? 0);
			if (queued >= options.maxQueued) {
				return Promise.reject(
					new SkeinError("too many reads are waiting: try again later", { code: "OVERLOADED" }),
				);
			}
			return new Promise((resolve, reject) => {
				const at = Math.min(deadlineAt, clock.now() + options.leaderWaitMs);
				const waiting: Waiting = { resolve, reject, deadline: deadlines.add(at, () => giveUp(waiting)) };
				gathering.add(waiting);
				askNext();
			});
		},
		onReady(readId, index) {
			if (asked?.readId !== readId) return;
			const { waiting, at } = asked;
			asked = null;
			options.freshness.answered(at, index);
			askNext();
			for (const one of waiting) {
				one.deadline.cancel();
				one.resolve(index);
			}
		},
		stop() {
			stopped = true;
			const everyone = [...gathering, ...(asked?.waiting ?? [])];
			gathering.clear();
			asked = null;
			for (const one of everyone) {
				one.deadline.cancel();
				one.reject(stopping());
			}
		},
	};
}

function stopping(): SkeinError {
	return new SkeinError("this node is stopping", { code: "NO_LEADER" });
}

function noAnswer(runner: CoreRunner): SkeinError {
	if (runner.state.leader === null) {
		return new SkeinError(whyNobodyLeads(runner), { code: "NO_LEADER" });
	}
	return new SkeinError("the read was not confirmed by the leader in time", { code: "TIMEOUT" });
}
