import fc from "fast-check";
import { expect, test } from "vitest";
import { createCommitWait } from "./commit-wait.ts";
import type { Deadline } from "./deadlines.ts";

/** A clock with fractions, and deadlines that end exactly when they are due. */
function setUp(startsAt: number, limitMs: number) {
	let now = startsAt;
	let overdue = 0;
	const set: { readonly at: number; readonly expire: () => void }[] = [];
	const wait = createCommitWait({
		clock: { now: () => now, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
		deadlines: {
			add(at, expire): Deadline {
				set.push({ at, expire });
				return { cancel() {} };
			},
			stop() {},
		},
		limitMs,
		onOverdue: () => overdue++,
	});
	return {
		wait,
		set,
		overdue: () => overdue,
		to: (at: number): void => {
			now = at;
		},
	};
}

test("when nothing moved until the deadline it is overdue, whatever sums and differences round to", () => {
	const fraction = fc.double({ min: 0, max: 100_000, noNaN: true });
	fc.assert(
		fc.property(fraction, fc.double({ min: 1, max: 10_000, noNaN: true }), (startsAt, limitMs) => {
			const { wait, set, overdue, to } = setUp(startsAt, limitMs);
			void wait.wait(5);
			const [deadline] = set;
			if (deadline === undefined) throw new Error("nothing watches");
			to(deadline.at);
			deadline.expire();
			expect(overdue()).toBe(1);
			expect(set.length).toBe(1);
		}),
		{ numRuns: 5_000 },
	);
});

test("what was committed meanwhile moves the deadline", () => {
	const { wait, set, overdue, to } = setUp(0, 100);
	void wait.wait(5);
	to(60);
	wait.onCommit(3);
	to(100);
	set[0]?.expire();
	expect([overdue(), set[1]?.at]).toEqual([0, 160]);
	to(160);
	set[1]?.expire();
	expect([overdue(), wait.overdue]).toEqual([1, true]);
});
