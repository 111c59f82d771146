import { expect, test } from "vitest";
import { initialConfiguration } from "../../consensus/configuration.ts";
import type { Position } from "../../consensus/types.ts";
import { mustBeConfirmed, planRecovery } from "./recovery-plan.ts";
import type { OtherSurvivor, Survivor } from "./survivor.ts";

const at = (term: number, index: number): Position => ({ term, index });

function survivor(members: number, last: Position, applied = last.index): Survivor {
	const ids = Array.from({ length: members }, (_, place) => `n${place + 1}`);
	return {
		identity: { clusterId: "c", nodeId: "n1", incarnation: "i" },
		promise: { term: last.term, votedFor: null },
		base: at(0, 0),
		last,
		applied,
		configurations: [initialConfiguration(ids.map((id) => ({ id, peer: `${id}:1` })))],
	};
}

const other = (node: string, last: Position, clusterId = "c"): OtherSurvivor => ({
	at: `/${node}`,
	clusterId,
	node,
	last,
});

test("one of three says what it keeps as if committed, and that it cannot know what it lost", () => {
	const plan = planRecovery(survivor(3, at(3, 100), 95), [], []);
	expect(plan).toMatchObject({
		committedIndex: 95,
		keptAsCommitted: { first: 96, last: 100 },
		seesAllCommitted: false,
		mayLoseFrom: 101,
		givenUp: ["n2", "n3"],
		sentence: "n2 and n3 are gone for good, and what came after 3.100 is lost",
	});
	expect(() => mustBeConfirmed(plan, null)).toThrow(plan.sentence);
	expect(() => mustBeConfirmed(plan, "n2 and n3 are gone for good")).toThrow(plan.sentence);
	mustBeConfirmed(plan, plan.sentence);
});

test("two of four meet every majority: the best of them has all that was committed", () => {
	const plan = planRecovery(survivor(4, at(3, 100)), [other("n2", at(3, 99))], []);
	expect(plan).toMatchObject({ seesAllCommitted: true, mayLoseFrom: null, keptAsCommitted: null });
	expect(plan.sentence).toBe("n2, n3 and n4 are gone for good");
});

test.each([
	["an index further", at(3, 101)],
	["a later term, though shorter", at(4, 7)],
])("one that is not the best is refused but by a sentence that names what it loses: %s", (_, better) => {
	const plan = planRecovery(survivor(5, at(3, 100)), [other("n2", better)], []);
	expect(plan.best.node).toBe("n2");
	expect(plan.mayLoseFrom).toBe(101);
	expect(() => mustBeConfirmed(plan, null)).toThrow("n1 is not the best survivor");
	expect(plan.sentence).toContain(`what n2 has up to ${better.term}.${better.index} is lost`);
});

test("of four, the other of two survivors may have what was committed", () => {
	const plan = planRecovery(survivor(4, at(3, 100)), [other("n2", at(3, 101))], []);
	expect(plan).toMatchObject({ seesAllCommitted: true, mayLoseFrom: 101 });
});

test("who still takes connections is named in the sentence", () => {
	const { sentence } = planRecovery(survivor(3, at(3, 100)), [], ["n2"]);
	expect(sentence).toBe(
		"n2 and n3 are gone for good, though n2 still takes connections, and what came after 3.100 is lost",
	);
});

test("where a majority is left nothing is recovered", () => {
	expect(() => planRecovery(survivor(3, at(3, 9)), [other("n2", at(3, 9))], [])).toThrow(
		"n1 and n2 are a majority: start them",
	);
	expect(() => planRecovery(survivor(1, at(3, 9)), [], [])).toThrow("a majority by itself: start it");
});

test("a survivor of another cluster is no survivor", () => {
	expect(() => planRecovery(survivor(3, at(3, 9)), [other("n2", at(3, 9), "d")], [])).toThrow(
		"belongs to cluster d",
	);
});

test("a change of members that may be committed counts as well as the one before", () => {
	const one = survivor(3, at(3, 100));
	// Alone it meets every majority of the new members, and none of the old: those may have committed more.
	const [before] = one.configurations;
	if (before === undefined) throw new Error("no configuration");
	const joint = { ...before, outgoingVoters: before.voters, voters: ["n1", "n2"] };
	const plan = planRecovery({ ...one, configurations: [before, joint] }, [], []);
	expect(plan.seesAllCommitted).toBe(false);
});

function withWitness(one: Survivor, witness: string): Survivor {
	const marked = one.configurations.map((configuration) => ({
		...configuration,
		members: configuration.members.map(({ id, peer }) =>
			id === witness ? { id, peer, witness: true as const } : { id, peer },
		),
	}));
	return { ...one, configurations: marked };
}

test("a witness that knows of more is no better survivor, and no majority with one that has less: it says what is lost", () => {
	const one = withWitness(survivor(3, at(3, 100)), "n3");
	const plan = planRecovery(one, [other("n3", at(3, 117))], ["n3"]);
	expect(plan).toMatchObject({
		best: { node: "n1" },
		witness: { node: "n3", last: at(3, 117) },
		mayLoseFrom: 101,
		sentence:
			"n2 and n3 are gone for good, though n3 still takes connections, and what n3 knows of up to 3.117 is lost",
	});
	expect(() => mustBeConfirmed(plan, null)).toThrow("can never again take part");
	// It would vote for n1.
	expect(() => planRecovery(one, [other("n3", at(3, 100))], [])).toThrow(
		"n1 and n3 are a majority: start them",
	);
});

test("nothing is recovered from a witness", () => {
	const one = withWitness(survivor(3, at(3, 100)), "n1");
	expect(() => planRecovery(one, [], [])).toThrow("n1 is a witness and holds no data");
});
