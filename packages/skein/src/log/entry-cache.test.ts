/** The cache against a twin that is a plain list, and what it does in a long life. */
import { memoryUsage } from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Entry, LogIndex } from "../consensus/types.ts";
import { createEntryCache } from "./entry-cache.ts";

type Change =
	| { readonly type: "push"; readonly gap: number; readonly sizes: readonly number[] }
	/** At a place in the cache, or a little beside it. */
	| { readonly type: "cut" | "evict"; readonly place: number }
	| { readonly type: "evict all" | "clear" };

const anyChange: fc.Arbitrary<Change> = fc.oneof(
	{
		weight: 3,
		arbitrary: fc.record({
			type: fc.constant("push" as const),
			gap: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 3 })),
			sizes: fc.array(fc.nat(120), { maxLength: 6 }),
		}),
	},
	fc.record({
		type: fc.constantFrom("cut" as const, "evict" as const),
		place: fc.integer({ min: -1, max: 9 }),
	}),
	fc.record({ type: fc.constantFrom("evict all" as const, "clear" as const) }),
);

const cacheBytes = 500;
/** An entry costs 100 bytes beside its payload. */
const sizeOf = (list: readonly Entry[]) => list.reduce((sum, { payload }) => sum + payload.length + 100, 0);

function entry(index: LogIndex, sizeBytes: number): Entry {
	return { index, term: 1, kind: "command", payload: new Uint8Array(sizeBytes) };
}

function changed(list: readonly Entry[], change: Change, begin: LogIndex, next: LogIndex): Entry[] {
	switch (change.type) {
		case "push": {
			const first = next + change.gap;
			const pushed = change.sizes.map((size, place) => entry(first + place, size));
			// What is not the next one begins anew: there are no gaps in the cache.
			return pushed.length === 0 || change.gap === 0 ? [...list, ...pushed] : pushed;
		}
		case "cut":
			return list.filter(({ index }) => index < begin + change.place);
		case "evict":
		case "evict all": {
			const keepFrom = change.type === "evict" ? begin + change.place : Number.POSITIVE_INFINITY;
			const isKept = ({ index }: Entry, place: number) =>
				index >= keepFrom || sizeOf(list.slice(place)) <= cacheBytes;
			const kept = list.findIndex(isKept);
			return kept < 0 ? [] : list.slice(kept);
		}
		case "clear":
			return [];
		default: {
			const never: never = change;
			throw new Error(`unknown change ${JSON.stringify(never)}`);
		}
	}
}

function slice(list: readonly Entry[], first: LogIndex, last: LogIndex, maxBytes: number): Entry[] | null {
	const asked = list.filter(({ index }) => index >= first && index <= last);
	if (asked[0]?.index !== first) return null;
	const sum = (count: number) =>
		asked.slice(0, count).reduce((bytes, { payload }) => bytes + payload.length, 0);
	return asked.filter((_, place) => place === 0 || sum(place + 1) <= maxBytes);
}

test("the cache holds what a plain list would", () => {
	const questions = fc.array(fc.tuple(fc.integer({ min: -2, max: 9 }), fc.nat(8), fc.nat(400)), {
		minLength: 3,
		maxLength: 6,
	});
	const property = fc.property(fc.array(anyChange, { maxLength: 16 }), questions, (changes, asked) => {
		const cache = createEntryCache(cacheBytes);
		let list: Entry[] = [];
		let next = 10;
		for (const change of changes) {
			const begin = list[0]?.index ?? next;
			list = changed(list, change, begin, next);
			if (change.type === "push") {
				for (const [place, size] of change.sizes.entries())
					cache.push(entry(next + change.gap + place, size));
			} else if (change.type === "cut") cache.cut(begin + change.place);
			else if (change.type === "evict") cache.evict(begin + change.place);
			else if (change.type === "evict all") cache.evict(Number.POSITIVE_INFINITY);
			else cache.clear();
			next = (list.at(-1)?.index ?? next - 1) + 1;
			const from = list[0]?.index ?? next;
			for (const [place, length, maxBytes] of asked) {
				const [first, last] = [from + place, from + place + length - 1];
				expect(cache.slice(first, last, maxBytes)).toEqual(slice(list, first, last, maxBytes));
			}
			expect(cache.slice(from, next, 1e9)).toEqual(list.length === 0 ? null : list);
		}
	});
	fc.assert(property, { seed: 1, numRuns: 300 });
});

test("what was evicted long ago leaves no trace", () => {
	const cache = createEntryCache(10 * 100);
	// Many more than those whose places are given back at once.
	for (let index = 1; index <= 3_000; index++) {
		cache.push(entry(index, 0));
		cache.evict(index + 1);
		const held = cache.slice(Math.max(1, index - 9), index + 5, 1e9);
		expect(held?.at(0)?.index).toBe(Math.max(1, index - 9));
		expect(held?.at(-1)?.index).toBe(index);
		expect(cache.slice(index - 10, index, 1e9)).toBe(null);
	}
});

test.each([10, 5_000])("nor does it cost memory, with %i entries held", (held) => {
	const cache = createEntryCache(held * 100);
	// One that takes every index in turn: what else is there is the cache's.
	const passing = { ...entry(0, 0), index: 0 };
	const before = heapBytes();
	for (let index = 1; index <= 500_000; index++) {
		passing.index = index;
		cache.push(passing);
		cache.evict(index + 1);
	}
	// A place for each would be 4 MB.
	expect(heapBytes() - before).toBeLessThan(2e6);
	expect(cache.slice(500_000, 500_000, 1)).toEqual([passing]);
});

/** Without what is garbage already. */
function heapBytes(): number {
	setFlagsFromString("--expose-gc");
	runInNewContext("gc")();
	return memoryUsage().heapUsed;
}
