/** Answers that belong to another question than the one that was asked. */
import { expect, test } from "vitest";
import type { ConsensusMessage } from "./message.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createSimulation } from "./testing/simulation.ts";

/** n1 of three stands, and has asked for pre-votes; nobody has answered. */
function candidate() {
	const simulation = createSimulation({
		ids: ["n1", "n2", "n3"],
		settings: defaultConsensusSettings,
		seed: 1,
	});
	const n1 = simulation.nodes.get("n1");
	if (n1?.core === null || n1 === undefined) throw new Error("no n1");
	const { core } = n1;
	simulation.now = core.tickDueAt();
	simulation.step(n1, { type: "tick" });
	const asked = simulation.inFlight.filter(({ type }) => type === "pre-vote-request");
	const { term } = core.view;
	const answer = (message: Partial<ConsensusMessage>): void =>
		simulation.step(n1, {
			type: "message",
			message: { group: 1, from: "n2", to: "n1", term, granted: true, ...message } as ConsensusMessage,
		});
	const questions = () => simulation.inFlight.map(({ type }) => type);
	return { simulation, n1, view: core.view, asked, term, answer, questions };
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
