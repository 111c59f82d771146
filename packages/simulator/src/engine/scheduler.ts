/**
 * The time of a simulated world: what happens next, one event after the other. Events of the same
 * moment happen in the order in which they were scheduled, so a run depends on its seed alone.
 *
 * Production code waits with promises. After each event the world stands still until all of them
 * have settled that can: `settle` says when (it is the only thing here that a platform must give).
 */
import type { Milliseconds } from "../../../skein/src/world/clock.ts";

/** The true time of the world, which no node knows: milliseconds since it began. */
export type WorldTime = number;

export interface ScheduledEvent {
	cancel(): void;
}

/**
 * What an event gives back that has only looked at the world: it set nothing off, so there is nothing to settle, and
 * nobody need look what it changed. There are many of these.
 */
export const onlyLooked = "only looked";

export interface Scheduler {
	readonly now: WorldTime;
	/** Not before now. The callback gives `onlyLooked` back, or what counts for nothing. */
	at(time: WorldTime, callback: () => unknown): ScheduledEvent;
	after(delayMs: Milliseconds, callback: () => unknown): ScheduledEvent;
	/** Carries out all events up to `time`, which it then is. `afterEach` is called when an event and what it set off have settled. */
	runUntil(time: WorldTime, afterEach?: () => void): Promise<void>;
	/** Events carried out so far. */
	readonly events: number;
}

/** Resolves when no promise of the world can settle any more without a new event. Called from a promise callback only. */
export interface Settle {
	(): Promise<void>;
	/** The same from anywhere and without a promise, if the platform has it: it happens after each event. */
	readonly whenSettled?: (settled: () => void) => void;
	/** Settles them while the caller waits, who is no promise callback. False: it cannot just now, `whenSettled` must. */
	readonly settleNow?: () => boolean;
}

/**
 * So many events within a second are no work: something sets itself off again and again without waiting, or members answer
 * each other's answers (seed 4 of 8ee2f44: 80,000 a second). A busy cluster has 20,000 in its worst moment.
 */
const maxEventsPerSecond = 50_000;

/** There are events without end. */
export class Livelock extends Error {
	override name = "Livelock";
}

/** A class, since a function of its own for each event would cost as much as the rest of it. */
class Pending implements ScheduledEvent {
	readonly at: WorldTime;
	readonly number: number;
	callback: (() => unknown) | null;

	constructor(at: WorldTime, number: number, callback: () => unknown) {
		this.at = at;
		this.number = number;
		this.callback = callback;
	}

	cancel(): void {
		this.callback = null;
	}
}

export function createScheduler(settle: Settle): Scheduler {
	/** A heap: each element is not later than the two below it. Cancelled events stay until they come up. */
	const heap: Pending[] = [];
	let numbers = 0;
	let running = false;
	/** Events are counted from this moment on, until a second has passed. */
	let countedFrom = 0;
	let counted = 0;

	function count(at: WorldTime): void {
		if (at >= countedFrom + 1_000) {
			countedFrom = at;
			counted = 0;
		}
		if (++counted <= maxEventsPerSecond) return;
		throw new Livelock(
			`more than ${maxEventsPerSecond} events within a second, at ${at.toFixed(3)}: something sets itself off again without waiting`,
		);
	}

	function push(event: Pending): void {
		let place = heap.length;
		heap.push(event);
		while (place > 0) {
			const parentPlace = (place - 1) >> 1;
			const parent = heap[parentPlace];
			if (parent === undefined || isBefore(parent, event)) break;
			heap[place] = parent;
			place = parentPlace;
		}
		heap[place] = event;
	}

	function pop(): Pending | undefined {
		const first = heap[0];
		const last = heap.pop();
		if (first === undefined || last === undefined || first === last) return first;
		let place = 0;
		for (;;) {
			const left = 2 * place + 1;
			const right = left + 1;
			const leftEvent = heap[left];
			if (leftEvent === undefined) break;
			const rightEvent = heap[right];
			const isRight = rightEvent !== undefined && isBefore(rightEvent, leftEvent);
			const smaller = isRight ? rightEvent : leftEvent;
			if (isBefore(last, smaller)) break;
			heap[place] = smaller;
			place = isRight ? right : left;
		}
		heap[place] = last;
		return first;
	}

	function at(time: WorldTime, callback: () => unknown): ScheduledEvent {
		if (!(time >= scheduler.now)) throw new RangeError(`an event at ${time}, and it is ${scheduler.now}`);
		const event = new Pending(time, numbers++, callback);
		push(event);
		return event;
	}

	/** False: nothing happens until then. */
	function carryOutNext(until: WorldTime): boolean {
		for (let next = heap[0]; next !== undefined && next.at <= until; next = heap[0]) {
			pop();
			const { callback } = next;
			if (callback === null) continue;
			scheduler.now = next.at;
			scheduler.events++;
			count(next.at);
			if (callback() !== onlyLooked) return true;
		}
		return false;
	}

	const scheduler: Scheduler & { now: WorldTime; events: number } = {
		now: 0,
		events: 0,
		at,
		after: (delayMs, callback) => at(scheduler.now + Math.max(0, delayMs), callback),
		async runUntil(time, afterEach) {
			if (running) throw new Error("the world is running already");
			running = true;
			try {
				// From here on this function is a promise callback itself, which `settle` may lean on.
				await Promise.resolve();
				await settle();
				await new Promise<void>((resolve, reject) => {
					const call = settle.whenSettled ?? ((settled) => void settle().then(settled, reject));
					const settleNow = settle.settleNow ?? (() => false);
					const goOn = (): void => {
						try {
							do {
								afterEach?.();
								if (!carryOutNext(time)) return resolve();
							} while (settleNow());
							call(goOn);
						} catch (error) {
							reject(error);
						}
					};
					if (carryOutNext(time)) call(goOn);
					else resolve();
				});
				scheduler.now = Math.max(scheduler.now, time);
			} finally {
				running = false;
			}
		},
	};
	return scheduler;
}

function isBefore(one: Pending, other: Pending): boolean {
	return one.at < other.at || (one.at === other.at && one.number < other.number);
}
