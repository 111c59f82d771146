/** The modes against a twin that asks the question itself: who has this index on disk? */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ofRandomRuns } from "../../world/testing/random-share.ts";
import { type Acknowledgement, acknowledgedIndex, isEarly, waitsForFollowers } from "./acknowledgement.ts";
import type { Standing } from "./standing.ts";

const anyIndex = fc.nat(8);
const anyStanding: fc.Arbitrary<Standing> = fc.record({
	durableIndex: anyIndex,
	commitIndex: anyIndex,
	matchOfOthers: fc.array(fc.array(anyIndex, { maxLength: 6 }), { minLength: 1, maxLength: 2 }),
	appliedIndex: anyIndex,
	appliedInSync: fc.array(anyIndex, { maxLength: 6 }),
	appliedOfVoters: fc.array(anyIndex, { maxLength: 6 }),
	matchInChain: fc.array(anyIndex, { maxLength: 6 }),
	appliedAtTail: anyIndex,
});
const anyAcknowledgement: fc.Arbitrary<Acknowledgement> = fc.oneof(
	fc.constant<Acknowledgement>({ mode: "async" }),
	fc.record({ mode: fc.constant("semi-sync" as const), followers: fc.integer({ min: 1, max: 7 }) }),
	fc.constant<Acknowledgement>({ mode: "quorum" }),
	fc.record({ mode: fc.constant("sync" as const), strict: fc.boolean() }),
	fc.constant<Acknowledgement>({ mode: "chain" }),
);

function isMet(standing: Standing, acknowledgement: Acknowledgement, index: number): boolean {
	if (standing.durableIndex < index) return false;
	switch (acknowledgement.mode) {
		case "async":
			return true;
		case "semi-sync":
			return standing.matchOfOthers.every(
				(half) => half.filter((match) => match >= index).length >= acknowledgement.followers,
			);
		case "quorum":
			return standing.commitIndex >= index;
		case "chain":
			return (
				standing.commitIndex >= index &&
				standing.appliedAtTail >= index &&
				standing.matchInChain.every((match) => match >= index)
			);
		case "sync":
			return (
				standing.commitIndex >= index &&
				standing.appliedIndex >= index &&
				standing.appliedInSync.every((applied) => applied >= index) &&
				(!acknowledgement.strict || standing.appliedOfVoters.every((applied) => applied >= index))
			);
	}
}

test("a mode has reached the highest index for which it is met", () => {
	const property = fc.property(anyStanding, anyAcknowledgement, (standing, acknowledgement) => {
		const reached = acknowledgedIndex(standing, acknowledgement);
		for (let index = 1; index <= 9; index++)
			expect(index <= reached).toBe(isMet(standing, acknowledgement, index));
	});
	fc.assert(property, { numRuns: ofRandomRuns(20_000) });
});

test("only what is not committed by its answer can be lost", () => {
	expect(isEarly({ mode: "async" })).toBe(true);
	expect(isEarly({ mode: "semi-sync", followers: 1 })).toBe(true);
	expect(isEarly({ mode: "quorum" })).toBe(false);
	expect(isEarly({ mode: "sync", strict: false })).toBe(false);
	expect(isEarly({ mode: "chain" })).toBe(false);
});

test("only what asks for more than a majority may wait after the commit", () => {
	expect(waitsForFollowers({ mode: "async" })).toBe(false);
	expect(waitsForFollowers({ mode: "semi-sync", followers: 1 })).toBe(true);
	expect(waitsForFollowers({ mode: "quorum" })).toBe(false);
	expect(waitsForFollowers({ mode: "sync", strict: false })).toBe(true);
	expect(waitsForFollowers({ mode: "chain" })).toBe(true);
});
