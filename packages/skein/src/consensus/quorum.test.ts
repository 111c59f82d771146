/** The quorum against a twin that asks the question itself: is there a majority that has reached v? */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ofRandomRuns } from "../world/testing/random-share.ts";
import { isQuorum, majorityValue, quorumValue } from "./quorum.ts";
import type { Configuration, NodeId } from "./types.ts";

const names = ["n1", "n2", "n3", "n4", "n5", "n6", "n7"];

/** Tries every value that anybody has, from the highest on. */
function naiveQuorumValue(configuration: Configuration, values: ReadonlyMap<NodeId, number>): number {
	const reached = (voters: readonly NodeId[], value: number): boolean =>
		2 * voters.filter((voter) => (values.get(voter) ?? 0) >= value).length > voters.length ||
		voters.length === 0;
	const candidates = [...new Set([0, ...values.values()])].sort((a, b) => b - a);
	const isReached = (value: number): boolean =>
		reached(configuration.voters, value) && reached(configuration.outgoingVoters, value);
	return candidates.find(isReached) ?? 0;
}

const anyConfiguration = fc.record({
	members: fc.constant([]),
	voters: fc.subarray(names, { minLength: 1 }),
	outgoingVoters: fc.subarray(names),
	learners: fc.constant([]),
	joining: fc.constant([]),
	retired: fc.constant([]),
});
const anyValues = fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), fc.nat(6))));

test("a quorum's value is what the naive twin finds", () => {
	const property = fc.property(anyConfiguration, anyValues, (configuration, pairs) => {
		const values = new Map(pairs);
		const found = quorumValue(configuration, (voter) => values.get(voter) ?? 0);
		expect(found).toBe(naiveQuorumValue(configuration, values));
	});
	fc.assert(property, { numRuns: ofRandomRuns(20_000) });
});

test("two quorums of one configuration always share a voter", () => {
	const property = fc.property(anyConfiguration, fc.subarray(names), (configuration, ones) => {
		const isOne = isQuorum(configuration, (voter) => ones.includes(voter));
		const isOther = isQuorum(configuration, (voter) => !ones.includes(voter));
		expect(isOne && isOther).toBe(false);
	});
	fc.assert(property, { numRuns: ofRandomRuns(10_000) });
});

test("nobody is a quorum where nobody votes", () => {
	const empty = { members: [], voters: [], outgoingVoters: [], learners: [], joining: [], retired: [] };
	expect(isQuorum(empty, () => true)).toBe(false);
	expect(quorumValue(empty, () => 9)).toBe(0);
});

test("an empty half of a configuration holds nothing back", () => {
	expect(majorityValue([], () => 0)).toBe(Number.POSITIVE_INFINITY);
});
