import fc from "fast-check";
import { expect, test } from "vitest";
import { createJsonValueCount } from "./json-values.ts";

/** An empty list or object counts as one with a value. */
function countOf(value: unknown): number {
	if (typeof value !== "object" || value === null) return 1;
	const children: unknown[] = Object.values(value);
	return (
		1 +
		Math.max(
			1,
			children.reduce((sum: number, child) => sum + countOf(child), 0),
		)
	);
}

test("the values of any JSON text are counted, wherever it is cut", () => {
	fc.assert(
		fc.property(fc.jsonValue(), fc.array(fc.nat(200)), fc.constantFrom(0, 2), (value, cuts, indent) => {
			const bytes = new TextEncoder().encode(JSON.stringify(value, null, indent));
			const count = createJsonValueCount();
			let from = 0;
			for (const length of cuts) {
				count.add(bytes.subarray(from, from + length));
				from += length;
			}
			expect(count.add(bytes.subarray(from))).toBe(countOf(value));
		}),
	);
});

test("what is inside of a string is no value", () => {
	const text = JSON.stringify(['a,b,[c,{d"e,\\', "\\", ",", "\u20ac,"]);
	expect(createJsonValueCount().add(new TextEncoder().encode(text))).toBe(5);
});
