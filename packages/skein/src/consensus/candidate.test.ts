/** Answers that belong to another question than the one that was asked. */
import { expect, test } from "vitest";
import type { ConsensusMessage } from "./message.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createSimulation } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

/** Nobody has stood yet. */
function threeMembers(learners: readonly NodeId[] = []) {
	const simulation = createSimulation({
		ids: ["n1", "n2", "n3"],
		settings: defaultConsensusSettings,
		seed: 1,
		learners,
	});
	const n1 = simulation.nodes.get("n1");
	if (n1?.core === null || n1 === undefined) throw new Error("no n1");
	const { core } = n1;
	const { term } = core.view;
	const answer = (message: Partial<ConsensusMessage>): void =>
		simulation.step(n1, {
			type: "message",
			message: { group: 1, from: "n2", to: "n1", term, granted: true, ...message } as ConsensusMessage,
		});
	const questions = () => simulation.inFlight.map(({ type }) => type);
	return { simulation, n1, core, view: core.view, term, answer, questions };
}

/** n1 of three stands, and has asked for pre-votes; nobody has answered. */
function candidate() {
	const world = threeMembers();
	const { simulation, n1, core } = world;
	simulation.now = core.tickDueAt();
	simulation.step(n1, { type: "tick" });
	const asked = simulation.inFlight.filter(({ type }) => type === "pre-vote-request");
	return { ...world, asked };
}

test("a pre-vote that was granted for another term is none for this one", () => {
	const { view, asked, term, answer, simulation, n1, questions } = candidate();
	expect([view.role, asked.length]).toEqual(["candidate", 2]);
	answer({ type: "pre-vote-response", askedTerm: term });
	answer({ type: "pre-vote-response", askedTerm: term + 2 });
	simulation.completeDisk(n1, 10);
	expect([view.term, questions()]).toEqual([term, ["pre-vote-request", "pre-vote-request"]]);
	answer({ type: "pre-vote-response", askedTerm: term + 1 });
	simulation.completeDisk(n1, 10);
	expect([view.term, view.votedFor]).toEqual([term + 1, "n1"]);
	expect(questions().filter((type) => type === "vote-request")).toHaveLength(2);
});

test("a vote while pre-votes are asked for, and a pre-vote while votes are, elect nobody", () => {
	const { view, term, answer, simulation, n1 } = candidate();
	answer({ type: "vote-response" });
	expect([view.role, view.term]).toEqual(["candidate", term]);
	answer({ type: "pre-vote-response", askedTerm: term + 1 });
	simulation.completeDisk(n1, 10);
	answer({ type: "pre-vote-response", askedTerm: term + 1, from: "n3", term: term + 1 });
	expect([view.role, view.term]).toEqual(["candidate", term + 1]);
	answer({ type: "vote-response", term: term + 1 });
	expect([view.role, view.term]).toEqual(["leader", term + 1]);
});

test("what else the disk has done while pre-votes are asked for asks nobody for a vote", () => {
	const { simulation, n1, core, view, questions } = threeMembers();
	// A vote for another one, which is not on disk yet when n1 stands itself.
	const asked = { type: "vote-request", term: 2, last: { term: 1, index: 1 }, transfer: false } as const;
	// Voters hold for so long to a leader that they may have heard before they started.
	simulation.now = defaultConsensusSettings.electionTimeoutMs;
	simulation.step(n1, { type: "message", message: { group: 1, from: "n3", to: "n1", ...asked } });
	simulation.now = core.tickDueAt();
	simulation.step(n1, { type: "tick" });
	expect([view.role, view.term, n1.diskQueue.length]).toEqual(["candidate", 2, 1]);
	simulation.completeDisk(n1, 10);
	expect(questions()).toEqual(["pre-vote-request", "pre-vote-request", "vote-response"]);
});

test("the vote takes its own time: a pre-vote that is granted at the last moment begins it anew", () => {
	const { view, core, simulation, answer, term } = candidate();
	const due = core.tickDueAt();
	simulation.now = due - 1;
	answer({ type: "pre-vote-response", askedTerm: term + 1 });
	expect(view.term).toBe(term + 1);
	expect(core.tickDueAt()).toBeGreaterThanOrEqual(due - 1 + defaultConsensusSettings.electionTimeoutMs);
});

test("a candidate that is not to stand any more does not go on to wait for votes", () => {
	const { view, core, simulation, n1 } = candidate();
	simulation.step(n1, { type: "hold-back", reason: "paused", forMs: 60_000 });
	simulation.now = core.tickDueAt();
	simulation.step(n1, { type: "tick" });
	expect([view.role, view.leader]).toEqual(["follower", null]);
});

test("nor does one whose log is replaced by a snapshot: what it asked for is not worth winning", () => {
	const { view, simulation, n1, answer, term, questions } = candidate();
	simulation.installSnapshot(n1, {
		index: 9,
		term: 1,
		configuration: view.configuration,
		configurationIndex: 1,
	});
	expect([view.role, view.lastIndex]).toEqual(["follower", 9]);
	answer({ type: "pre-vote-response", askedTerm: term + 1 });
	simulation.completeDisk(n1, 10);
	expect([view.role, view.term, questions()]).toEqual([
		"follower",
		term,
		["pre-vote-request", "pre-vote-request"],
	]);
});

test("an operator's word counts while elections are paused, but not of one that could not serve, or leads", () => {
	const { simulation, n1, view, answer, questions, term } = threeMembers();
	const stand = (): void => simulation.step(n1, { type: "stand" });
	simulation.now = defaultConsensusSettings.electionTimeoutMs;
	simulation.step(n1, { type: "hold-back", reason: "unfit", forMs: 60_000 });
	stand();
	expect([view.role, questions()]).toEqual(["follower", []]);
	simulation.step(n1, { type: "hold-back", reason: "unfit", forMs: 0 });
	simulation.step(n1, { type: "hold-back", reason: "paused", forMs: 60_000 });
	stand();
	expect(view.role).toBe("candidate");
	answer({ type: "pre-vote-response", askedTerm: term + 1 });
	expect([view.role, view.term]).toEqual(["candidate", term + 1]);
	simulation.completeDisk(n1, 10);
	answer({ type: "vote-response", term: term + 1 });
	expect(view.role).toBe("leader");
	const before = questions();
	stand();
	expect([view.role, questions()]).toEqual(["leader", before]);
});

test("one that does not vote any more is told to stand, late: it does not, and goes on to follow", () => {
	const { simulation, n1, view, core } = threeMembers(["n1"]);
	const told = { type: "timeout-now", group: 1, from: "n2", to: "n1", term: 1 } as const;
	simulation.step(n1, { type: "message", message: told });
	expect([view.role, view.leader]).toEqual(["follower", "n2"]);
	// Silence it does not take for a leader.
	simulation.now = core.tickDueAt();
	simulation.step(n1, { type: "tick" });
	expect([view.role, view.leader]).toEqual(["follower", null]);
});
