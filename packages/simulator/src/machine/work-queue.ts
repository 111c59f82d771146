/**
 * The threads of a database, in simulated time: one writer that does one thing after the other, and
 * readers beside it. What takes time happens in one moment in the middle of it, so a crash may come
 * before, after, or when it is done and nobody has heard of it.
 */
import type { Chance } from "../engine/chance.ts";

/** The time of one life of the process: nothing of it happens once the life is over, or while it is paused. */
export type After = (delayMs: number, callback: () => void) => void;

/** What the member's disk does to work that writes files: its database is on the same device as its log. */
export interface Device {
	/** So many times longer does it take. */
	readonly slowness: number;
	/** Calls back, once, when it is as it should be for good; not in a later life. */
	whenHealed(call: () => void): void;
	/** Null: the disk works. Else it hangs, and calls back once when it does not any more. */
	readonly whenAwake: ((call: () => void) => void) | null;
	/** Throws if the disk was told to fail a write. */
	failIfTold(): void;
	/** For a disk that was told to hang then. */
	checkpointBegins(): void;
}

export interface WriterWork {
	/** Told of with the next answer, or some milliseconds later; a failure is told at once. */
	readonly isQuiet?: boolean;
	/** It writes to files. */
	readonly onDisk?: boolean;
}

export interface WorkQueue {
	onWriter<T>(meanMs: number, work: () => T, how?: WriterWork): Promise<T>;
	onReader<T>(meanMs: number, work: () => T): Promise<T>;
	/** Somebody waits to hear of what is done quietly. */
	hurry(): void;
}

/** A commit that is done is told of by itself only after this long. */
const quietMs = 5;

export interface WorkQueueOptions {
	readonly after: After;
	readonly chance: Chance;
	readonly device: Device | null;
}

export function createWorkQueue({ after, chance, device }: WorkQueueOptions): WorkQueue {
	const queue: (() => void)[] = [];
	/** What the caller has not heard yet of commits that are done. */
	const quiet: (() => void)[] = [];
	const answers: (() => void)[] = [];
	let busy = false;
	let hurried = false;

	function next(): void {
		const first = queue.shift();
		if (first === undefined) busy = false;
		else first();
	}

	/** An answer travels back at once, or a little after the work was done. */
	function travel(settle: () => void): void {
		if (chance.happens(0.8)) settle();
		else after(chance.exponential(0.2), settle);
	}

	/** While the disk hangs, what writes to it waits, and everything of the writer behind that. */
	function whenAwake(onDisk: boolean, work: () => void): void {
		const hung = onDisk ? (device?.whenAwake ?? null) : null;
		if (hung === null) work();
		else hung(() => after(0, () => whenAwake(onDisk, work)));
	}

	/** On a slow disk it lasts longer, but from when that is healed no longer than on a good one. May call twice. */
	function lasts(workMs: number, onDisk: boolean, over: () => void): void {
		const slowness = onDisk ? (device?.slowness ?? 1) : 1;
		after(workMs * slowness, over);
		if (slowness > 1) device?.whenHealed(() => after(workMs, over));
	}

	/** The writer's answers do not overtake each other. */
	function answer(settle: () => void): void {
		answers.push(settle);
		if (answers.length > 1) return;
		travel(() => {
			for (const one of answers.splice(0)) one();
		});
	}

	function beQuiet(settle: () => void): void {
		quiet.push(settle);
		after(quietMs, tellQuiet);
	}

	function tellQuiet(): void {
		for (const one of quiet.splice(0)) one();
	}

	return {
		onWriter: (meanMs, work, { isQuiet = false, onDisk = false } = {}) =>
			new Promise((resolve, reject) => {
				const carryOut = (): void => {
					let settle: () => void;
					let failed = false;
					try {
						const value = work();
						settle = () => resolve(value);
					} catch (error) {
						failed = true;
						settle = () => reject(error);
					}
					if (isQuiet && !failed && !hurried) beQuiet(settle);
					else {
						const told = quiet.splice(0);
						answer(() => {
							for (const one of told) one();
							settle();
						});
					}
					hurried = false;
					next();
				};
				const begin = (): void => {
					let isOver = false;
					lasts(chance.exponential(meanMs), onDisk, () => {
						if (isOver) return;
						isOver = true;
						whenAwake(onDisk, carryOut);
					});
				};
				if (busy) queue.push(begin);
				else {
					busy = true;
					begin();
				}
			}),
		onReader: (meanMs, work) =>
			new Promise((resolve, reject) => {
				after(chance.exponential(meanMs), () => {
					let settle: () => void;
					try {
						const value = work();
						settle = () => resolve(value);
					} catch (error) {
						settle = () => reject(error);
					}
					travel(settle);
				});
			}),
		hurry() {
			if (quiet.length === 0) hurried = busy;
			else tellQuiet();
		},
	};
}
