/**
 * Leader and follower logs of random terms: probing must find where they agree, in few steps, and
 * never believe more than the naive comparison of the two logs shows.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ofRandomRuns } from "../world/testing/random-share.ts";
import type { LogView } from "./log-view.ts";
import { createLogView } from "./log-view.ts";
import {
	acceptUpTo,
	becomeProbing,
	becomeSnapshot,
	createProgress,
	type Progress,
	rejectAt,
} from "./progress.ts";

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

/** Where it stands, and what is on its way. */
const standOf = ({ mode, matchIndex, nextIndex, probeSent, moved }: Progress) => ({
	mode,
	matchIndex,
	nextIndex,
	probeSent,
	moved,
});

function progressAt(changes: Partial<Progress>): Progress {
	return { ...createProgress(10, 0), ...changes };
}

test("at first nothing has been acknowledged, and where the logs agree is asked for at the end", () => {
	expect(createProgress(10, 7)).toEqual({
		matchIndex: 0,
		nextIndex: 11,
		mode: "probing",
		probeSent: false,
		probeRound: 0,
		moved: false,
		since: 7,
		lastContact: null,
		confirmedRound: 0,
		sentCommitIndex: 0,
		askedIndex: 0,
		owed: null,
	});
});

test("an acknowledgement ends the probing, wherever the log begins, and moves a stream on", () => {
	const progress = progressAt({ probeSent: true });
	acceptUpTo(progress, 4, 6);
	const streaming = { mode: "replicating", matchIndex: 4, nextIndex: 5, probeSent: false, moved: true };
	expect(standOf(progress)).toEqual(streaming);
	Object.assign(progress, { nextIndex: 9, moved: false });
	// The same once more, and one that is older.
	acceptUpTo(progress, 4, 0);
	acceptUpTo(progress, 3, 0);
	expect(standOf(progress)).toEqual({ ...streaming, nextIndex: 9, moved: false });
	acceptUpTo(progress, 7, 0);
	expect(standOf(progress)).toEqual({ ...streaming, matchIndex: 7, nextIndex: 9 });
	// What was sent before it was probed anew counts too.
	acceptUpTo(progress, 12, 0);
	expect(standOf(progress)).toEqual({ ...streaming, matchIndex: 12, nextIndex: 13 });
	// Whatever comes between, that it moved is known until somebody has looked.
	acceptUpTo(progress, 12, 0);
	expect(progress.moved).toBe(true);
});

test("a snapshot goes on until the follower has got to where the log begins", () => {
	const progress = progressAt({ probeSent: true });
	becomeSnapshot(progress);
	expect([progress.mode, progress.probeSent]).toEqual(["snapshot", false]);
	acceptUpTo(progress, 5, 6);
	expect([progress.mode, progress.matchIndex]).toEqual(["snapshot", 5]);
	acceptUpTo(progress, 6, 6);
	expect(standOf(progress)).toMatchObject({ mode: "replicating", matchIndex: 6, nextIndex: 7 });
});

test("a refusal moves a probe back to where both may agree, stops a stream, and counts for nothing else", () => {
	const probing = progressAt({ matchIndex: 5, probeSent: true });
	expect(rejectAt(probing, 9, 8)).toBe(false);
	expect(standOf(probing)).toMatchObject({ mode: "probing", nextIndex: 11, probeSent: true });
	expect(rejectAt(probing, 10, 8)).toBe(true);
	expect(standOf(probing)).toMatchObject({ mode: "probing", nextIndex: 9, probeSent: false });
	// It acknowledged more than it says that it has.
	expect(rejectAt(probing, 8, 2)).toBe(true);
	expect(probing.nextIndex).toBe(6);
	const streaming = progressAt({ mode: "replicating", matchIndex: 5, probeSent: true });
	expect(rejectAt(streaming, 8, 2)).toBe(true);
	expect(standOf(streaming)).toMatchObject({ mode: "probing", nextIndex: 6, probeSent: false });
	const waiting = progressAt({ mode: "snapshot", matchIndex: 5 });
	expect(rejectAt(waiting, 10, 8)).toBe(false);
	expect(standOf(waiting)).toMatchObject({ mode: "snapshot", nextIndex: 11 });
	becomeProbing(waiting);
	expect(standOf(waiting)).toMatchObject({ mode: "probing", nextIndex: 6 });
});
