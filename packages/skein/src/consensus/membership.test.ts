/** From one configuration to the next: what a change leads to, and that neighbours always share a voter. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ofRandomRuns } from "../world/testing/random-share.ts";
import { initialConfiguration, maxRetired, validateConfiguration } from "./configuration.ts";
import { isJoint, leaveJoint, planChange } from "./membership.ts";
import { type Configuration, electorNames, type MemberChange, type NodeId } from "./types.ts";

const three = initialConfiguration(["n1", "n2", "n3"].map((id) => ({ id, peer: `${id}:1` })));

function planned(from: Configuration, ...changes: MemberChange[]): Configuration {
	const plan = planChange(from, changes);
	if (plan.type !== "change") throw new Error(JSON.stringify(plan));
	return plan.next;
}

function refusal(from: Configuration, ...changes: MemberChange[]): string {
	const plan = planChange(from, changes);
	return plan.type === "refused" ? `${plan.reason}: ${plan.why}` : plan.type;
}

const add = (id: NodeId, as: "voter" | "joining" | "learner" | "witness"): MemberChange => ({
	change: "add",
	id,
	peer: `${id}:1`,
	as,
});

test("learners and addresses change in one step, voters through a joint configuration", () => {
	const withLearner = planned(three, add("n4", "learner"));
	expect(isJoint(withLearner)).toBe(false);
	expect(withLearner.learners).toEqual(["n4"]);
	const joint = planned(withLearner, { change: "promote", id: "n4" }, { change: "remove", id: "n1" });
	expect(joint).toEqual({
		members: ["n1", "n2", "n3", "n4"].map((id) => ({ id, peer: `${id}:1` })),
		voters: ["n2", "n3", "n4"],
		outgoingVoters: ["n1", "n2", "n3"],
		learners: [],
		joining: [],
		retired: [],
	});
	expect(leaveJoint(joint)).toEqual({
		members: ["n2", "n3", "n4"].map((id) => ({ id, peer: `${id}:1` })),
		voters: ["n2", "n3", "n4"],
		outgoingVoters: [],
		learners: [],
		joining: [],
		retired: ["n1"],
	});
	const moved = planned(three, { change: "move", id: "n2", peer: "elsewhere:7" });
	expect(moved.members[1]).toEqual({ id: "n2", peer: "elsewhere:7" });
	expect(isJoint(moved)).toBe(false);
});

test("a priority changes in one step, stays with its member, and goes with it", () => {
	const one = planned(three, { change: "priority", id: "n1", priority: "never" });
	expect(isJoint(one)).toBe(false);
	expect(one.members[0]).toEqual({ id: "n1", peer: "n1:1", priority: "never" });
	expect(planChange(one, [{ change: "priority", id: "n1", priority: "never" }]).type).toBe("nothing-to-do");
	const moved = planned(one, { change: "move", id: "n1", peer: "elsewhere:7" });
	expect(moved.members[0]).toEqual({ id: "n1", peer: "elsewhere:7", priority: "never" });
	const joint = planned(one, { change: "demote", id: "n1" });
	expect([joint, leaveJoint(joint)].map(({ members }) => members[0]?.priority)).toEqual(["never", "never"]);
	expect(planned(one, { change: "priority", id: "n1", priority: "normal" })).toEqual(three);
	const others = ["n2", "n3"].map((id): MemberChange => ({ change: "remove", id }));
	expect(planChange(one, others)).toMatchObject({ type: "refused", reason: "invalid" });
	expect(planChange(one, [{ change: "priority", id: "n9", priority: "never" }]).type).toBe("refused");
});

test("a voter that is demoted learns from the joint phase on, and still votes in it", () => {
	const joint = planned(three, { change: "demote", id: "n3" });
	expect(joint.learners).toEqual(["n3"]);
	expect(joint.outgoingVoters).toContain("n3");
	expect(leaveJoint(joint).learners).toEqual(["n3"]);
});

test("who joins is a learner, and a voter no less for being asked for again", () => {
	const joining = planned(three, add("n4", "joining"));
	expect([joining.learners, joining.joining]).toEqual([["n4"], ["n4"]]);
	const joint = planned(joining, { change: "promote", id: "n4" });
	expect([joint.voters.includes("n4"), joint.learners, joint.joining]).toEqual([true, [], []]);
	expect(refusal(leaveJoint(joint), add("n4", "joining"))).toBe("nothing-to-do");
	const learner = planned(joining, { change: "demote", id: "n4" });
	expect([learner.learners, learner.joining]).toEqual([["n4"], []]);
	expect(planned(learner, add("n4", "joining")).joining).toEqual(["n4"]);
	// Nor less of a candidate for a vote, and nothing of it is left once it is removed.
	expect(refusal(joining, add("n4", "learner"))).toBe("nothing-to-do");
	const gone = planned(joining, { change: "remove", id: "n4" });
	expect(gone).toEqual({ ...three, retired: ["n4"] });
});

test("two members change their addresses with each other", () => {
	const swapped = planned(
		three,
		{ change: "move", id: "n1", peer: "n2:1" },
		{ change: "move", id: "n2", peer: "n1:1" },
	);
	expect(swapped.members.map(({ id, peer }) => `${id} at ${peer}`)).toEqual([
		"n1 at n2:1",
		"n2 at n1:1",
		"n3 at n3:1",
	]);
});

test("nobody moves to where another member is, nor is added there", () => {
	const at = "invalid: n1 and n2 would both be at n2:1";
	expect(refusal(three, { change: "move", id: "n1", peer: "n2:1" })).toBe(at);
	expect(refusal(three, { change: "move", id: "n3", peer: "n2:1" })).toBe(
		"invalid: n2 and n3 would both be at n2:1",
	);
	const behindEachOther: MemberChange[] = [
		{ change: "move", id: "n2", peer: "n4:1" },
		{ change: "move", id: "n1", peer: "n2:1" },
		{ change: "move", id: "n2", peer: "n2:1" },
	];
	expect(refusal(three, ...behindEachOther)).toBe(at);
	expect(refusal(three, { change: "add", id: "n4", peer: "n2:1", as: "learner" })).toMatch(
		/n2 is at n2:1 already/,
	);
});

test("in whatever order they were named and added, the same members come out the same", () => {
	const [n1, n2, n3] = three.members;
	if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error("three members");
	const mixed = { ...three, members: [n3, n1, n2], voters: ["n3", "n1", "n2"] };
	const changes = [add("n6", "joining"), add("n5", "voter"), add("n4", "joining")];
	const joint = planned(mixed, ...changes);
	expect(joint).toEqual(planned(three, ...changes.toReversed()));
	expect(joint).toMatchObject({
		voters: ["n1", "n2", "n3", "n5"],
		outgoingVoters: ["n1", "n2", "n3"],
		learners: ["n4", "n6"],
		joining: ["n4", "n6"],
	});
});

test("of the ids that are used up the oldest are forgotten when there are too many", () => {
	const retired = Array.from({ length: maxRetired }, (_, place) => `old${place}`);
	const withLearner = planned({ ...three, retired }, add("n4", "learner"));
	expect(withLearner.retired).toEqual(retired);
	const gone = planned(withLearner, { change: "remove", id: "n4" });
	expect(gone.retired).toEqual([...retired.slice(1), "n4"]);
});

test("also the joint phase between must be one that can be: one of too many members is refused", () => {
	const learners = Array.from({ length: 61 }, (_, place) => `l${place}`);
	const full = planned(three, ...learners.map((id) => add(id, "learner")));
	expect(full.members).toHaveLength(64);
	// One goes and one comes: those that were and those that will be are 65.
	expect(refusal(full, { change: "remove", id: "n3" }, add("n4", "voter"))).toMatch(
		/a configuration of 65 members/,
	);
	expect(refusal(full, { change: "remove", id: "l0" }, add("n4", "learner"))).toBe("change");
});

test("what is so already changes nothing", () => {
	const gone = leaveJoint(planned(three, { change: "remove", id: "n3" }));
	expect(refusal(three, add("n1", "voter"), add("n2", "learner"))).toBe("nothing-to-do");
	expect(refusal(three, { change: "promote", id: "n1" })).toBe("nothing-to-do");
	expect(refusal(three, { change: "move", id: "n1", peer: "n1:1" })).toBe("nothing-to-do");
	expect(refusal(gone, { change: "remove", id: "n3" })).toBe("nothing-to-do");
});

test("what makes no sense is refused with the reason", () => {
	const gone = leaveJoint(planned(three, { change: "remove", id: "n3" }));
	expect(refusal(gone, add("n3", "learner"))).toMatch(/^id-used-up: n3 was a member before/);
	expect(refusal(three, { change: "remove", id: "n9" })).toMatch(/no such member/);
	expect(refusal(three, { change: "promote", id: "n9" })).toMatch(/no such member/);
	expect(refusal(three, { change: "demote", id: "n9" })).toMatch(/no such member/);
	expect(refusal(three, { change: "move", id: "n9", peer: "n9:1" })).toMatch(/no such member/);
	expect(refusal(three, { ...add("n1", "voter"), peer: "other:1" } as MemberChange)).toMatch(
		/already, at n1:1/,
	);
	expect(refusal(three, { ...add("n4", "voter"), peer: "n1:1" } as MemberChange)).toMatch(/n1 is at n1:1/);
	expect(refusal(three, { ...add("n4", "voter"), id: "n 4" } as MemberChange)).toMatch(/node id/);
	const all = ["n1", "n2", "n3"].map((id): MemberChange => ({ change: "remove", id }));
	expect(refusal(three, ...all)).toMatch(/without voters/);
});

const names = ["a", "b", "c", "d", "e", "f"];
const anyChange: fc.Arbitrary<MemberChange> = fc.oneof(
	fc.record({
		change: fc.constant("add" as const),
		id: fc.constantFrom(...names),
		peer: fc.constantFrom(...names),
		as: fc.constantFrom("voter" as const, "joining" as const, "learner" as const),
	}),
	fc.record({
		change: fc.constantFrom("remove" as const, "promote", "demote"),
		id: fc.constantFrom(...names),
	}),
	fc.record({ change: fc.constant("elector" as const), elector: fc.constantFrom(...electorNames) }),
);

/** The naive question: can all voters be parted so that each side holds a quorum of its own? */
function canBeParted(one: Configuration, other: Configuration): boolean {
	const isQuorum = ({ voters, outgoingVoters }: Configuration, side: ReadonlySet<NodeId>): boolean =>
		[voters, outgoingVoters].every(
			(half) => half.length === 0 || 2 * half.filter((id) => side.has(id)).length > half.length,
		);
	for (let mask = 0; mask < 2 ** names.length; mask++) {
		const here = new Set(names.filter((_, place) => (mask >> place) & 1));
		const there = new Set(names.filter((name) => !here.has(name)));
		if (isQuorum(one, here) && isQuorum(other, there)) return true;
	}
	return false;
}

test("after any changes: valid, neighbours share a voter, nobody comes back, asked again nothing changes", () => {
	const property = fc.property(fc.array(fc.array(anyChange, { minLength: 1, maxLength: 4 })), (requests) => {
		let current = initialConfiguration(["a", "b", "c"].map((id) => ({ id, peer: id })));
		const gone = new Set<NodeId>();
		for (const changes of requests) {
			const plan = planChange(current, changes);
			if (plan.type !== "change") continue;
			validateConfiguration(plan.next);
			expect(canBeParted(current, plan.next)).toBe(false);
			const chosen = changes.findLast((one) => one.change === "elector")?.elector ?? current.elector;
			expect([plan.next.elector, plan.target.elector]).toEqual([chosen, chosen]);
			const after = isJoint(plan.next) ? leaveJoint(plan.next) : plan.next;
			validateConfiguration(after);
			expect(after).toEqual(plan.target);
			expect(canBeParted(plan.next, after)).toBe(false);
			for (const { id } of current.members) if (!after.members.some((one) => one.id === id)) gone.add(id);
			for (const { id } of after.members) expect(gone.has(id)).toBe(false);
			expect([...after.retired].sort()).toEqual([...gone].sort());
			current = after;
		}
	});
	fc.assert(property, { numRuns: ofRandomRuns(3_000) });
});

test("witnesses are few, and what a machine is it stays", () => {
	const two = initialConfiguration(["n1", "n2"].map((id) => ({ id, peer: `${id}:1` })));
	const settled = leaveJoint(planned(two, add("w1", "witness")));
	expect(settled.voters).toEqual(["n1", "n2", "w1"]);
	expect(settled.members.filter(({ witness }) => witness).map(({ id }) => id)).toEqual(["w1"]);
	const alone = initialConfiguration([{ id: "n1", peer: "n1:1" }]);
	expect(refusal(alone, add("w1", "witness"))).toMatch(/too many are witnesses: w1/);
	expect(refusal(settled, add("w2", "witness"))).toMatch(/too many are witnesses: w1, w2/);
	expect(refusal(settled, { change: "remove", id: "n2" })).toMatch(/too many are witnesses: w1/);
	expect(refusal(settled, { change: "demote", id: "n2" })).toMatch(/too many are witnesses: w1/);
	expect(refusal(settled, { change: "promote", id: "w1" })).toMatch(/a witness holds no data/);
	expect(refusal(settled, { change: "demote", id: "w1" })).toMatch(/a witness votes, or is removed/);
	expect(refusal(settled, add("w1", "voter"))).toMatch(/it is a witness/);
	expect(refusal(settled, add("n2", "witness"))).toMatch(/it is no witness/);
	const again = (id: NodeId, as: "voter" | "witness") => [{ change: "remove", id } as const, add(id, as)];
	expect(refusal(three, ...again("n3", "witness"))).toMatch(/n3 stays what it is/);
	expect(refusal(settled, ...again("w1", "voter"))).toMatch(/w1 stays what it is/);
	expect(refusal(settled, { change: "priority", id: "w1", priority: "normal" })).toMatch(/never leads/);
	const without = leaveJoint(planned(settled, { change: "remove", id: "w1" }));
	expect(refusal(without, add("w1", "voter"))).toMatch(/id-used-up/);
	// Two of five are a minority.
	const five = initialConfiguration(["n1", "n2", "n3"].map((id) => ({ id, peer: `${id}:1` })));
	const both = planned(five, add("w1", "witness"), add("w2", "witness"));
	expect(leaveJoint(both).voters).toEqual(["n1", "n2", "n3", "w1", "w2"]);
});
