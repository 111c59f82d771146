/**
 * Leader and follower logs of random terms: probing must find where they agree, in few steps, and
 * never believe more than the naive comparison of the two logs shows.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ofRandomRuns } from "../world/testing/random-share.ts";
import type { LogView } from "./log-view.ts";
import { createLogView } from "./log-view.ts";
import { acceptUpTo, createProgress, rejectAt } from "./progress.ts";

/** Both logs share a beginning and then differ: terms grow along each. */
const anyLogs = fc
	.record({
		shared: fc.nat(20),
		leader: fc.array(fc.nat(1), { minLength: 1, maxLength: 60 }),
		follower: fc.array(fc.nat(1), { maxLength: 60 }),
	})
	.map(({ shared, leader, follower }) => {
		const common = Array.from({ length: shared }, (_, place) => 1 + Math.floor(place / 5));
		const grow = (steps: readonly number[], from: number): number[] => {
			let term = from;
			return steps.map((step) => (term += 2 * step));
		};
		// Odd terms for one, even ones for the other: no entry beyond the shared ones is the same.
		return { ours: [...common, ...grow(leader, 11)], theirs: [...common, ...grow(follower, 10)], shared };
	});

function viewOf(terms: readonly number[]): LogView {
	const headers = terms.map((term, place) => ({ index: place + 1, term, sizeBytes: 0 }));
	return createLogView({ index: 0, term: 0 }, headers);
}

test("probing finds the end of the shared part, a term a step", () => {
	const property = fc.property(anyLogs, ({ ours, theirs, shared }) => {
		const leader = viewOf(ours);
		const follower = viewOf(theirs);
		const progress = createProgress(ours.length, 0);
		let steps = 0;
		for (; progress.mode === "probing"; steps++) {
			const index = progress.nextIndex - 1;
			const term = leader.termAt(index) ?? 0;
			if (follower.termAt(index) === term) {
				acceptUpTo(progress, index, 0);
				break;
			}
			const hint = follower.latestWithTermAtMost(index, term);
			const agree = leader.latestWithTermAtMost(hint.index, hint.term);
			expect(rejectAt(progress, index, agree.index)).toBe(true);
			expect(progress.nextIndex - 1).toBeLessThan(index);
		}
		expect(progress.matchIndex).toBe(shared);
		const terms = new Set([...ours.slice(shared), ...theirs.slice(shared)]).size;
		expect(steps).toBeLessThanOrEqual(terms + 1);
	});
	fc.assert(property, { numRuns: ofRandomRuns(3_000) });
});

test("a late refusal does not undo what was acknowledged", () => {
	const progress = createProgress(10, 0);
	acceptUpTo(progress, 10, 0);
	expect(rejectAt(progress, 10, 4)).toBe(false);
	expect(rejectAt(progress, 5, 4)).toBe(false);
	expect([progress.mode, progress.matchIndex, progress.nextIndex]).toEqual(["replicating", 10, 11]);
});
