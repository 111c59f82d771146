/** What lent read leases rest on, where a random run seldom gets: docs/decisions/chain.md. */
import { expect, test } from "vitest";
import type { ConsensusMessage } from "./message.ts";
import type { Output } from "./output.ts";
import { defaultConsensusSettings, leaderLeaseMs } from "./settings.ts";
import { watch } from "./testing/checker.ts";
import { createSimulation, type SimulatedNode, textBytes } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

const settings = { ...defaultConsensusSettings, chain: true };
const { electionTimeoutMs } = settings;
const leaseMs = leaderLeaseMs(settings);

/** n1 leads, the others follow in a chain and read by themselves; the checker breaks the test when one of them reads too little. */
function world() {
	const simulation = createSimulation({ ids: ["n1", "n2", "n3"], settings, seed: 1 });
	watch(simulation);
	const cut = new Set<NodeId>();
	/** Its database takes nothing in. */
	const stuck = new Set<NodeId>();
	const told: number[] = [];
	const node = (id: NodeId): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const isLost = ({ from, to, type }: ConsensusMessage): boolean => {
		if (type === "timeout-now") told.push(simulation.now);
		return cut.has(to) || cut.has(from);
	};
	const settle = (): void => {
		for (let round = 0; round < 30; round++) {
			for (const { id } of simulation.nodes.values()) {
				simulation.completeDisk(node(id), 100);
				if (!stuck.has(id)) simulation.apply(node(id));
			}
			for (const message of simulation.inFlight.splice(0)) if (!isLost(message)) simulation.deliver(message);
		}
	};
	const tick = (id: NodeId): void => simulation.step(node(id), { type: "tick" });
	const view = (id: NodeId) => {
		const { core } = node(id);
		if (core === null) throw new Error(`${id} is down`);
		return core.view;
	};
	const beat = (): void => {
		simulation.now += 50;
		tick("n1");
		settle();
	};
	const dueInMs = (id: NodeId): number => (node(id).core?.tickDueAt() ?? 0) - simulation.now;
	const stand = (id: NodeId): void => {
		simulation.now += Math.max(0, dueInMs(id));
		tick(id);
		settle();
	};
	const propose = (): void =>
		simulation.step(node("n1"), {
			type: "propose",
			entries: [{ kind: "command", payload: textBytes("x") }],
			acknowledgement: { mode: "chain" },
		});
	stand("n1");
	for (let each = 0; each < 4; each++) beat();
	expect([view("n1").role, view("n1").isLending, view("n1").chain]).toEqual(["leader", true, ["n2", "n3"]]);
	return { simulation, cut, stuck, told, node, settle, tick, view, beat, stand, dueInMs, propose };
}

test("a leader that steps down votes for nobody as long as somebody reads by itself", () => {
	const { simulation, cut, node, tick, view, beat, stand, dueInMs } = world();
	cut.add("n2");
	// Until n2 has heard nobody for long, and is about to stand once more.
	for (let each = 0; each < 100; each++) {
		beat();
		tick("n2");
		if (each > 20 && dueInMs("n2") > 0 && dueInMs("n2") < 60) break;
	}
	expect([view("n1").isLending, view("n1").chain]).toEqual([true, ["n3"]]);
	const beganAt = simulation.now;
	simulation.step(node("n1"), { type: "step-down" });
	cut.delete("n2");
	cut.add("n3");
	stand("n2");
	expect(simulation.now - beganAt).toBeLessThan(100);
	expect(view("n2").role).not.toBe("leader");
	// And then they can do without n3.
	simulation.now += electionTimeoutMs;
	stand("n2");
	expect(view("n2").role).toBe("leader");
});

test("nobody is told to stand before all lent leases have ended: given up by who is there", () => {
	const { simulation, told, node, settle, beat, view } = world();
	beat();
	const beganAt = simulation.now;
	simulation.step(node("n1"), { type: "transfer", to: "n2" });
	settle();
	expect([told, view("n1").isLending]).toEqual([[], true]);
	beat();
	beat();
	expect(told[0]).toBeLessThanOrEqual(beganAt + 100);
	expect(view("n2").role).toBe("leader");
});

test("… and waited for, of who is not; what was lent before comes too late for who has given up", () => {
	const { simulation, cut, told, node, settle, beat, view } = world();
	beat();
	// A heartbeat that lends something, of which a copy is long on its way.
	let lent: ConsensusMessage | undefined;
	for (let each = 0; each < 3 && lent === undefined; each++) {
		simulation.now += 50;
		simulation.step(node("n1"), { type: "tick" });
		lent = simulation.inFlight.find(
			(one) => one.type === "heartbeat-request" && one.lease?.reads?.tail === false,
		);
		settle();
	}
	if (lent?.to !== "n2") throw new Error("nothing was lent to n2");
	const leased: Output[] = [];
	const check = simulation.onOutput;
	simulation.onOutput = (one, output) => {
		check(one, output);
		if (one.id === "n2" && output.type === "leased") leased.push(output);
	};
	cut.add("n3");
	const beganAt = simulation.now;
	simulation.step(node("n1"), { type: "transfer", to: "n2" });
	settle();
	expect([told, view("n1").isLending]).toEqual([[], true]);
	for (let each = 0; each < 20 && told.length === 0; each++) {
		beat();
		if (told.length === 0) simulation.deliver(lent);
	}
	expect(leased.filter((one) => one.type === "leased" && one.reads !== null)).toEqual([]);
	expect(leased.length).toBeGreaterThan(2);
	expect((told[0] ?? 0) - beganAt).toBeGreaterThan(leaseMs / 2);
	expect((told[0] ?? 0) - beganAt).toBeLessThan(leaseMs + 100);
	expect(view("n2").role).toBe("leader");
});

test("a leader that removes itself tells nobody to stand, and its own database nothing, while leases last", () => {
	const { simulation, stuck, told, node, settle, beat, view, propose } = world();
	beat();
	const change = { change: "remove", id: "n1" } as const;
	simulation.step(node("n1"), { type: "change-members", changes: [change], force: false, dryRun: false });
	propose();
	// n3, the tail, reads what it has for a while.
	stuck.add("n3");
	const shown = node("n1").database;
	settle();
	for (let each = 0; each < 3; each++) beat();
	expect([view("n1").role, view("n1").commitIndex > shown]).toEqual(["follower", true]);
	// Late news of its disk.
	simulation.step(node("n1"), { type: "durable", ticket: 1 });
	settle();
	expect([told, node("n1").database]).toEqual([[], shown]);
});

test("a relay passes on what is of its term, before its own disk has it, and tells the leader of an older one", () => {
	const { simulation, node, view, propose } = world();
	propose();
	const [append] = simulation.inFlight.splice(0);
	if (append?.type !== "chain-append") throw new Error("not along the chain");
	simulation.deliver(append);
	const passed = simulation.inFlight.splice(0);
	expect(passed.map(({ type, from, to }) => `${type} ${from} ${to}`)).toEqual(["chain-append n2 n3"]);
	expect(passed[0]).toEqual({ ...append, from: "n2", to: "n3", route: [] });
	expect(node("n2").diskQueue).toHaveLength(1);
	simulation.deliver({ ...append, term: view("n2").term - 1 });
	expect(simulation.inFlight).toMatchObject([
		{ type: "append-response", to: "n1", result: { accepted: false, previousIndex: 0 } },
	]);
});
