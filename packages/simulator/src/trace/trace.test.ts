import { expect, test } from "vitest";
import { createTrace } from "./trace.ts";

function traced(events: readonly (readonly [at: number, value: string | number | boolean | null])[]): string {
	let now = 0;
	const trace = createTrace({ now: () => now, kept: 3 });
	for (const [at, value] of events) {
		now = at;
		trace.tell({ type: "test", value });
	}
	return trace.hash();
}

test("the hash tells events, their order and their times apart", () => {
	const hashes = [
		traced([]),
		traced([[1, "a"]]),
		traced([[1.01, "a"]]),
		traced([[2 ** 40, "a"]]),
		traced([[1, "b"]]),
		traced([[1, 1]]),
		traced([[1, true]]),
		traced([[1, null]]),
		traced([
			[1, "a"],
			[1, "b"],
		]),
		traced([
			[1, "b"],
			[1, "a"],
		]),
	];
	expect(new Set(hashes).size).toBe(hashes.length);
	expect(traced([[1, "a"]])).toBe(hashes[1]);
});

test("the last events are kept, the oldest first", () => {
	let now = 0;
	const trace = createTrace({ now: () => now, kept: 3 });
	for (now = 1; now < 8; now++) trace.tell({ type: "test", number: now });
	expect(trace.last().map(({ at }) => at)).toEqual([5, 6, 7]);
	expect(trace.counts.get("test")).toBe(7);
});
