/** Elections are paused, and the leader removes itself: somebody takes over all the same, not only when the pause is over. */
import { expect, test } from "vitest";
import { defaultConsensusSettings } from "./settings.ts";
import { watch } from "./testing/checker.ts";
import { createLoneCore, messagesIn } from "./testing/lone-core.ts";
import { createSimulation, type SimulatedNode } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

// With read leases it tells nobody to stand, as somebody may still read by itself.
test.each([true, false])("a leader that goes leaves a leader behind, chain %s", (chain) => {
	const settings = { ...defaultConsensusSettings, chain };
	const simulation = createSimulation({ ids: ["n1", "n2", "n3"], settings, seed: 1 });
	watch(simulation);
	const node = (id: NodeId): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const settle = (): void => {
		for (let round = 0; round < 10; round++) {
			for (const each of simulation.nodes.values()) {
				simulation.completeDisk(each, 100);
				simulation.apply(each);
			}
			for (const message of simulation.inFlight.splice(0)) {
				// It may be lost.
				if (message.type !== "timeout-now") simulation.deliver(message);
			}
		}
	};
	const pass = (): void => {
		simulation.now += 10;
		for (const each of simulation.nodes.values()) simulation.step(each, { type: "tick" });
		settle();
	};
	for (let each = 0; each < 100 && node("n1").core?.view.role !== "leader"; each++) {
		simulation.now += 10;
		simulation.step(node("n1"), { type: "tick" });
		settle();
	}
	for (let each = 0; each < 50; each++) pass();
	for (const each of simulation.nodes.values())
		simulation.step(each, { type: "hold-back", reason: "paused", forMs: 60_000 });
	const change = { change: "remove", id: "n1" } as const;
	simulation.step(node("n1"), { type: "change-members", changes: [change], force: false, dryRun: false });
	const isLed = (): boolean => ["n2", "n3"].some((id) => node(id).core?.view.established === true);
	let waitedMs = 0;
	for (; waitedMs < 10_000 && !isLed(); waitedMs += 10) pass();
	expect(waitedMs).toBeLessThan(4 * settings.electionTimeoutMs);
});

test("a member whose database does not fit stands for nobody, whoever asks, until that is over", () => {
	const lone = createLoneCore();
	const { view } = lone.core;
	lone.step({ type: "hold-back", reason: "unfit", forMs: 5_000 });
	while (lone.now < 4_000) {
		lone.now = Math.max(lone.now + 1, lone.core.tickDueAt());
		expect(messagesIn(lone.tick())).toEqual([]);
	}
	// An operator, and then the leader itself.
	expect(lone.step({ type: "stand" })).toEqual([]);
	lone.hear("n2", 2, { type: "timeout-now" });
	expect(messagesIn(lone.durable())).toEqual([]);
	expect([view.role, view.term, view.votedFor]).toEqual(["follower", 2, null]);
	// It votes as ever.
	lone.now = 4_999;
	expect(messagesIn(lone.tick())).toEqual([]);
	expect(view.heldBackForMs.unfit).toBe(1);
	lone.hear("n3", 3, { type: "vote-request", last: { index: 0, term: 0 }, transfer: false });
	expect(messagesIn(lone.durable())).toMatchObject([{ type: "vote-response", to: "n3", granted: true }]);
	lone.now = 5_000;
	lone.hear("n2", 4, { type: "timeout-now" });
	expect([view.role, view.term]).toEqual(["candidate", 5]);
});
