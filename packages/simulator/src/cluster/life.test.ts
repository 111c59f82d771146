/** The door between a process and its world. */
import { expect, test } from "vitest";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import { createLife } from "./life.ts";

function world() {
	const scheduler = createScheduler(() => Promise.resolve());
	const life = createLife({ scheduler, chance: createChance(1), touched: () => {} });
	const entered: { readonly number: number; readonly at: number }[] = [];
	return {
		scheduler,
		life,
		entered,
		numbers: () => entered.map(({ number }) => number),
		enter: (number: number) => life.enter(() => entered.push({ number, at: scheduler.now })),
	};
}

test("what enters a slow process comes later, in its order", async () => {
	const { scheduler, life, entered, numbers, enter } = world();
	enter(0);
	expect(numbers()).toEqual([0]);
	life.slow(20);
	for (let number = 1; number <= 400; number++) enter(number);
	expect(numbers()).toEqual([0]);
	await scheduler.runUntil(10_000);
	expect(numbers()).toEqual(Array.from({ length: 401 }, (_, number) => number));
	// All came at the same moment: the slowest of those before it holds each up.
	const times = entered.map(({ at }) => at);
	expect(times).toEqual(times.toSorted((one, other) => one - other));

	const delays: number[] = [];
	for (let round = 0; round < 400; round++) {
		const begun = scheduler.now;
		enter(round);
		await scheduler.runUntil(begun + 1_000);
		delays.push((entered.at(-1)?.at ?? 0) - begun);
	}
	const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
	expect(mean).toBeGreaterThan(15);
	expect(mean).toBeLessThan(25);
});

test("who is fast again overtakes nothing that came while it was slow", async () => {
	const { scheduler, life, numbers, enter } = world();
	life.slow(1_000);
	for (let number = 0; number < 10; number++) enter(number);
	life.slow(0);
	enter(10);
	await scheduler.runUntil(100_000);
	expect(numbers()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
	enter(11);
	expect(numbers().at(-1)).toBe(11);
});

test("what comes while a slow process is paused waits, and nothing enters one that is over", async () => {
	const { scheduler, life, numbers, enter } = world();
	life.slow(20);
	enter(0);
	life.pause();
	await scheduler.runUntil(1_000);
	expect(numbers()).toEqual([]);
	life.resume();
	await scheduler.runUntil(2_000);
	expect(numbers()).toEqual([0]);
	enter(1);
	life.end();
	await scheduler.runUntil(3_000);
	expect(numbers()).toEqual([0]);
});

test("whatever pauses, goes on and is slow in between: everything enters in the order in which it came", async () => {
	for (let seed = 1; seed <= 200; seed++) {
		const { scheduler, life, numbers, enter } = world();
		const chance = createChance(seed);
		for (let number = 0; number < 100; number++) {
			enter(number);
			chance.pick([
				() => life.pause(),
				() => life.resume(),
				() => life.slow(chance.pick([0, 5, 50])),
				() => {},
			])();
			if (chance.happens(0.5)) await scheduler.runUntil(scheduler.now + chance.exponential(10));
		}
		life.resume();
		await scheduler.runUntil(scheduler.now + 10_000);
		expect(numbers()).toEqual(Array.from({ length: 100 }, (_, number) => number));
	}
});
