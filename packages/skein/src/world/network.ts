/**
 * Network: whole messages (bytes) between the nodes of one cluster. Any message may be lost, late,
 * doubled or, across lanes, overtaken by a later one; within one lane of one connection order holds.
 * Messages that arrive are whole and from a member of this cluster that proved who it is.
 */
import type { Member, NodeId } from "../consensus/types.ts";

/**
 * Lanes share no queue, so a long message in one never delays another lane:
 * control: heartbeats, votes, acknowledgements: small, urgent. log: entries, forwarded requests and
 * their answers. bulk: snapshot chunks.
 */
export type Lane = "control" | "log" | "bulk";
export const lanes: readonly Lane[] = ["control", "log", "bulk"];

export interface NetworkReceiver {
	onMessage(from: NodeId, lane: Lane, bytes: Uint8Array): void;
	/** The connection to a node was made (true) or lost (false). A lost one may have swallowed what was sent last. */
	onReachable(node: NodeId, reachable: boolean): void;
}

/** The versions of messages that a node understands. */
export interface WireVersions {
	readonly oldest: number;
	readonly newest: number;
}

export interface Network {
	/** Of this node. */
	readonly wire: WireVersions;
	/**
	 * The version in which messages for a node go on this lane now. Not connected: the oldest that this node knows, since
	 * whoever comes understands that.
	 */
	wireVersion(to: NodeId, lane: Lane): number;
	/** Starts listening and connecting. Called once. */
	start(receiver: NetworkReceiver): Promise<void>;
	/**
	 * Queues a message. False: it was dropped, since the node is not connected or the lane's queue is
	 * full. The receiver of bytes must not change them afterwards.
	 */
	send(to: NodeId, lane: Lane, bytes: Uint8Array): boolean;
	/** Bytes queued for a node on a lane and not yet handed to the operating system. */
	queuedBytes(to: NodeId, lane: Lane): number;
	reachable(node: NodeId): boolean;
	/**
	 * These are the nodes of the cluster now, at these addresses. Who is none of them any more is still spoken to for a
	 * while, so that it can hear that.
	 */
	meet(nodes: readonly Member[]): void;
	stop(): Promise<void>;
}
