/** A follower in the chain whose disk or database hangs: it answers heartbeats, and holds up nobody for long. */
import { expect, test } from "vitest";
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { watch } from "./testing/checker.ts";
import { createSimulation, type SimulatedNode, textBytes } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

const settings = { ...defaultConsensusSettings, chain: true, maxInFlightBytes: 2_000, maxAppendBytes: 500 };

/** n1 leads, n2 and n3 follow in a chain. */
function world() {
	const simulation = createSimulation({ ids: ["n1", "n2", "n3"], settings, seed: 1 });
	watch(simulation);
	const hung = new Set<string>();
	const node = (id: NodeId): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const view = (id: NodeId) => {
		const { core } = node(id);
		if (core === null) throw new Error(`${id} is down`);
		return core.view;
	};
	const settle = (): void => {
		for (let round = 0; round < 30; round++) {
			for (const { id } of simulation.nodes.values()) {
				if (!hung.has(`disk of ${id}`)) simulation.completeDisk(node(id), 100);
				if (!hung.has(`database of ${id}`)) simulation.apply(node(id));
			}
			for (const message of simulation.inFlight.splice(0)) simulation.deliver(message);
		}
	};
	const pass = (ms: number): void => {
		for (let passed = 0; passed < ms; passed += 10) {
			simulation.now += 10;
			for (const each of simulation.nodes.values()) simulation.step(each, { type: "tick" });
			settle();
		}
	};
	const propose = (acknowledgement: Acknowledgement): number => {
		const payload = textBytes("x".repeat(300));
		simulation.step(node("n1"), {
			type: "propose",
			entries: [{ kind: "command", payload }],
			acknowledgement,
		});
		settle();
		return view("n1").lastIndex;
	};
	while (view("n1").role !== "leader") {
		simulation.now += 10;
		simulation.step(node("n1"), { type: "tick" });
		settle();
	}
	pass(500);
	expect(view("n1").chain).toEqual(["n2", "n3"]);
	return { hung, view, pass, propose };
}

test.each(["n2", "n3"])("the disk of %s hangs: the others commit, also beyond its window", (id) => {
	const { hung, view, pass, propose } = world();
	hung.add(`disk of ${id}`);
	for (let each = 0; each < 100; each++) {
		propose({ mode: "quorum" });
		pass(100);
	}
	expect(view("n1").commitIndex).toBe(view("n1").lastIndex);
	expect(view("n1").chain).not.toContain(id);
	hung.clear();
	pass(500);
	expect(view("n1").chain).toContain(id);
});

test.each(["disk of n2", "disk of n3", "database of n3"])(
	"the %s hangs: a write of mode chain ends",
	(what) => {
		const { hung, view, pass, propose } = world();
		hung.add(what);
		propose({ mode: "chain" });
		pass(3_000);
		expect(view("n1").unacknowledgedBy({ mode: "chain" })).toBe(0);
		// Nor does the next one wait for as long again.
		propose({ mode: "chain" });
		pass(100);
		expect(view("n1").unacknowledgedBy({ mode: "chain" })).toBe(0);
		hung.clear();
		pass(500);
		expect(view("n1").chain).toHaveLength(2);
	},
);
