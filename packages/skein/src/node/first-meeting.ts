/**
 * An empty disk is a new member's, or one that was lost (reference bugs 14 and 45), and the member cannot tell which.
 * The others can: they know another incarnation of a name that they have met. So a member of the first configuration
 * that has never taken part waits until each of the others has let it in: one that lost its disk is refused by whoever
 * is left, and as long as that one is away it waits, however many have lost theirs with it. Without this a majority of
 * empty disks would found the cluster again, and answer for the old one.
 *
 * The price is that a new cluster begins, and a new member of it, when all have been there once (as Consul's
 * bootstrap_expect has it). Not who was removed since: those who have let this member in are asked who belongs to the
 * cluster now, and only who has taken part answers. At least one of the first members must be left that has.
 */
import type { GroupId, NodeId } from "../consensus/types.ts";
import type { RecoveredLog } from "../log/log.ts";
import { decodeMessage } from "../peer/codec/message.ts";
import { encodeFor } from "../peer/encode-for.ts";
import type { Clock, Milliseconds, Timer } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { Network, NetworkReceiver } from "../world/network.ts";
import type { ClusterView } from "./service.ts";

/** Whatever else a life of a node asks has another number: an answer to an earlier life may still come (found by simulation, seed 771300038). */
const ownRequestId = 0;
const askAgainMs: Milliseconds = 1_000;
/** After so many questions people are told again for whom this member waits. */
const asksPerLine = 5;

export interface FirstMeetingOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly recovered: Pick<RecoveredLog, "promise" | "base" | "headers">;
	/** Of the first configuration; none: this node joins a cluster, and is let in by its members without that. */
	readonly others: readonly NodeId[];
	readonly clock: Clock;
	readonly logger: Logger;
}

/** Nothing comes or goes, and nobody seems reachable, until all have met. */
export function afterFirstMeeting(network: Network, options: FirstMeetingOptions): Network {
	const { self, group, recovered, others, clock, logger } = options;
	if (hasTakenPart(recovered) || others.length === 0) return network;
	/** Who is not of the first configuration may be reachable too. */
	const reachable = new Set<NodeId>();
	const missing = new Set(others);
	let receiver: NetworkReceiver | null = null;
	let timer: Timer | null = null;
	let asks = 0;
	const isOpen = (): boolean => missing.size === 0;

	function meet(nodes: Iterable<NodeId>): void {
		for (const node of nodes) missing.delete(node);
		if (!isOpen()) return;
		timer?.cancel();
		logger.info({}, "all members have met");
		for (const node of reachable) receiver?.onReachable(node, true);
	}

	function ask(): void {
		if (asks++ % asksPerLine === 0) {
			const why = "a new cluster begins when all of its first members have been there once";
			logger.warn({ missing: [...missing] }, `waiting for ${[...missing].join(", ")}: ${why}`);
		}
		const envelope = { type: "call-request", group, from: self, requestId: ownRequestId } as const;
		for (const to of others) {
			if (missing.has(to)) continue;
			network.send(to, "log", encodeFor(network, "log", { ...envelope, to, operation: "cluster", body: "" }));
		}
		timer = clock.setTimer(askAgainMs, ask);
	}

	function onAnswer(from: NodeId, bytes: Uint8Array): void {
		const members = membersIn(bytes);
		if (!members.includes(self)) return;
		const removed = [...missing].filter((node) => !members.includes(node));
		if (removed.length === 0) return;
		logger.info({ removed, by: from }, "who was removed need not let this member in");
		meet(removed);
	}

	return {
		start: (given) => {
			receiver = given;
			logger.info({ others }, "an empty disk: this member takes part when all others have let it in");
			timer = clock.setTimer(askAgainMs, ask);
			return network.start({
				onMessage(from, lane, bytes) {
					if (isOpen()) given.onMessage(from, lane, bytes);
					else if (lane === "log" && others.includes(from) && !missing.has(from)) onAnswer(from, bytes);
				},
				onReachable(node, isReachable) {
					if (isOpen()) return given.onReachable(node, isReachable);
					if (!isReachable) return void reachable.delete(node);
					reachable.add(node);
					if (missing.has(node)) meet([node]);
				},
			});
		},
		send: (to, lane, bytes) => isOpen() && network.send(to, lane, bytes),
		queuedBytes: (to, lane) => network.queuedBytes(to, lane),
		reachable: (node) => isOpen() && network.reachable(node),
		meet: (nodes) => network.meet(nodes),
		wire: network.wire,
		wireVersion: (to, lane) => network.wireVersion(to, lane),
		stop() {
			timer?.cancel();
			return network.stop();
		},
	};
}

/** The log begins with the first configuration, in term 1, before anybody has promised anything. */
function hasTakenPart({ promise, base, headers }: FirstMeetingOptions["recovered"]): boolean {
	return promise.term > 1 || promise.votedFor !== null || base.index > 0 || headers.length > 1;
}

/** None: it is no answer to what was asked. */
function membersIn(bytes: Uint8Array): NodeId[] {
	const message = decodeMessage(bytes);
	if (message.type !== "call-response" || message.requestId !== ownRequestId) return [];
	if (!message.result.ok) return [];
	// The other node's own code made it, of the same version or one that knows its shape.
	const { databases } = JSON.parse(message.result.body) as ClusterView;
	return Object.keys(databases["default"]?.members ?? {});
}
