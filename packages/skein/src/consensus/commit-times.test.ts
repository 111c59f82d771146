import fc from "fast-check";
import { expect, test } from "vitest";
import { createCommitTimes } from "./commit-times.ts";

test("nothing is above the newest; what is below the beginning is older than is known", () => {
	const times = createCommitTimes(10);
	expect(times.firstAbove(10)).toBe(null);
	expect(times.firstAbove(9)).toBe(Number.NEGATIVE_INFINITY);
	times.advanced(12, 100);
	expect(times.firstAbove(12)).toBe(null);
	expect(times.firstAbove(11)).toBe(100);
	expect(times.firstAbove(10)).toBe(100);
	times.advanced(20, 200);
	expect(times.firstAbove(11)).toBe(100);
	expect(times.firstAbove(12)).toBe(200);
});

test("an entry is never taken for younger than it is, nor for much older while little is remembered", () => {
	const step = fc.record({ entries: fc.integer({ min: 1, max: 5 }), ms: fc.integer({ min: 0, max: 20 }) });
	fc.assert(
		fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
			const times = createCommitTimes(0);
			const at: number[] = [];
			let now = 0;
			for (const { entries, ms } of steps) {
				now += ms;
				for (let count = 0; count < entries; count++) at.push(now);
				times.advanced(at.length, now);
			}
			for (const [index, committedAt] of at.entries()) {
				const said = times.firstAbove(index) ?? Number.POSITIVE_INFINITY;
				expect(said).toBeLessThanOrEqual(committedAt);
				expect(said).toBeGreaterThan(committedAt - 5.001);
			}
		}),
	);
});

test("what is remembered is bounded, and errs to the older side", () => {
	const times = createCommitTimes(0);
	for (let index = 1; index <= 100_000; index++) times.advanced(index, index * 10);
	for (const index of [0, 5_000, 50_000, 99_990]) {
		const said = times.firstAbove(index) ?? Number.POSITIVE_INFINITY;
		expect(said).toBeLessThanOrEqual((index + 1) * 10);
	}
	expect(times.firstAbove(99_999)).toBe(1_000_000);
});

test("a mark stands for what came less than five milliseconds after it", () => {
	const times = createCommitTimes(0);
	for (const now of [100, 200, 300]) times.advanced(now / 100, now);
	times.advanced(4, 304);
	expect([times.firstAbove(2), times.firstAbove(3), times.firstAbove(4)]).toEqual([300, 300, null]);
	times.advanced(5, 305);
	expect(times.firstAbove(4)).toBe(305);
});

test("512 marks are remembered; of more, each with the one behind it as one", () => {
	const times = createCommitTimes(0);
	for (let index = 1; index <= 512; index++) times.advanced(index, index * 10);
	expect([0, 1, 2, 511].map((index) => times.firstAbove(index))).toEqual([10, 20, 30, 5_120]);
	times.advanced(513, 5_130);
	expect([0, 1, 2, 3, 4].map((index) => times.firstAbove(index))).toEqual([10, 10, 30, 30, 50]);
	expect([510, 511, 512, 513].map((index) => times.firstAbove(index))).toEqual([5_110, 5_110, 5_130, null]);
});
