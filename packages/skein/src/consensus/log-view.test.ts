/** The compact view of the log against a twin that keeps a plain list of entries. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { LogHeader } from "./log-view.ts";
import { createLogView, isUpToDate } from "./log-view.ts";

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
		part: fc.nat(100),
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
			const index = base.index + Math.floor((change.part / 100) * list.length);
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
		// Down to the base, below which nothing is known but that it is committed.
		const place = Math.min(asked, index);
		const below = { index: Math.min(place, base.index), term: base.term };
		for (const atMost of [1, 2, 4, 9]) {
			const found = [...list].reverse().find((one) => one.index <= place && one.term <= atMost);
			const expected = found === undefined ? below : { index: found.index, term: found.term };
			expect(view.latestWithTermAtMost(asked, atMost)).toEqual(expected);
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

test.each([
	["of a later term, and shorter", { term: 3, index: 1 }, true],
	["as long", { term: 2, index: 5 }, true],
	["longer", { term: 2, index: 6 }, true],
	["shorter", { term: 2, index: 4 }, false],
	["of an older term, and longer", { term: 1, index: 9 }, false],
])("a log that is %s", (_is, candidate, expected) => {
	expect(isUpToDate(candidate, { term: 2, index: 5 })).toBe(expected);
});

/** 6 and 7 of term 2, 8 of term 4, behind the base 5. */
function short() {
	const headers = [2, 2, 4].map((term, place) => ({ index: 6 + place, term, sizeBytes: 8 }));
	return createLogView({ index: 5, term: 1 }, headers);
}

test("what cannot come next, be cut or be compacted stops the member, and changes nothing", () => {
	const view = short();
	expect(() => view.append({ index: 10, term: 4, sizeBytes: 0 })).toThrow("entry 10 after 8");
	expect(() => view.append({ index: 8, term: 4, sizeBytes: 0 })).toThrow("entry 8 after 8");
	expect(() => view.append({ index: 9, term: 3, sizeBytes: 0 })).toThrow("term 3 after 4");
	expect(() => view.truncateFrom(5)).toThrow("cut at 5, at or below the base 5");
	expect(() => view.compactTo(9)).toThrow("compaction to 9 beyond the end 8");
	expect([view.base, view.last]).toEqual([
		{ index: 5, term: 1 },
		{ index: 8, term: 4 },
	]);
});

test("of a run of one term that is compacted in the middle, nothing is known below that", () => {
	const view = short();
	view.append({ index: 9, term: 4, sizeBytes: 8 });
	view.compactTo(8);
	expect(view.latestWithTermAtMost(9, 4)).toEqual({ index: 9, term: 4 });
	expect(view.latestWithTermAtMost(9, 2)).toEqual({ index: 8, term: 4 });
	expect(view.latestWithTermAtMost(7, 2)).toEqual({ index: 7, term: 4 });
});

test("a cut behind the end cuts nothing", () => {
	const view = short();
	view.truncateFrom(12);
	expect(view.last).toEqual({ index: 8, term: 4 });
	expect(view.termAt(9)).toBeNull();
});

test("after everything was forgotten it is as if it had begun there", () => {
	const view = short();
	view.reset({ index: 20, term: 5 });
	expect([view.base, view.last]).toEqual([
		{ index: 20, term: 5 },
		{ index: 20, term: 5 },
	]);
	view.append({ index: 21, term: 6, sizeBytes: 8 });
	expect([19, 20, 21].map((index) => view.termAt(index))).toEqual([null, 5, 6]);
	expect(view.sizeBetween(0, 30)).toBe(40);
	expect(view.latestWithTermAtMost(21, 5)).toEqual({ index: 20, term: 5 });
});

test("what is compacted costs no memory, however much was ever there", () => {
	const view = createLogView({ index: 0, term: 1 }, []);
	const before = process.memoryUsage().arrayBuffers;
	for (let index = 1; index <= 200_000; index++) {
		view.append({ index, term: 1, sizeBytes: 0 });
		if (index % 100 === 0) view.compactTo(index - 10);
	}
	expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200_000);
});
