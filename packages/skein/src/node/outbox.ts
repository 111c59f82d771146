/**
 * Messages that somebody waits for (answers to other nodes' requests, the end of a stream): where the lane has no
 * room they wait for it, in order. Without this, the second of two large answers would be dropped without a word,
 * and its client would wait until its time limit.
 */
import type { NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime, Timer } from "../world/clock.ts";
import type { Network } from "../world/network.ts";

const tryAgainMs: Milliseconds = 10;
/** A lane that takes nothing for so long is torn down by its own watch; nobody waits for these messages then. */
const patienceMs: Milliseconds = 30_000;
/** Small ones are no more than there are requests, which are counted. */
const smallBytes = 4_096;

export interface Outbox {
	/** False: too much waits already, and this is not small. */
	send(to: NodeId, bytes: Uint8Array): boolean;
	/** Something waits for this node: what is sent past the outbox would overtake it. */
	waitsFor(to: NodeId): boolean;
	/** The connection is lost, and with it who waited. */
	onUnreachable(node: NodeId): void;
	stop(): void;
}

export interface OutboxOptions {
	readonly network: Network;
	readonly clock: Clock;
	/** Of all that wait. */
	readonly maxBytes: number;
}

interface Waiting {
	readonly bytes: Uint8Array;
	readonly until: MonotonicTime;
}

export function createOutbox({ network, clock, maxBytes }: OutboxOptions): Outbox {
	const queues = new Map<NodeId, Waiting[]>();
	let waitingBytes = 0;
	let timer: Timer | null = null;

	function flush(): void {
		timer = null;
		for (const [to, queue] of queues) flushTo(to, queue);
		arm();
	}

	function flushTo(to: NodeId, queue: Waiting[]): void {
		let done = 0;
		for (const { bytes, until } of queue) {
			if (clock.now() < until && !network.send(to, "log", bytes)) break;
			waitingBytes -= bytes.length;
			done++;
		}
		queue.splice(0, done);
		if (queue.length === 0) queues.delete(to);
	}

	function arm(): void {
		if (timer === null && queues.size > 0) timer = clock.setTimer(tryAgainMs, flush);
	}

	function forget(node: NodeId): void {
		for (const { bytes } of queues.get(node) ?? []) waitingBytes -= bytes.length;
		queues.delete(node);
	}

	return {
		send(to, bytes) {
			const queue = queues.get(to);
			if (queue === undefined && network.send(to, "log", bytes)) return true;
			if (!network.reachable(to)) return true;
			if (bytes.length > smallBytes && waitingBytes + bytes.length > maxBytes) return false;
			const waiting = { bytes, until: clock.now() + patienceMs };
			if (queue === undefined) queues.set(to, [waiting]);
			else queue.push(waiting);
			waitingBytes += bytes.length;
			arm();
			return true;
		},
		waitsFor: (to) => queues.has(to),
		onUnreachable: forget,
		stop() {
			timer?.cancel();
			queues.clear();
		},
	};
}
