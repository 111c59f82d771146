/** What a simulated clock shows, and when its timers fire, against the world's true time. */
import { expect, test } from "vitest";
import { maxClockDrift } from "../../../skein/src/world/clock.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import { createSimulatedClock, drawClockFault, worldBeginsAt } from "./clock.ts";

const newScheduler = () => createScheduler(() => new Promise((resolve) => setImmediate(resolve)));

test("a fast clock's timers fire early in true time, never early on the clock itself", async () => {
	const scheduler = newScheduler();
	const fast = createSimulatedClock({ scheduler, offsetMs: 500, rate: 1.25, startMs: 7 });
	const chance = createChance(1);
	const fired: { dueAt: number; seen: number; world: number }[] = [];
	await scheduler.runUntil(3);
	for (let number = 0; number < 200; number++) {
		const delayMs = chance.between(0, 1_000);
		const dueAt = fast.now() + delayMs;
		fast.setTimer(delayMs, () => fired.push({ dueAt, seen: fast.now(), world: scheduler.now }));
	}
	await scheduler.runUntil(2_000);
	expect(fired.length).toBe(200);
	for (const { dueAt, seen, world } of fired) {
		expect(seen).toBeGreaterThanOrEqual(dueAt);
		expect(seen - dueAt).toBeLessThan(0.001);
		expect(world).toBeCloseTo((dueAt - 7) / 1.25, 6);
	}
	expect(fast.now()).toBeCloseTo(7 + 2_000 * 1.25, 6);
	expect(fast.wallTime()).toBe(worldBeginsAt + 500 + 2_500);
});

test("a paused process has no timers; on resume all that are due fire at once, in their order", async () => {
	const scheduler = newScheduler();
	const clock = createSimulatedClock({ scheduler, offsetMs: 0, rate: 1 });
	const fired: string[] = [];
	const note = (name: string) => () => fired.push(`${name} at ${scheduler.now}`);
	clock.setTimer(30, note("third"));
	clock.setTimer(10, note("first"));
	clock.setTimer(20, note("second"));
	clock.setTimer(200, note("later"));
	const cancelled = clock.setTimer(15, note("cancelled"));
	await scheduler.runUntil(5);
	clock.pause();
	await scheduler.runUntil(100);
	expect(fired).toEqual([]);
	expect(clock.now()).toBe(150);
	cancelled.cancel();
	clock.resume();
	await scheduler.runUntil(300);
	expect(fired).toEqual(["first at 100", "second at 100", "third at 100", "later at 200"]);
});

test("a suspended machine loses monotonic time, not the date", async () => {
	const scheduler = newScheduler();
	const clock = createSimulatedClock({ scheduler, offsetMs: 0, rate: 1, startMs: 0 });
	const fired: number[] = [];
	clock.setTimer(10, () => fired.push(scheduler.now));
	await scheduler.runUntil(4);
	clock.pause("suspended");
	await scheduler.runUntil(1_000);
	expect(clock.now()).toBe(4);
	clock.resume();
	await scheduler.runUntil(2_000);
	expect(fired).toEqual([1_006]);
	expect(clock.now()).toBe(1_004);
	expect(clock.wallTime()).toBe(worldBeginsAt + 2_000);
});

test("a jump moves the date only; a change of rate counts from then on; monotonic time never goes back", async () => {
	const scheduler = newScheduler();
	const clock = createSimulatedClock({ scheduler, offsetMs: 0, rate: 1, startMs: 0 });
	const fired: number[] = [];
	clock.setTimer(100, () => fired.push(scheduler.now));
	await scheduler.runUntil(50);
	clock.jump(-3_600_000);
	expect(clock.now()).toBe(50);
	expect(clock.wallTime()).toBe(worldBeginsAt + 50 - 3_600_000);
	clock.setRate(0.5);
	let before = clock.now();
	for (let time = 51; time < 200; time += 7) {
		await scheduler.runUntil(time);
		expect(clock.now()).toBeGreaterThanOrEqual(before);
		before = clock.now();
	}
	expect(fired).toEqual([150]);
	expect(clock.now()).toBeCloseTo(50 + (scheduler.now - 50) / 2, 6);
});

test("a stopped life fires nothing, not even what it sets afterwards", async () => {
	const scheduler = newScheduler();
	const clock = createSimulatedClock({ scheduler, offsetMs: 0, rate: 1 });
	let fired = 0;
	clock.setTimer(10, () => fired++);
	clock.stop();
	clock.setTimer(10, () => fired++);
	clock.resume();
	await scheduler.runUntil(100);
	expect(fired).toBe(0);
});

test("a node with too little processor fires late, around the mean", async () => {
	const scheduler = newScheduler();
	const clock = createSimulatedClock({ scheduler, chance: createChance(5), offsetMs: 0, rate: 1 });
	clock.setLateness(20);
	const late: number[] = [];
	for (let number = 0; number < 500; number++) clock.setTimer(100, () => late.push(scheduler.now - 100));
	await scheduler.runUntil(10_000);
	expect(late.length).toBe(500);
	expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
	const mean = late.reduce((sum, one) => sum + one, 0) / late.length;
	expect(Math.abs(mean - 20)).toBeLessThan(3);
});

test("drawn clocks stay within the drift that may be", () => {
	const chance = createChance(9);
	const drawn = Array.from({ length: 1_000 }, () => drawClockFault(chance));
	for (const { rate } of drawn) expect(Math.abs(rate - 1)).toBeLessThanOrEqual(maxClockDrift);
	expect(drawn.some(({ rate }) => Math.abs(rate - 1) > maxClockDrift / 2)).toBe(true);
	expect(drawn.some(({ offsetMs }) => Math.abs(offsetMs) > 600_000)).toBe(true);
});
