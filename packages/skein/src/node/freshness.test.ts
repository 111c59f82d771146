import { expect, test } from "vitest";
import { type Clock, maxClockDrift } from "../world/clock.ts";
import { createAppliedIndex } from "./applied-index.ts";
import { createFreshness } from "./freshness.ts";

function bench() {
	const time = { monotonic: 1_000, wall: 5_000_000 };
	const clock: Clock = {
		now: () => time.monotonic,
		wallTime: () => time.wall,
		setTimer: () => ({ cancel() {} }),
	};
	const applied = createAppliedIndex({ term: 1, index: 0 });
	const freshness = createFreshness({ clock, applied });
	return {
		freshness,
		applied,
		passes: (ms: number): void => {
			time.monotonic += ms;
			time.wall += ms;
		},
		/** The machine stands still; nothing but the date goes on. */
		suspended: (ms: number): void => {
			time.wall += ms;
		},
		ask: (index: number, takesMs = 0): void => {
			const asked = freshness.moment();
			time.monotonic += takesMs;
			time.wall += takesMs;
			freshness.answered(asked, index);
		},
		age: (reflected: number, agoMs?: number): number | null => {
			const asOf = freshness.asOf(reflected);
			return asOf === null ? null : freshness.age(asOf, agoMs);
		},
	};
}

test("a state is as fresh as the moment of asking, once the answer's index is in it", () => {
	const { age, ask, passes } = bench();
	expect(age(100)).toBe(null);
	ask(10, 30);
	expect(age(9)).toBe(null);
	passes(20);
	// From the asking, not from the answer; and this clock may be too slow.
	expect(age(10)).toBeCloseTo(50 / (1 - maxClockDrift));
	expect(age(10, 15)).toBeCloseTo(35 / (1 - maxClockDrift));
	ask(12);
	expect(age(11)).toBeCloseTo(50 / (1 - maxClockDrift));
	expect(age(12)).toBe(0);
});

test("what is applied by a later answer replaces the earlier ones, and those that wait are bounded in number", () => {
	const { age, applied, ask, passes } = bench();
	for (let index = 1; index <= 1_000; index++) {
		ask(index);
		passes(1);
	}
	expect(age(1)).toBeCloseTo(1_000 / (1 - maxClockDrift));
	// Far behind the newest answers: an older bound, not a wrong one.
	expect(age(1_000)).toBeGreaterThan(900);
	applied.advance({ term: 1, index: 1_000 });
	ask(1_000);
	ask(1_001);
	expect(age(1_000)).toBe(0);
	expect(age(999)).toBe(null);
});

test("a machine that stood still cannot tell, however its monotonic clock sees it", () => {
	const { age, ask, suspended } = bench();
	ask(10);
	suspended(3);
	expect(age(10)).toBeGreaterThanOrEqual(3);
	suspended(10_000);
	expect(age(10)).toBe(null);
	ask(10);
	expect(age(10)).toBe(0);
	// The date was set back.
	suspended(-60_000);
	expect(age(10)).toBe(null);
});
