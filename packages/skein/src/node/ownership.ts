/**
 * Which stream owns the writing connection: its transaction is open there, over several requests, and
 * every other write waits. It ends with its client's COMMIT or ROLLBACK, or by a limit of time, or
 * because leadership or the client is gone. Only remembered here; `leading.ts` does what it says.
 */
import type { Clock } from "../world/clock.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { StreamEnd } from "./ended-streams.ts";
import type { NodeSettings } from "./settings.ts";
import type { StreamKey } from "./write-queue.ts";

export interface Ownership {
	/** Null: nobody. */
	readonly stream: StreamKey | null;
	/** Why the transaction has to end without its client; null: it goes on. */
	readonly end: StreamEnd | null;
	/** A program of the stream left its transaction open. */
	keep(stream: StreamKey): void;
	/** It has to end. The first reason counts. Without an owner nothing happens. */
	mustEnd(why: StreamEnd): void;
	/** The transaction has ended. */
	forget(): void;
}

export interface OwnershipOptions {
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly settings: Pick<NodeSettings, "transactionIdleMs" | "transactionTotalMs">;
	/** A batch is under way. */
	readonly underWay: () => boolean;
	readonly wake: () => void;
}

interface Owner {
	readonly stream: StreamKey;
	readonly total: Deadline;
	idle: Deadline;
	end: StreamEnd | null;
}

export function createOwnership(options: OwnershipOptions): Ownership {
	const { clock, deadlines, settings } = options;
	let owner: Owner | null = null;

	function expire(stream: StreamKey, why: StreamEnd): void {
		if (owner === null || owner.stream !== stream) return;
		// A program of the transaction that runs right now is not idle; its own time limit holds.
		if (why === "idle" && options.underWay()) return;
		owner.end ??= why;
		options.wake();
	}

	return {
		get stream() {
			return owner?.stream ?? null;
		},
		get end() {
			return owner?.end ?? null;
		},
		keep(stream) {
			const idle = deadlines.add(clock.now() + settings.transactionIdleMs, () => expire(stream, "idle"));
			if (owner !== null) {
				if (owner.stream !== stream) throw new Error("two streams own the writer");
				owner.idle.cancel();
				owner.idle = idle;
				return;
			}
			const total = deadlines.add(clock.now() + settings.transactionTotalMs, () => expire(stream, "total"));
			owner = { stream, total, idle, end: null };
		},
		mustEnd(why) {
			if (owner !== null) owner.end ??= why;
		},
		forget() {
			owner?.idle.cancel();
			owner?.total.cancel();
			owner = null;
		},
	};
}
