/** A request to hand leadership over, on any node, also right after another transfer. */
import type { NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Forwarding } from "./forwarding.ts";
import { hasMoved, type LeaderRequests } from "./leader-requests.ts";
import type { Transfer, TransferDone } from "./transfer.ts";

export interface TransferRequestsOptions {
	readonly self: NodeId;
	readonly transfer: Transfer;
	readonly forwarding: Forwarding;
	readonly askLeader: LeaderRequests;
	readonly clock: Clock;
	readonly timeoutMs: Milliseconds;
}

export function createTransferRequests(
	options: TransferRequestsOptions,
): (to: NodeId | null) => Promise<TransferDone> {
	const { self, clock } = options;

	return (to) => {
		const deadlineAt = clock.now() + options.timeoutMs * 2;
		return options.askLeader({
			async ask(leader) {
				if (leader === self) return await options.transfer.handOver(to);
				const body = await options.forwarding.call(leader, "transfer", JSON.stringify(to), deadlineAt);
				// The leader's own code made it.
				return JSON.parse(body) as TransferDone;
			},
			mayAskAgain: hasMoved,
			nobody: "there is no leader to take leadership from",
			deadlineAt,
		});
	};
}
