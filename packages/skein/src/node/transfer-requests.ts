/**
 * A request to hand leadership over, on any node: it goes to whoever leads, and follows leadership when that has
 * just moved (one transfer right after another).
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import type { Transfer, TransferDone } from "./transfer.ts";

export interface TransferRequestsOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly transfer: Transfer;
	readonly forwarding: Forwarding;
	readonly leaderWatch: LeaderWatch;
	readonly clock: Clock;
	readonly timeoutMs: Milliseconds;
	/** Nothing is waited for any more. */
	readonly stopped: () => boolean;
}

export function createTransferRequests(
	options: TransferRequestsOptions,
): (to: NodeId | null) => Promise<TransferDone> {
	const { self, clock, leaderWatch } = options;

	async function ask(leader: NodeId, to: NodeId | null, deadlineAt: MonotonicTime): Promise<TransferDone> {
		if (leader === self) return await options.transfer.handOver(to);
		const body = await options.forwarding.call(leader, "transfer", JSON.stringify(to), deadlineAt);
		// The leader's own code made it.
		return JSON.parse(body) as TransferDone;
	}

	return async (to) => {
		const deadlineAt = clock.now() + options.timeoutMs * 2;
		for (;;) {
			if (options.stopped()) throw new SkeinError("this node is stopping", { code: "NO_LEADER" });
			const change = leaderWatch.change();
			const { leader } = options.runner().state;
			try {
				if (leader !== null) return await ask(leader, to, deadlineAt);
			} catch (error) {
				if (!hasMoved(error) || clock.now() >= deadlineAt) throw error;
			}
			if (clock.now() >= deadlineAt) throw nobodyLeads();
			await change.wait(deadlineAt);
		}
	};
}

/** Who was asked does not lead any more, and did nothing. */
function hasMoved(error: unknown): boolean {
	return error instanceof SkeinError && error.code === "NO_LEADER" && error.outcome === "did-not-happen";
}

function nobodyLeads(): SkeinError {
	return new SkeinError("there is no leader to take leadership from", { code: "NO_LEADER" });
}
