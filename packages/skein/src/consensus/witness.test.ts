/** Two members with data and a witness: whoever dies, at whatever moment, the others go on with all that was committed. */
import { expect, test } from "vitest";
import { createRandomSource } from "./random.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { watch } from "./testing/checker.ts";
import { configurationFor, establishedLeader, progressOf, startedAt } from "./testing/member-state.ts";
import { createSimulation, type SimulatedNode, type Simulation, textBytes } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";
import { sendableTo } from "./witness.ts";

const seeds = 40;

interface World {
	readonly simulation: Simulation;
	readonly random: () => number;
	readonly node: (id: NodeId) => SimulatedNode;
	readonly away: Set<NodeId>;
	/** Heard, and their disks make nothing durable. */
	readonly hung: Set<NodeId>;
}

function begin(seed: number): World {
	const simulation = createSimulation({ ids: ["n1", "n2"], settings: defaultConsensusSettings, seed });
	watch(simulation);
	const away = new Set<NodeId>();
	const node = (id: NodeId): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const world = { simulation, random: createRandomSource(seed), node, away, hung: new Set<NodeId>() };
	run(world, 4_000);
	simulation.addNode("w1");
	const change = { change: "add", id: "w1", peer: "w1:1", as: "witness" } as const;
	simulation.step(leaderOf(world), { type: "change-members", changes: [change], force: true, dryRun: false });
	run(world, 1_000);
	expect(node("w1").core?.view.configuration.voters).toEqual(["n1", "n2", "w1"]);
	return world;
}

function leaderOf({ simulation, away }: World): SimulatedNode {
	const leads = (node: SimulatedNode): boolean => !away.has(node.id) && node.core?.view.established === true;
	const leader = [...simulation.nodes.values()].find(leads);
	if (leader === undefined) throw new Error("nobody leads");
	return leader;
}

/** Everything that can happen now does. */
function settle({ simulation, away, hung }: World): void {
	for (let busy = true; busy; ) {
		busy = false;
		for (const node of simulation.nodes.values()) {
			const works = !away.has(node.id) && !hung.has(node.id);
			if (works) busy = simulation.completeDisk(node, 100) > 0 || busy;
		}
		for (const message of simulation.inFlight.splice(0)) {
			if (away.has(message.to) || away.has(message.from)) continue;
			busy = true;
			simulation.deliver(message);
		}
		for (const node of simulation.nodes.values()) if (!away.has(node.id)) simulation.apply(node);
	}
}

function run(world: World, forMs: number): void {
	const { simulation, away } = world;
	for (let passedMs = 0; passedMs < forMs; passedMs += 10) {
		simulation.now += 10;
		for (const node of simulation.nodes.values())
			if (!away.has(node.id)) simulation.step(node, { type: "tick" });
		settle(world);
	}
}

function propose({ simulation }: World, node: SimulatedNode, text: string): void {
	const entries = [{ kind: "command" as const, payload: textBytes(text) }];
	simulation.step(node, { type: "propose", entries, acknowledgement: null });
}

/** Writes, disks and messages in any order, and hardly any time in which somebody could be taken for away. */
function busy(world: World, steps: number): void {
	const { simulation, random } = world;
	const leader = leaderOf(world);
	for (let each = 0; each < steps; each++) {
		const dice = random();
		if (dice < 0.2) propose(world, leader, `e${each}`);
		else if (dice < 0.6) {
			const place = Math.floor(random() * simulation.inFlight.length);
			const [message] = simulation.inFlight.splice(place, 1);
			if (message !== undefined) simulation.deliver(message);
		} else if (dice < 0.9) {
			const nodes = [...simulation.nodes.values()];
			const node = nodes[Math.floor(random() * nodes.length)];
			if (node !== undefined) simulation.completeDisk(node, 1);
		} else {
			simulation.now += 1;
			simulation.step(leader, { type: "tick" });
		}
	}
}

test("a leader that dies at any moment leaves somebody who can lead, with all that was committed", () => {
	for (let seed = 1; seed <= seeds; seed++) {
		const world = begin(seed);
		busy(world, 40);
		const dead = leaderOf(world);
		const { commitIndex } = dead.core?.view ?? { commitIndex: 0 };
		world.simulation.crash(dead);
		world.away.add(dead.id);
		run(world, 4_000);
		const next = leaderOf(world);
		expect([seed, next.id]).toEqual([seed, dead.id === "n1" ? "n2" : "n1"]);
		expect(next.core?.view.commitIndex).toBeGreaterThan(commitIndex);
		const lastBefore = next.core?.view.lastIndex ?? 0;
		propose(world, next, "after");
		run(world, 1_000);
		expect(next.core?.view.commitIndex).toBe(lastBefore + 1);
	}
});

test("while both have disks that work nothing is committed that only one of them has", () => {
	for (let seed = 1; seed <= seeds; seed++) {
		const world = begin(seed);
		for (let each = 0; each < 20; each++) {
			busy(world, 5);
			const leader = leaderOf(world);
			const committed = leader.core?.view.commitIndex ?? 0;
			for (const id of ["n1", "n2"]) {
				const { log, base } = world.node(id).stored;
				const has = committed <= base.index || log.some(({ index }) => index === committed);
				expect([seed, id, has]).toEqual([seed, id, true]);
			}
		}
	}
});

test("what was committed with the witness alone keeps the other one from leading, and is there when its disk is", () => {
	const world = begin(7);
	const leader = leaderOf(world);
	const other = world.node(leader.id === "n1" ? "n2" : "n1");
	world.away.add(other.id);
	run(world, 1_000);
	propose(world, leader, "precious");
	run(world, 1_000);
	const { commitIndex, lastIndex } = leader.core?.view ?? { commitIndex: 0, lastIndex: 1 };
	expect(commitIndex).toBe(lastIndex);
	world.away.add(leader.id);
	world.away.delete(other.id);
	run(world, 20_000);
	expect(other.core?.view.role).not.toBe("leader");
	expect(world.node("w1").core?.view.role).toBe("follower");
	world.away.delete(leader.id);
	run(world, 4_000);
	expect(leaderOf(world).id).toBe(leader.id);
	expect(other.core?.view.commitIndex).toBeGreaterThan(commitIndex);
});

test("one that is heard and stores nothing holds writes up for the time of an in-sync lease, once", () => {
	const world = begin(8);
	const leader = leaderOf(world);
	const other = leader.id === "n1" ? "n2" : "n1";
	const view = leader.core?.view;
	world.hung.add(other);
	propose(world, leader, "first");
	const index = view?.lastIndex ?? 0;
	run(world, 900);
	expect(view?.commitIndex).toBeLessThan(index);
	run(world, 200);
	expect(view?.commitIndex).toBe(index);
	propose(world, leader, "second");
	run(world, 50);
	expect(view?.commitIndex).toBe(index + 1);
	// It works again, and has caught up: it is waited for again.
	world.hung.clear();
	run(world, 500);
	world.hung.add(other);
	propose(world, leader, "third");
	run(world, 500);
	expect(view?.commitIndex).toBe(index + 1);
});

test("a witness waits for a data voter of which nothing is known yet, for an election timeout, and for none that is behind for long", () => {
	const { electionTimeoutMs } = defaultConsensusSettings;
	const { state, leader } = establishedLeader({ configuration: configurationFor(["n1", "n2", "w3"]) });
	const limitWith = (matchIndex: number, sinceMs: number): number => {
		const other = {
			...progressOf(leader, "n2"),
			matchIndex,
			since: startedAt - sinceMs,
			lastContact: startedAt,
		};
		leader.progress.set("n2", other);
		return sendableTo(state, leader, "w3");
	};
	expect(sendableTo(state, leader, "n2")).toBe(4);
	expect(limitWith(0, electionTimeoutMs - 1)).toBe(0);
	expect(limitWith(0, electionTimeoutMs)).toBe(4);
	// What it lacks was there before this leadership began.
	expect(limitWith(2, 0)).toBe(4);
	// It lacks the barrier, which has just become durable.
	expect(limitWith(3, 0)).toBe(3);
	leader.progress.delete("n2");
	expect(sendableTo(state, leader, "w3")).toBe(0);
});
