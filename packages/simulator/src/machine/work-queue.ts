/**
 * The threads of a database, in simulated time: one writer that does one thing after the other, and
 * readers beside it. What takes time happens in one moment in the middle of it, so a crash may come
 * before, after, or when it is done and nobody has heard of it.
 */
import type { Chance } from "../engine/chance.ts";

/** The time of one life of the process: nothing of it happens once the life is over, or while it is paused. */
export type After = (delayMs: number, callback: () => void) => void;

export interface WorkQueue {
	/** `isQuiet`: told of with the next answer, or some milliseconds later; a failure is told at once. */
	onWriter<T>(meanMs: number, work: () => T, isQuiet?: boolean): Promise<T>;
	onReader<T>(meanMs: number, work: () => T): Promise<T>;
	/** Somebody waits to hear of what is done quietly. */
	hurry(): void;
}

/** A commit that is done is told of by itself only after this long. */
const quietMs = 5;

export function createWorkQueue({ after, chance }: { after: After; chance: Chance }): WorkQueue {
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
		onWriter: (meanMs, work, isQuiet = false) =>
			new Promise((resolve, reject) => {
				const begin = (): void =>
					after(chance.exponential(meanMs), () => {
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
					});
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
