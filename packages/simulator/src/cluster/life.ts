/**
 * One life of a simulated process: the door between its code and the world, in both directions. Once it
 * is over nothing enters and nothing leaves, so its promises never settle any more and what it still
 * computes has no effect; while it is paused what wants to enter waits.
 *
 * A life may also be told to end at its n-th action from now: in the middle of what one event set off,
 * when some of its messages and writes are out and others are not.
 */
import type { Chance } from "../engine/chance.ts";
import type { ScheduledEvent, Scheduler } from "../engine/scheduler.ts";

export interface Life {
	readonly over: boolean;
	readonly paused: boolean;
	/** Runs code of the process: now, when it is resumed, or never. */
	enter(work: () => void): void;
	/** The process does something to the world. False: it is over, nothing may happen. */
	act(): boolean;
	/** In the time of the world, unless the life ends before. */
	after(delayMs: number, work: () => void): ScheduledEvent;
	/** The process hears how a piece of the world's work ended. */
	completion<T>(work: Promise<T>): Promise<T>;
	pause(): void;
	resume(): void;
	/** Whatever wants to enter comes so much later on average, in its order: too little processor. 0: at once. */
	slow(meanMs: number): void;
	end(): void;
	/** `onEnd` is called as an event of its own. */
	endAtAction(number: number, onEnd: () => void): void;
	/** Called once, when the life is over; what it returns says that nobody wants to hear of it any more. */
	whenOver(call: () => void): () => void;
}

export interface LifeOptions {
	readonly scheduler: Scheduler;
	/** For slowness only. */
	readonly chance: Chance;
	/** The process did something, or something was done to it. */
	readonly touched: () => void;
}

export function createLife({ scheduler, chance, touched }: LifeOptions): Life {
	let slowMs = 0;
	/** When the last that was made to wait may enter: nobody overtakes it. */
	let lastEntersAt = 0;
	let waiting: (() => void)[] = [];
	/** Works that waited for the end of a pause, and have not entered yet. */
	let released = 0;
	let actionsLeft = Number.POSITIVE_INFINITY;
	let onLastAction: () => void = () => {};
	const overCalls = new Set<() => void>();

	function enter(work: () => void): void {
		if (life.over) return;
		if (slowMs === 0 && released === 0 && lastEntersAt <= scheduler.now) return enterNow(work);
		const delayMs = slowMs === 0 ? 0 : chance.exponential(slowMs);
		lastEntersAt = Math.max(lastEntersAt, scheduler.now + delayMs);
		scheduler.at(lastEntersAt, () => enterNow(work));
	}

	function enterNow(work: () => void): void {
		if (life.over) return;
		if (life.paused) {
			waiting.push(work);
			return;
		}
		touched();
		work();
	}

	function end(): void {
		if (life.over) return;
		life.over = true;
		waiting = [];
		touched();
		const calls = [...overCalls];
		overCalls.clear();
		for (const call of calls) call();
	}

	const life: Life & { over: boolean; paused: boolean } = {
		over: false,
		paused: false,
		enter,
		act() {
			if (life.over) return false;
			actionsLeft--;
			if (actionsLeft > 0) return true;
			const call = onLastAction;
			end();
			scheduler.after(0, call);
			return false;
		},
		after: (delayMs, work) => scheduler.after(delayMs, () => enter(work)),
		completion: (work) =>
			new Promise((resolve, reject) => {
				work.then(
					(value) => enter(() => resolve(value)),
					(error: unknown) => enter(() => reject(error)),
				);
			}),
		pause() {
			life.paused = true;
		},
		resume() {
			if (!life.paused || life.over) return;
			life.paused = false;
			const held = waiting;
			waiting = [];
			released += held.length;
			// Each as an event of its own, in order, before all that arrived after it: a connection keeps its order,
			// also where the process is slow, and where it is paused once more (seed 310001572).
			for (const work of held) {
				scheduler.after(0, () => {
					released--;
					enterNow(work);
				});
			}
		},
		slow(meanMs) {
			slowMs = meanMs;
		},
		end,
		endAtAction(number, onEnd) {
			actionsLeft = number;
			onLastAction = onEnd;
		},
		whenOver(call) {
			if (life.over) call();
			else overCalls.add(call);
			return () => overCalls.delete(call);
		},
	};
	return life;
}
