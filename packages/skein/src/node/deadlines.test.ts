import { expect, test } from "vitest";
import type { Clock } from "../world/clock.ts";
import { createDeadlines } from "./deadlines.ts";
import { createVirtualClock } from "./testing/virtual-clock.ts";

function setUp() {
	const virtual = createVirtualClock();
	let wakings = 0;
	const clock: Clock = {
		now: () => virtual.now(),
		wallTime: () => virtual.wallTime(),
		setTimer: (delayMs, callback) =>
			virtual.setTimer(delayMs, () => {
				wakings++;
				callback();
			}),
	};
	const deadlines = createDeadlines(clock);
	const ended: [string, number][] = [];
	return {
		virtual,
		deadlines,
		ended,
		wakings: () => wakings,
		add: (name: string, afterMs: number) =>
			deadlines.add(virtual.now() + afterMs, () => ended.push([name, virtual.now()])),
	};
}

test("each ends when its time has come, at most a little late, whatever was added before", async () => {
	const { virtual, add, ended } = setUp();
	const begin = virtual.now();
	add("late", 5_000);
	add("soon", 1);
	add("later", 400);
	add("cancelled", 300).cancel();
	await virtual.run(10_000);
	expect(ended.map(([name]) => name)).toEqual(["soon", "later", "late"]);
	for (const [place, due] of [1, 400, 5_000].entries()) {
		const lateMs = (ended[place]?.[1] ?? Number.NaN) - begin - due;
		expect(lateMs).toBeGreaterThanOrEqual(0);
		expect(lateMs).toBeLessThanOrEqual(25);
	}
});

test("who waits for long wakes nobody forty times a second; many that end together share one waking", async () => {
	const { virtual, add, ended, wakings } = setUp();
	for (let count = 0; count < 100; count++) add("together", 800 + count / 10);
	await virtual.run(790);
	expect(wakings()).toBe(0);
	await virtual.run(60);
	expect(ended.length).toBe(100);
	expect(wakings()).toBeLessThanOrEqual(2);
});

test("what is set anew for a moment that has come waits for the next look: the present one ends", async () => {
	const { virtual, deadlines } = setUp();
	const at = virtual.now() + 10;
	let times = 0;
	const again = (): void => {
		times++;
		// A limit, so that this test ends where the look does not.
		if (times < 1_000) deadlines.add(at, again);
	};
	deadlines.add(at, again);
	await virtual.run(100);
	expect(times).toBeLessThanOrEqual(5);
	deadlines.stop();
});

test("when nothing waits any more nothing wakes", async () => {
	const { virtual, add, wakings } = setUp();
	add("answered", 60_000).cancel();
	await virtual.run(60_000);
	expect(wakings()).toBeLessThanOrEqual(1);
});

test("at the stop everything that waits ends", async () => {
	const { add, ended, deadlines, virtual } = setUp();
	add("waiting", 60_000);
	deadlines.stop();
	expect(ended.length).toBe(1);
	add("too late", 10);
	await virtual.run(100);
	expect(ended.length).toBe(1);
});
