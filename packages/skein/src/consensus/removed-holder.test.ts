/** Who was removed while it could read by itself gives that up, and holds up no write until its lease would have ended. */
import { expect, test } from "vitest";
import { defaultConsensusSettings } from "./settings.ts";
import { watch } from "./testing/checker.ts";
import { createSimulation, type SimulatedNode, textBytes } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

const settings = { ...defaultConsensusSettings, chain: true };

test.each(["n2", "n3"])("%s is removed, and a write goes on at once", (removed) => {
	const simulation = createSimulation({ ids: ["n1", "n2", "n3"], settings, seed: 1 });
	watch(simulation);
	const node = (id: NodeId): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const leader = () => {
		const { core } = node("n1");
		if (core === null) throw new Error("n1 is down");
		return core.view;
	};
	const settle = (): void => {
		for (let round = 0; round < 10; round++) {
			for (const each of simulation.nodes.values()) {
				simulation.completeDisk(each, 100);
				simulation.apply(each);
			}
			for (const message of simulation.inFlight.splice(0)) simulation.deliver(message);
		}
	};
	const pass = (): void => {
		simulation.now += 10;
		for (const each of simulation.nodes.values()) simulation.step(each, { type: "tick" });
		settle();
	};
	for (let each = 0; each < 100 && leader().role !== "leader"; each++) {
		simulation.now += 10;
		simulation.step(node("n1"), { type: "tick" });
		settle();
	}
	for (let each = 0; each < 50; each++) pass();
	expect([leader().isLending, leader().chain]).toEqual([true, ["n2", "n3"]]);
	const change = { change: "remove", id: removed } as const;
	simulation.step(node("n1"), { type: "change-members", changes: [change], force: false, dryRun: false });
	settle();
	let longestMs = 0;
	for (let each = 0; each < 20; each++) {
		const beganAt = simulation.now;
		simulation.step(node("n1"), {
			type: "propose",
			entries: [{ kind: "command", payload: textBytes("x") }],
			acknowledgement: { mode: "chain" },
		});
		settle();
		while (leader().unacknowledgedBy({ mode: "chain" }) > 0 && simulation.now < beganAt + 5_000) pass();
		longestMs = Math.max(longestMs, simulation.now - beganAt);
		pass();
	}
	expect(longestMs).toBeLessThanOrEqual(2 * settings.heartbeatIntervalMs);
});
