/** The compact view of the log against a twin that keeps a plain list of entries. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { LogHeader } from "./log-view.ts";
import { createLogView } from "./log-view.ts";

type Change =
	| { readonly type: "append"; readonly newTerms: number; readonly sizeBytes: number; readonly count: number }
	| { readonly type: "truncate" | "compact"; readonly part: number };

const anyChange: fc.Arbitrary<Change> = fc.oneof(
	fc.record({
		type: fc.constant("append" as const),
		newTerms: fc.nat(2),
		sizeBytes: fc.nat(50),
		count: fc.nat(400),
	}),
	fc.record({
		type: fc.constantFrom("truncate" as const, "compact" as const),
		part: fc.double({ min: 0, max: 1, noNaN: true }),
	}),
);

test("the view says what a plain list says", () => {
	const property = fc.property(fc.array(anyChange, { maxLength: 20 }), fc.nat(1_000), (changes, question) => {
		let base = { index: 3, term: 2 };
		let list: LogHeader[] = [];
		const view = createLogView(base, []);
		for (const change of changes) {
			const last = list.at(-1) ?? base;
			if (change.type === "append") {
				for (let each = 1; each <= change.count; each++) {
					const term = last.term + change.newTerms;
					const header = { index: last.index + each, term, sizeBytes: change.sizeBytes };
					list.push(header);
					view.append(header);
				}
				continue;
			}
			const index = base.index + Math.floor(change.part * list.length);
			if (change.type === "truncate") {
				view.truncateFrom(index + 1);
				list = list.filter((one) => one.index <= index);
			} else {
				view.compactTo(index);
				const held = list.find((one) => one.index === index);
				if (held !== undefined) base = { index, term: held.term };
				list = list.filter((one) => one.index > index);
			}
		}
		expect(view.base).toEqual(base);
		const { index, term } = list.at(-1) ?? base;
		expect(view.last).toEqual({ index, term });
		const asked = question % (index + 3);
		const held = asked === base.index ? base : list.find((one) => one.index === asked);
		expect(view.termAt(asked)).toBe(held?.term ?? null);
		const size = list.filter((one) => one.index > asked).reduce((sum, one) => sum + one.sizeBytes + 32, 0);
		expect(view.sizeBetween(asked, index)).toBe(size);
		const atMost = [...list].reverse().find((one) => one.index <= asked && one.term <= 4);
		if (asked > base.index && atMost !== undefined) {
			expect(view.latestWithTermAtMost(asked, 4)).toEqual({ index: atMost.index, term: atMost.term });
		}
	});
	fc.assert(property, { numRuns: 500 });
});

test("a message holds what fits, and one entry in any case", () => {
	const sizes = [0, 100, 10, 10];
	const headers = sizes.map((sizeBytes, place) => ({ index: place + 1, term: 1, sizeBytes }));
	const view = createLogView({ index: 0, term: 0 }, headers);
	expect(view.lastWithin(1, 1)).toBe(1);
	expect(view.lastWithin(1, 32 + 132)).toBe(2);
	expect(view.lastWithin(2, 1)).toBe(2);
	expect(view.lastWithin(1, 10_000)).toBe(4);
});
