import fc from "fast-check";
import { expect, test } from "vitest";
import { createAppliedIndex } from "./applied-index.ts";

test("everybody is called once, when the index is there, not before", () => {
	fc.assert(
		fc.property(
			fc.array(
				fc.oneof(
					fc.record({ type: fc.constant("advance" as const), by: fc.integer({ min: 0, max: 5 }) }),
					fc.record({ type: fc.constant("wait" as const), for: fc.integer({ min: 0, max: 30 }) }),
					fc.record({ type: fc.constant("give up" as const), which: fc.nat(3) }),
				),
				{ maxLength: 40, size: "max" },
			),
			(steps) => {
				const applied = createAppliedIndex({ term: 1, index: 3 });
				let begun = 0;
				applied.onWait = () => {
					begun++;
				};
				const waits: { index: number; calls: number; isOver: boolean; end: () => void }[] = [];
				for (const step of steps) {
					const { index } = applied.position;
					if (step.type === "advance") applied.advance({ term: 1, index: index + step.by });
					else if (step.type === "give up") {
						const wait = waits[step.which];
						wait?.end();
						if (wait !== undefined && wait.calls === 0) wait.isOver = true;
					} else {
						const wait = { index: step.for, calls: 0, isOver: false, end: () => {} };
						wait.end = applied.whenReached(step.for, () => {
							expect(applied.position.index).toBeGreaterThanOrEqual(step.for);
							wait.calls++;
						});
						waits.push(wait);
					}
					const position = applied.position.index;
					for (const wait of waits) expect(wait.calls).toBe(!wait.isOver && wait.index <= position ? 1 : 0);
					expect(applied.awaited()).toBe(waits.some((wait) => wait.calls === 0 && !wait.isOver));
				}
				expect(begun).toBeLessThanOrEqual(waits.length);
			},
		),
	);
});

test("whoever begins to wait is told to the loop, once, and who need not wait is not", () => {
	const applied = createAppliedIndex({ term: 1, index: 3 });
	let begun = 0;
	applied.onWait = () => {
		begun++;
	};
	applied.whenReached(3, () => {});
	expect(begun).toBe(0);
	applied.whenReached(4, () => {});
	applied.whenReached(4, () => {});
	expect(begun).toBe(2);
});

test("it never goes back, nor does a new wait from inside a call get lost", () => {
	const applied = createAppliedIndex({ term: 1, index: 3 });
	const heard: number[] = [];
	applied.whenReached(4, () => {
		heard.push(4);
		applied.whenReached(5, () => heard.push(5));
		applied.whenReached(4, () => heard.push(44));
	});
	applied.advance({ term: 1, index: 4 });
	expect(heard).toEqual([4, 44]);
	applied.advance({ term: 2, index: 5 });
	expect(heard).toEqual([4, 44, 5]);
	expect(() => applied.advance({ term: 2, index: 4 })).toThrow("went back");
	expect(applied.position).toEqual({ term: 2, index: 5 });
});

test("pieces of a transaction that is not whole hold nobody up, and do not move the position", () => {
	const applied = createAppliedIndex({ term: 1, index: 3 });
	const reached: number[] = [];
	for (const index of [5, 7]) applied.whenReached(index, () => reached.push(index));
	applied.reflects(6);
	expect([reached, applied.position.index, applied.awaited()]).toEqual([[5], 3, true]);
	applied.whenReached(6, () => reached.push(6));
	applied.reflects(4);
	applied.advance({ term: 1, index: 7 });
	expect([reached, applied.awaited()]).toEqual([[5, 6, 7], false]);
});

test("whoever waits for more than another leader may have is told, and waits no more", () => {
	const applied = createAppliedIndex({ term: 1, index: 3 });
	const heard: string[] = [];
	applied.whenReached(
		9,
		() => heard.push("9"),
		() => heard.push("overtaken"),
	);
	applied.whenReached(5, () => heard.push("5"));
	applied.leaderChanged();
	expect(heard).toEqual(["overtaken"]);
	applied.advance({ term: 2, index: 10 });
	expect(heard).toEqual(["overtaken", "5"]);
});
