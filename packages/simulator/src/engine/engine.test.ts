import { expect, test } from "vitest";
import { createChance } from "./chance.ts";
import { createScheduler, Livelock, onlyLooked } from "./scheduler.ts";

test("the same seed gives the same chances, a fork takes none of them", () => {
	const draw = (chance: ReturnType<typeof createChance>) => Array.from({ length: 20 }, () => chance.next());
	const one = createChance(7);
	one.fork("disk").next();
	expect(draw(one)).toEqual(draw(createChance(7)));
	expect(draw(createChance(7))).not.toEqual(draw(createChance(8)));
	expect(draw(createChance(7).fork("a"))).toEqual(draw(createChance(7).fork("a")));
	expect(draw(createChance(7).fork("a"))).not.toEqual(draw(createChance(7).fork("b")));
});

test("chances are spread evenly", () => {
	const chance = createChance(1);
	const counts = Array.from({ length: 10 }, () => 0);
	for (let draw = 0; draw < 10_000; draw++) {
		const place = chance.below(10);
		counts[place] = (counts[place] ?? 0) + 1;
	}
	for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
	const waits = Array.from({ length: 10_000 }, () => chance.exponential(5));
	const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
	expect(Math.abs(mean - 5)).toBeLessThan(0.3);
});

test("events happen by time, then in the order of their scheduling; cancelled ones do not", async () => {
	const scheduler = createScheduler(() => new Promise((resolve) => setImmediate(resolve)));
	const chance = createChance(3);
	const seen: { at: number; number: number }[] = [];
	const cancelled = new Set<number>();
	for (let number = 0; number < 500; number++) {
		const at = chance.below(50);
		const event = scheduler.at(at, () => seen.push({ at: scheduler.now, number }));
		if (chance.happens(0.2)) {
			event.cancel();
			cancelled.add(number);
		}
	}
	await scheduler.runUntil(25);
	expect(scheduler.now).toBe(25);
	expect(seen.every(({ at }) => at <= 25)).toBe(true);
	await scheduler.runUntil(100);
	expect(seen.length).toBe(500 - cancelled.size);
	expect(seen.some(({ number }) => cancelled.has(number))).toBe(false);
	expect(seen).toEqual(seen.toSorted((a, b) => a.at - b.at || a.number - b.number));
});

test("nobody waits after an event that only looked, nor looks what it changed", async () => {
	let settles = 0;
	const scheduler = createScheduler(() => {
		settles++;
		return Promise.resolve();
	});
	const seen: string[] = [];
	scheduler.at(1, () => {
		seen.push("looks");
		return onlyLooked;
	});
	scheduler.at(2, () => seen.push("works"));
	scheduler.at(3, () => {
		seen.push("looks again");
		return onlyLooked;
	});
	await scheduler.runUntil(4, () => seen.push("afterwards"));
	expect(seen).toEqual(["looks", "works", "afterwards", "looks again"]);
	expect(scheduler.events).toBe(3);
	// Once before the first, and once for the one that worked.
	expect(settles).toBe(2);
});

test("what an event sets off is settled before the next", async () => {
	const scheduler = createScheduler(() => new Promise((resolve) => setImmediate(resolve)));
	const seen: string[] = [];
	scheduler.at(1, () => {
		void (async () => {
			for (let step = 0; step < 50; step++) await Promise.resolve();
			seen.push("first");
			scheduler.after(0.5, () => seen.push("between"));
		})();
	});
	scheduler.at(2, () => seen.push("last"));
	await scheduler.runUntil(3);
	expect(seen).toEqual(["first", "between", "last"]);
	expect(scheduler.events).toBe(3);
});

test("what sets itself off without waiting ends the world, much work does not", async () => {
	const scheduler = createScheduler(() => Promise.resolve());
	for (let at = 0; at < 3; at++)
		for (let event = 0; event < 40_000; event++) scheduler.at(at * 1_000, () => {});
	await scheduler.runUntil(10_000);
	expect(scheduler.events).toBe(120_000);
	// Two that answer each other's answers, at the speed of the network.
	const again = (): void => void scheduler.after(0.01, again);
	again();
	await expect(scheduler.runUntil(20_000)).rejects.toThrow(Livelock);
	expect(scheduler.now).toBeLessThan(11_000);
});
