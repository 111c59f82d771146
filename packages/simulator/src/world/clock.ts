/**
 * Clock of one life of one simulated process: it runs fast or slow against the world's true time, its
 * wall time is off and jumps, and while the process is paused no timer fires.
 *
 * A new life gets a new clock, whose monotonic time begins anew, as `performance.now()` does: what a
 * node remembers of an earlier life's monotonic time means nothing.
 */
import { type Clock, type Milliseconds, maxClockDrift } from "../../../skein/src/world/clock.ts";
import type { Chance } from "../engine/chance.ts";
import { createLinkedList, type Linked } from "../engine/linked-list.ts";
import type { ScheduledEvent, Scheduler } from "../engine/scheduler.ts";

/**
 * "stopped": the process gets no processor (SIGSTOP, a long collection of garbage); its clocks go on.
 * "suspended": the machine stands still (a virtual machine that is moved): monotonic time stands too.
 */
export type PauseKind = "stopped" | "suspended";

export interface SimulatedClock extends Clock {
	/** From now on no timer fires. */
	pause(kind?: PauseKind): void;
	/** All timers that are due fire at once, each as an event of its own, the earliest first. */
	resume(): void;
	/** Moves the wall time, forwards or back. Monotonic time does not notice. */
	jump(wallMs: Milliseconds): void;
	/** How fast both clocks run against true time, 1 being right. */
	setRate(rate: number): void;
	/** Timers fire late by this much on average: a node with too little processor. 0: on time. */
	setLateness(meanMs: Milliseconds): void;
	/** The process has ended: no timer of this life fires any more. */
	stop(): void;
}

export interface SimulatedClockOptions {
	readonly scheduler: Scheduler;
	/** For lateness only; without it timers are on time. */
	readonly chance?: Chance;
	/** Of the wall time against the world's. */
	readonly offsetMs: Milliseconds;
	readonly rate: number;
	/** What the monotonic clock shows when the life begins: a process takes a while to start. */
	readonly startMs?: Milliseconds;
}

/** What the world's time 0 is on a right wall clock: 2026-01-01. */
export const worldBeginsAt = 1_767_225_600_000;

interface PendingTimer extends Linked<PendingTimer> {
	readonly dueAt: number;
	readonly latenessMs: Milliseconds;
	readonly callback: () => void;
	event: ScheduledEvent | null;
}

export function createSimulatedClock(options: SimulatedClockOptions): SimulatedClock {
	const { scheduler, chance } = options;
	let rate = options.rate;
	let wallOffsetMs = worldBeginsAt + options.offsetMs + scheduler.now;
	/** The last moment at which the rate changed or the clock stood still, in both times. */
	let base = { world: scheduler.now, monotonic: options.startMs ?? 50 };
	/** Of wall time since the life began: runs on while the machine is suspended. */
	let wallBase = { world: scheduler.now, elapsed: 0 };
	/** Rounding must neither turn time back nor let a timer fire before its time. */
	let latest = 0;
	let latenessMs = 0;
	let pausedAs: PauseKind | null = null;
	let stopped = false;
	/** In the order of their setting. */
	const timers = createLinkedList<PendingTimer>();

	function now(): number {
		const elapsed = pausedAs === "suspended" ? 0 : (scheduler.now - base.world) * rate;
		latest = Math.max(latest, base.monotonic + elapsed);
		return latest;
	}

	function elapsedOnWall(): Milliseconds {
		return wallBase.elapsed + (scheduler.now - wallBase.world) * rate;
	}

	function schedule(timer: PendingTimer): void {
		const delayMs = Math.max(0, timer.dueAt - now()) / rate + timer.latenessMs;
		timer.event = scheduler.after(delayMs, () => {
			timers.remove(timer);
			latest = Math.max(latest, timer.dueAt);
			timer.callback();
		});
	}

	/** After a change of what the clock shows or how fast it runs. */
	function scheduleAnew(): void {
		const inOrder = timers.all().sort((one, other) => one.dueAt - other.dueAt);
		for (const timer of inOrder) {
			timer.event?.cancel();
			schedule(timer);
		}
	}

	function rebase(): void {
		const monotonic = now();
		wallBase = { world: scheduler.now, elapsed: elapsedOnWall() };
		base = { world: scheduler.now, monotonic };
	}

	return {
		now,
		wallTime: () => Math.floor(wallOffsetMs + elapsedOnWall()),
		setTimer(delayMs, callback) {
			if (!(delayMs <= 2 ** 31 - 1)) throw new RangeError(`a timer of ${delayMs} ms`);
			const late = latenessMs === 0 ? 0 : (chance?.exponential(latenessMs) ?? 0);
			const dueAt = now() + Math.max(0, delayMs);
			const timer: PendingTimer = {
				dueAt,
				latenessMs: late,
				callback,
				event: null,
				before: null,
				behind: null,
				isLinked: false,
			};
			if (!stopped) timers.add(timer);
			if (!stopped && pausedAs === null) schedule(timer);
			return {
				cancel() {
					timers.remove(timer);
					timer.event?.cancel();
				},
			};
		},
		pause(kind = "stopped") {
			if (pausedAs !== null || stopped) return;
			rebase();
			pausedAs = kind;
			for (const timer of timers.all()) timer.event?.cancel();
		},
		resume() {
			if (pausedAs === null || stopped) return;
			rebase();
			pausedAs = null;
			scheduleAnew();
		},
		jump(wallMs) {
			wallOffsetMs += wallMs;
		},
		setRate(next) {
			if (!(next > 0)) throw new RangeError(`a clock at rate ${next}`);
			rebase();
			rate = next;
			if (pausedAs === null && !stopped) scheduleAnew();
		},
		setLateness(meanMs) {
			latenessMs = meanMs;
		},
		stop() {
			stopped = true;
			for (const timer of timers.all()) timer.event?.cancel();
			timers.clear();
		},
	};
}

/** How one node's clock is off, drawn once a run. */
export interface ClockFault {
	readonly offsetMs: Milliseconds;
	readonly rate: number;
}

/** Most clocks are nearly right; some are hours off, some run as wrong as a clock may. */
export function drawClockFault(chance: Chance): ClockFault {
	const sign = chance.happens(0.5) ? 1 : -1;
	const offsetMs = sign * chance.exponential(chance.happens(0.2) ? 3_600_000 : 20);
	const drift = chance.pick([0, 0.0001, 0.001, maxClockDrift]);
	return { offsetMs, rate: 1 + chance.between(-drift, drift) };
}
