/**
 * Nodes of one process connected with each other: delay, cuts, and messages lost, held or damaged on
 * request; order holds within a lane only.
 */
import type { NodeId } from "../../consensus/types.ts";
import { wireVersions } from "../../peer/codec/wire-version.ts";
import type { Clock } from "../../world/clock.ts";
import type { Lane, Network, NetworkReceiver } from "../../world/network.ts";

export interface Sent {
	readonly from: NodeId;
	readonly to: NodeId;
	readonly lane: Lane;
	readonly bytes: Uint8Array;
}

export interface MemoryNetwork {
	connect(node: NodeId): Network;
	/** Cuts a node off, or lets it back. */
	cut(node: NodeId, isCut: boolean): void;
	/** The queue of a lane has no room: what is sent is dropped, and the sender knows it. */
	isFull: (sent: Sent) => boolean;
	/** Sees every message as it arrives. What it returns arrives in its place; null: nothing does. */
	intercept: (sent: Sent) => Uint8Array | null;
	/** Lets a message arrive now: one that was held, or once more. */
	deliver(sent: Sent): void;
}

export function createMemoryNetwork(clock: Clock, random: () => number): MemoryNetwork {
	const receivers = new Map<NodeId, NetworkReceiver>();
	const cuts = new Set<NodeId>();
	/** Grows when a connection breaks: what was on its way is lost. */
	let life = 0;
	const lastArrival = new Map<string, number>();
	/** When a lane last had no room: then something is queued on it. */
	const lastRefusal = new Map<string, number>();

	const reachable = (from: NodeId, to: NodeId): boolean =>
		receivers.has(from) && receivers.has(to) && !cuts.has(from) && !cuts.has(to);

	function tell(node: NodeId, isReachable: boolean): void {
		for (const other of receivers.keys()) {
			if (other === node || cuts.has(other)) continue;
			receivers.get(other)?.onReachable(node, isReachable);
			receivers.get(node)?.onReachable(other, isReachable);
		}
	}

	function leave(node: NodeId): void {
		if (!receivers.has(node)) return;
		life++;
		if (!cuts.has(node)) tell(node, false);
		receivers.delete(node);
	}

	function send(from: NodeId, to: NodeId, lane: Lane, bytes: Uint8Array): boolean {
		if (!reachable(from, to)) return false;
		const key = `${from}/${to}/${lane}`;
		if (memory.isFull({ from, to, lane, bytes })) {
			lastRefusal.set(key, clock.now());
			return false;
		}
		const at = Math.max(clock.now() + 0.2 + random() * 2, lastArrival.get(key) ?? 0);
		lastArrival.set(key, at);
		const sentIn = life;
		clock.setTimer(at - clock.now(), () => {
			if (sentIn !== life || !reachable(from, to)) return;
			const arrived = memory.intercept({ from, to, lane, bytes });
			if (arrived !== null) receivers.get(to)?.onMessage(from, lane, arrived);
		});
		return true;
	}

	const memory: MemoryNetwork = {
		isFull: () => false,
		intercept: (sent) => sent.bytes,
		deliver: ({ from, to, lane, bytes }) => receivers.get(to)?.onMessage(from, lane, bytes),
		connect: (node) => ({
			async start(receiver) {
				receivers.set(node, receiver);
				if (!cuts.has(node)) tell(node, true);
			},
			send: (to, lane, bytes) => send(node, to, lane, bytes),
			queuedBytes: (to, lane) => (lastRefusal.get(`${node}/${to}/${lane}`) === clock.now() ? 1 : 0),
			reachable: (other) => reachable(node, other),
			meet() {},
			wire: wireVersions,
			wireVersion: () => wireVersions.newest,
			async stop() {
				leave(node);
			},
		}),
		cut(node, isCut) {
			if (cuts.has(node) === isCut) return;
			if (isCut) {
				life++;
				tell(node, false);
				cuts.add(node);
			} else {
				cuts.delete(node);
				tell(node, true);
			}
		},
	};
	return memory;
}
