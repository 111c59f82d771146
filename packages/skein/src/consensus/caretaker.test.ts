/** Who never leads, and does so since whoever may cannot take over: it can still be asked for other priorities. */
import { expect, test } from "vitest";
import type { Output } from "./output.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { watch } from "./testing/checker.ts";
import { createLoneCore, elect, follow, three } from "./testing/lone-core.ts";
import { createSimulation, type SimulatedNode } from "./testing/simulation.ts";
import type { Configuration, MemberChange, NodeId } from "./types.ts";

/** n1 alone may lead; when that is committed its disk hangs. */
function world() {
	const simulation = createSimulation({
		ids: ["n1", "n2", "n3"],
		settings: defaultConsensusSettings,
		seed: 1,
	});
	watch(simulation);
	const hung = new Set<NodeId>();
	const cut: { between: readonly NodeId[] } = { between: [] };
	const refused: Output[] = [];
	const check = simulation.onOutput;
	simulation.onOutput = (one, output) => {
		check(one, output);
		if (output.type === "change-refused") refused.push(output);
	};
	const node = (id: NodeId): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const leader = (): NodeId | null =>
		[...simulation.nodes.values()].find(({ core }) => core?.view.established)?.id ?? null;
	const pass = (ms: number): void => {
		for (let passed = 0; passed < ms; passed += 10) {
			simulation.now += 10;
			for (const each of simulation.nodes.values()) simulation.step(each, { type: "tick" });
			for (let round = 0; round < 10; round++) {
				for (const each of simulation.nodes.values()) {
					if (!hung.has(each.id)) simulation.completeDisk(each, 100);
					simulation.apply(each);
				}
				for (const message of simulation.inFlight.splice(0)) {
					if (cut.between.includes(message.from) && cut.between.includes(message.to)) continue;
					simulation.deliver(message);
				}
			}
		}
	};
	const change = (changes: readonly MemberChange[]): void =>
		simulation.step(node(leader() ?? "n1"), { type: "change-members", changes, force: false, dryRun: false });
	pass(2_000);
	simulation.step(node(leader() ?? "n1"), { type: "transfer", to: "n1" });
	pass(1_000);
	expect(leader()).toBe("n1");
	change([
		{ change: "priority", id: "n2", priority: "never" },
		{ change: "priority", id: "n3", priority: "never" },
	]);
	pass(500);
	hung.add("n1");
	simulation.step(node("n1"), { type: "step-down" });
	for (let waited = 0; waited < 60_000 && (leader() ?? "n1") === "n1"; waited += 10) pass(10);
	return { simulation, node, leader, pass, change, refused, hung, cut };
}

test("a caretaker changes members while nobody takes over", () => {
	const { node, leader, pass, change, refused } = world();
	const caretaker = leader() ?? "nobody";
	pass(1_000);
	expect(node(caretaker).core?.view).toMatchObject({ caretaker: true, transferTo: "n1" });
	change([{ change: "priority", id: caretaker, priority: "normal" }]);
	pass(3_000);
	expect(refused).toEqual([]);
	expect(node(caretaker).core?.view).toMatchObject({ established: true, caretaker: false, transferTo: null });
});

test("… also other voters, through a joint phase", () => {
	const { node, leader, pass, change, refused } = world();
	const caretaker = leader() ?? "nobody";
	const other = caretaker === "n2" ? "n3" : "n2";
	pass(1_000);
	change([
		{ change: "priority", id: caretaker, priority: "normal" },
		{ change: "demote", id: other },
		{ change: "demote", id: "n1" },
	]);
	// The transfer that was under way goes on until it is given up.
	pass(3_000);
	expect(refused).toEqual([]);
	expect(node(caretaker).core?.view.configuration).toMatchObject({ voters: [caretaker], outgoingVoters: [] });
});

test("a caretaker that cannot reach who may lead lets another caretaker go first, which can", () => {
	const { leader, pass, change, hung, cut } = world();
	const caretaker = leader() ?? "nobody";
	expect(["n2", "n3"]).toContain(caretaker);
	hung.clear();
	cut.between = ["n1", caretaker];
	// The one that may lead lacks it, so it needs somebody who leads to bring it up to date.
	change([{ change: "add", id: "n4", peer: "n4:1", as: "learner" }]);
	for (let waited = 0; waited < 60_000 && leader() !== "n1"; waited += 100) pass(100);
	expect(leader()).toBe("n1");
});

// n3 may lead, n2 as little as n1.
test.each([
	["n2", 16],
	["n3", 8],
])("after a reign in vain, and then %s as leader, it stands after %i election timeouts", (next, timeouts) => {
	const { electionTimeoutMs, heartbeatIntervalMs } = defaultConsensusSettings;
	const members = three.members.map((one) =>
		one.id === "n3" ? one : { ...one, priority: "never" as const },
	);
	const value: Configuration = { ...three, members };
	const lone = createLoneCore({ configuration: { index: 0, value } });
	const term = elect(lone);
	follow(lone);
	expect([lone.core.view.caretaker, lone.core.view.established]).toEqual([true, true]);
	for (let each = 0; each < 200 && lone.core.view.role === "leader"; each++) {
		lone.now += heartbeatIntervalMs;
		lone.tick();
		follow(lone);
	}
	expect(lone.core.view.role).toBe("follower");
	const heartbeat = { type: "heartbeat-request", commitIndex: 1, lease: null, endsReads: false } as const;
	lone.hear(next, term + 1, { ...heartbeat, round: 1 });
	lone.durable();
	const silentFrom = lone.now;
	for (let each = 0; each < 100 && lone.core.view.role === "follower"; each++) {
		lone.now = lone.core.tickDueAt();
		lone.tick();
	}
	expect(lone.core.view.role).toBe("candidate");
	const waited = (lone.now - silentFrom) / electionTimeoutMs;
	expect(waited).toBeGreaterThanOrEqual(timeouts);
	// Its elector looks at it once in two of them at least.
	expect(waited).toBeLessThan(timeouts + 2);
});
