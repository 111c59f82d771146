/** Network and clock as one life of a process sees them: through its door (life.ts), as it does the disk. */
import type { Clock } from "../../../skein/src/world/clock.ts";
import type { Network } from "../../../skein/src/world/network.ts";
import type { Life } from "./life.ts";

export function gatedNetwork(network: Network, life: Life): Network {
	return {
		start: (receiver) =>
			life.completion(
				network.start({
					onMessage: (from, lane, bytes) => life.enter(() => receiver.onMessage(from, lane, bytes)),
					onReachable: (node, reachable) => life.enter(() => receiver.onReachable(node, reachable)),
				}),
			),
		send: (to, lane, bytes) => life.act() && network.send(to, lane, bytes),
		queuedBytes: (to, lane) => network.queuedBytes(to, lane),
		reachable: (node) => network.reachable(node),
		wire: network.wire,
		wireVersion: (to, lane) => network.wireVersion(to, lane),
		meet: (nodes) => network.meet(nodes),
		stop: () => (life.act() ? life.completion(network.stop()) : never()),
	};
}

export function gatedClock(clock: Clock, life: Life): Clock {
	return {
		now: () => clock.now(),
		wallTime: () => clock.wallTime(),
		setTimer: (delayMs, callback) => clock.setTimer(delayMs, () => life.enter(callback)),
	};
}

function never<T>(): Promise<T> {
	return new Promise(() => {});
}
