/**
 * An empty disk is a new member's, or one that was lost (reference bugs 14 and 45), and the member cannot tell which.
 * The others can: they know another incarnation of a name that they have met. So a member of the first configuration
 * that has never taken part waits until each of the others has let it in: one that lost its disk is refused by whoever
 * is left, and as long as that one is away it waits, however many have lost theirs with it. Without this a majority of
 * empty disks would found the cluster again, and answer for the old one.
 *
 * The price is that a new cluster begins, and a new member of it, when all have been there once (as Consul's
 * bootstrap_expect has it).
 */
import type { NodeId } from "../consensus/types.ts";
import type { RecoveredLog } from "../log/log.ts";
import type { Logger } from "../world/logger.ts";
import type { Network } from "../world/network.ts";

export interface FirstMeetingOptions {
	readonly recovered: Pick<RecoveredLog, "promise" | "base" | "headers">;
	/** Of the first configuration. */
	readonly others: readonly NodeId[];
	readonly logger: Logger;
}

/** Nothing comes or goes, and nobody seems reachable, until all have met. */
export function afterFirstMeeting(network: Network, options: FirstMeetingOptions): Network {
	const { recovered, others, logger } = options;
	if (hasTakenPart(recovered) || others.length === 0) return network;
	const missing = new Set(others);
	const isOpen = (): boolean => missing.size === 0;
	return {
		start: (receiver) => {
			logger.info({ others }, "an empty disk: this member takes part when all others have let it in");
			return network.start({
				onMessage(from, lane, bytes) {
					if (isOpen()) receiver.onMessage(from, lane, bytes);
				},
				onReachable(node, reachable) {
					if (isOpen()) return receiver.onReachable(node, reachable);
					if (!reachable || !missing.delete(node) || !isOpen()) return;
					logger.info({}, "all members have met");
					for (const other of others) if (network.reachable(other)) receiver.onReachable(other, true);
				},
			});
		},
		send: (to, lane, bytes) => isOpen() && network.send(to, lane, bytes),
		queuedBytes: (to, lane) => network.queuedBytes(to, lane),
		reachable: (node) => isOpen() && network.reachable(node),
		meet: (nodes) => network.meet(nodes),
		stop: () => network.stop(),
	};
}

/** The log begins with the first configuration, in term 1, before anybody has promised anything. */
function hasTakenPart({ promise, base, headers }: FirstMeetingOptions["recovered"]): boolean {
	return promise.term > 1 || promise.votedFor !== null || base.index > 0 || headers.length > 1;
}
