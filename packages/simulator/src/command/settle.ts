// How the world waits on Node until all promises have settled that can.
import type { Settle } from "../engine/scheduler.ts";

/** Then the event loop turns, and signals are heard. */
const settlesPerTurn = 1_024;

/**
 * Node carries out a tick only when the queue of promise callbacks is empty, those included which the
 * callbacks add: exact, and a third of what a turn of the event loop costs. That holds for a tick that was
 * asked for by such a callback, as the scheduler is one; who calls from elsewhere waits for one first.
 * Nothing of the world may wait for the platform, nor use ticks itself.
 *
 * Who is in a tick already can have Node empty the queue in the middle of it: this saves the tick, and a promise to ask for
 * it. Node has that from its first days, and does not document it; without it all is the same and a little slower, but
 * that a rejection which nobody handles by the end of the same event is heard at once, and not at the next turn. What must not be: a tick
 * of Node that throws inside of an event, which would end the process without a word of the seed.
 */
export function createSettle(
	emptyQueue: (() => void) | null = (process as { readonly _tickCallback?: () => void })._tickCallback ??
		null,
): Settle {
	let settles = 0;
	const isTurn = (): boolean => ++settles % settlesPerTurn === 0;
	const wait = (resolve: () => void): void => {
		if (isTurn()) setImmediate(resolve);
		else process.nextTick(resolve);
	};
	const settled = Promise.resolve();
	let onSettled: () => void = () => {};
	const waitForIt = (): void => wait(onSettled);
	const whenSettled = (then: () => void): void => {
		onSettled = then;
		// A tick that is asked for outside of a promise callback would come before all of these.
		void settled.then(waitForIt);
	};
	const settle = Object.assign(() => new Promise<void>(wait), { whenSettled });
	if (emptyQueue === null) return settle;
	const settleNow = (): boolean => {
		if (settles % settlesPerTurn === settlesPerTurn - 1) return false;
		settles++;
		emptyQueue();
		return true;
	};
	return Object.assign(settle, { settleNow });
}
