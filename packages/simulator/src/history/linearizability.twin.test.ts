/** The checker against the definition, on thousands of small histories. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { History } from "./history.ts";
import { checkLinearizability } from "./linearizability.ts";
import { isNaivelyLinearizable } from "./testing/naive-linearizability.ts";
import { randomHistory } from "./testing/random-history.ts";
import { type Line, written } from "./testing/written-history.ts";

const runs = 3_000;

function agree(history: History, counts: { good: number; bad: number }): void {
	const expected = isNaivelyLinearizable(history);
	counts[expected ? "good" : "bad"]++;
	const result = checkLinearizability(history);
	expect(result.verdict, JSON.stringify({ result, operations: history.operations })).toBe(
		expected ? "good" : "bad",
	);
}

const key = fc.constantFrom("x", "y");

function stepOf(value: fc.Arbitrary<string>, seen: fc.Arbitrary<string>): fc.Arbitrary<string> {
	return fc.oneof(
		{ weight: 4, arbitrary: fc.tuple(key, seen).map(([name, saw]) => `${name}?${saw}`) },
		{ weight: 3, arbitrary: fc.tuple(key, value).map(([name, written]) => `${name}=${written}`) },
		{ weight: 1, arbitrary: key.map((name) => `${name}=-`) },
		fc.tuple(key, seen, value, fc.option(seen)).map(([name, expected, written, saw]) => {
			return `${name}:${expected}>${written}${saw === null ? "" : `?${saw}`}`;
		}),
	);
}

function linesOf(step: fc.Arbitrary<string>): fc.Arbitrary<Line[]> {
	const steps = fc.oneof(
		{ weight: 4, arbitrary: step },
		{ weight: 1, arbitrary: fc.tuple(step, step).map((both) => both.join(" ")) },
	);
	const line = fc.record({
		from: fc.integer({ min: 0, max: 12 }),
		lasts: fc.integer({ min: 0, max: 6 }),
		steps,
		outcome: fc.constantFrom("ok", "ok", "ok", "ok", "unknown", "failed", "pending"),
	});
	return fc.array(line, { minLength: 1, maxLength: 6 }).map((list) =>
		list.map(({ from, lasts, steps: text, outcome }): Line => {
			if (outcome === "pending") return ["A", from, null, text];
			return ["A", from, from + lasts, text, outcome as "ok" | "unknown" | "failed"];
		}),
	);
}

test("operations at random, few values", () => {
	const value = fc.constantFrom("1", "2");
	const counts = { good: 0, bad: 0 };
	const lines = linesOf(stepOf(value, fc.constantFrom("1", "2", "-")));
	fc.assert(
		fc.property(lines, (list) => agree(written(list), counts)),
		{ numRuns: runs, seed: 1 },
	);
	expect(Math.min(counts.good, counts.bad)).toBeGreaterThan(runs / 10);
});

test("operations at random, mostly unique values", () => {
	const value = fc.constantFrom("1", "2", "3", "4", "5", "6", "7", "8");
	const counts = { good: 0, bad: 0 };
	const lines = linesOf(stepOf(value, fc.constantFrom("1", "2", "3", "4", "-")));
	fc.assert(
		fc.property(lines, (list) => agree(written(list), counts)),
		{ numRuns: runs, seed: 2 },
	);
	expect(Math.min(counts.good, counts.bad)).toBeGreaterThan(runs / 10);
});

for (const values of ["unique", "few"] as const) {
	test(`what a register machine did, with and without lies, ${values} values`, () => {
		const counts = { good: 0, bad: 0 };
		for (let seed = 0; seed < runs; seed++) {
			const history = randomHistory(seed, {
				operations: 7,
				clients: 4,
				keys: 1 + (seed % 2),
				values,
				lies: seed % 3,
			});
			if (seed % 3 === 0) expect(isNaivelyLinearizable(history)).toBe(true);
			agree(history, counts);
		}
		expect(counts.bad).toBeGreaterThan(runs / 20);
	});
}
