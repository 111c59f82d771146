/** A request to hand leadership over, on any node, also right after another transfer. */
import type { NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Forwarding } from "./forwarding.ts";
import { hasMoved, type LeaderRequests } from "./leader-requests.ts";
import type { Transfer, TransferDone } from "./transfer.ts";

export interface TransferRequest {
	/** Null: the voter that is most up to date. */
	readonly to: NodeId | null;
	/** Only says what would come of it. */
	readonly dryRun: boolean;
}

export interface TransferAnswer extends TransferDone {
	/** False: it leads already, or it would only lead. */
	readonly changed: boolean;
}

export interface TransferRequests {
	/** On any node. */
	request(request: TransferRequest): Promise<TransferAnswer>;
	/** On the leader. */
	carryOut(request: TransferRequest): Promise<TransferAnswer>;
}

export interface TransferRequestsOptions {
	readonly self: NodeId;
	readonly transfer: Transfer;
	readonly forwarding: Forwarding;
	readonly askLeader: LeaderRequests;
	readonly clock: Clock;
	readonly timeoutMs: Milliseconds;
}

export function createTransferRequests(options: TransferRequestsOptions): TransferRequests {
	const { self, clock, transfer } = options;

	async function carryOut({ to, dryRun }: TransferRequest): Promise<TransferAnswer> {
		if (dryRun) return { changed: false, leader: transfer.wouldTake(to), pausedMs: 0 };
		return { changed: to !== self, ...(await transfer.handOver(to)) };
	}

	return {
		carryOut,
		request(request) {
			const deadlineAt = clock.now() + options.timeoutMs * 2;
			return options.askLeader({
				async ask(leader) {
					if (leader === self) return await carryOut(request);
					const body = JSON.stringify(request);
					// The leader's own code made it.
					return JSON.parse(
						await options.forwarding.call(leader, "transfer", body, deadlineAt),
					) as TransferAnswer;
				},
				mayAskAgain: hasMoved,
				nobody: "there is no leader to take leadership from",
				deadlineAt,
			});
		},
	};
}
