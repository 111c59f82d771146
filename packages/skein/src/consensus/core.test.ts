/**
 * The invariants of DESIGN.md under random schedules: messages are lost, doubled, late and out of
 * order, nodes crash with what their disks had not finished, links break, snapshots and transfers go
 * on. Each run follows from its seed alone; a failure names it.
 */
import { expect, test } from "vitest";
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import { createRandomSource } from "./random.ts";
import { defaultConsensusSettings } from "./settings.ts";
import type { Checker } from "./testing/checker.ts";
import { watch } from "./testing/checker.ts";
import type { SimulatedNode, Simulation, SnapshotOf } from "./testing/simulation.ts";
import { createSimulation, textBytes } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

const settings = {
	...defaultConsensusSettings,
	maxInFlightBytes: 400,
	maxAppendBytes: 150,
	maxUncommittedBytes: 2_000,
	transferTimeoutMs: 500,
	syncLeaseMs: 300,
};

const modes: readonly (Acknowledgement | null)[] = [
	null,
	{ mode: "async" },
	{ mode: "semi-sync", followers: 1 },
	{ mode: "semi-sync", followers: 2 },
	{ mode: "quorum" },
	{ mode: "sync", strict: false },
	{ mode: "sync", strict: true },
];

interface Run {
	readonly simulation: Simulation;
	readonly checker: Checker;
	readonly random: () => number;
	/** Links that lose everything, as "from to". */
	readonly cut: Set<string>;
	readonly snapshots: { readonly from: SimulatedNode; readonly to: SimulatedNode; readonly at: SnapshotOf }[];
	counter: number;
	lastAwaited: {
		readonly waiter: number;
		readonly index: number;
		readonly term: number;
		readonly by: NodeId;
	} | null;
}

function begin(seed: number, size: number): Run {
	const ids = Array.from({ length: size }, (_, place) => `n${place + 1}`);
	const simulation = createSimulation({ ids, settings, seed });
	const checker = watch(simulation);
	const run: Run = {
		simulation,
		checker,
		random: createRandomSource(seed),
		cut: new Set(),
		snapshots: [],
		counter: 0,
		lastAwaited: null,
	};
	const check = simulation.onOutput;
	simulation.onOutput = (node, output) => {
		check(node, output);
		if (output.type !== "send-snapshot") return;
		const to = simulation.nodes.get(output.to);
		const view = node.core?.view;
		if (to === undefined || view === undefined) return;
		const index = node.stored.applied;
		const term = view.termAt(index);
		if (term === null) throw new Error(`${node.id} lost the term of what it applied`);
		const { configuration, configurationIndex } = view;
		run.snapshots.push({ from: node, to, at: { index, term, configuration, configurationIndex } });
	};
	return run;
}

function pick<T>(run: Run, list: readonly T[]): T | undefined {
	return list[Math.floor(run.random() * list.length)];
}

function takeMessage(run: Run): void {
	const { inFlight } = run.simulation;
	// Mostly the oldest, so that things get done; now and then any.
	const place = run.random() < 0.6 ? 0 : Math.floor(run.random() * inFlight.length);
	const message = inFlight[place];
	if (message === undefined) return;
	if (run.random() > 0.05) inFlight.splice(place, 1);
	const isLost = run.cut.has(`${message.from} ${message.to}`) || run.random() < 0.05;
	if (!isLost) run.simulation.deliver(message);
}

function finishSnapshot(run: Run): void {
	const snapshot = run.snapshots.shift();
	if (snapshot === undefined) return;
	const { from, to, at } = snapshot;
	const isInstalled = run.random() < 0.7 && to.core !== null && at.index > to.stored.applied;
	if (isInstalled) run.simulation.installSnapshot(to, at);
	run.simulation.step(from, { type: "snapshot-sent", to: to.id, index: isInstalled ? at.index : null });
}

function cutLinks(run: Run, ids: readonly NodeId[]): void {
	run.cut.clear();
	const chance = run.random() * 0.7;
	for (const from of ids) for (const to of ids) if (run.random() < chance) run.cut.add(`${from} ${to}`);
}

/** As for a stored answer: what is in the log is to meet a mode after all. */
function awaitAgain(run: Run, node: SimulatedNode): void {
	const { simulation, random, checker } = run;
	const { core } = node;
	if (core === null || core.view.role !== "leader") return;
	const index = Math.max(1, core.view.lastIndex - Math.floor(random() * 4));
	const waiter = run.counter++;
	run.lastAwaited = { waiter, index, term: core.view.term, by: node.id };
	checker.awaited(waiter, index);
	const acknowledgement: Acknowledgement = { mode: "sync", strict: false };
	simulation.step(node, { type: "await-acknowledgement", index, acknowledgement, waiter });
}

/** Nobody waits any more, so nobody is told: the checker takes what is said all the same for unasked. */
function forget(run: Run, node: SimulatedNode): void {
	const { simulation, checker, random, lastAwaited } = run;
	const { core } = node;
	if (core === null || core.view.role !== "leader") return;
	const { term } = core.view;
	if (lastAwaited?.by === node.id && lastAwaited.term === term && random() < 0.5) {
		const { waiter, index } = lastAwaited;
		checker.forgotten(waiter);
		return simulation.step(node, { type: "forget-acknowledgement", term, index, waiter });
	}
	const pending = [...simulation.modes.keys()].filter((key) => key.endsWith(` in term ${term}`));
	const key = pick(run, pending);
	if (key === undefined) return;
	simulation.modes.delete(key);
	const index = Number.parseInt(key, 10);
	simulation.step(node, { type: "forget-acknowledgement", term, index, waiter: null });
}

function act(run: Run): void {
	const { simulation } = run;
	const node = pick(run, [...simulation.nodes.values()]);
	if (node === undefined) return;
	const dice = run.random();
	if (dice < 0.43) return takeMessage(run);
	if (dice < 0.5) return simulation.apply(node);
	if (dice < 0.7) return void simulation.completeDisk(node, 1 + Math.floor(run.random() * 3));
	if (dice < 0.85) {
		simulation.now += Math.floor(run.random() * 12);
		return simulation.step(node, { type: "tick" });
	}
	if (dice < 0.91) {
		const payload = textBytes(`${run.counter++}${"x".repeat(Math.floor(run.random() * 60))}`);
		const possible = modes.filter(
			(mode) => mode?.mode !== "semi-sync" || mode.followers < simulation.nodes.size,
		);
		const acknowledgement = possible[run.counter % possible.length] ?? null;
		return simulation.step(node, {
			type: "propose",
			entries: [{ kind: "command", payload }],
			acknowledgement,
		});
	}
	if (dice < 0.95) {
		const readId = run.counter++;
		run.checker.readBegan(readId);
		return simulation.step(node, { type: "read", readId });
	}
	if (dice < 0.96) return finishSnapshot(run);
	if (dice < 0.963) return simulation.crash(node, Math.floor(run.random() * 4));
	if (dice < 0.985) return node.core === null ? simulation.restart(node) : undefined;
	if (dice < 0.986) return simulation.step(node, { type: "transfer", to: null });
	if (dice < 0.987) return cutLinks(run, [...simulation.nodes.keys()]);
	if (dice < 0.993) return simulation.compact(node, node.stored.applied - Math.floor(run.random() * 3));
	if (dice < 0.995) return simulation.step(node, { type: "unreachable", node: "n1" });
	if (dice < 0.9955) return simulation.step(node, { type: "step-down" });
	if (dice < 0.9971) return awaitAgain(run, node);
	if (dice < 0.998) return forget(run, node);
	run.cut.clear();
}

/** Everything works again: soon there must be one leader, and all logs equal. */
function heal(run: Run): void {
	const { simulation } = run;
	const nodes = [...simulation.nodes.values()];
	run.cut.clear();
	for (const node of nodes) if (node.core === null) simulation.restart(node);
	for (let round = 0; round < 400; round++) {
		simulation.now += 20;
		for (const node of nodes) simulation.step(node, { type: "tick" });
		for (let busy = true; busy; ) {
			busy = false;
			for (const node of nodes) busy = simulation.completeDisk(node, 100) > 0 || busy;
			for (const message of simulation.inFlight.splice(0)) {
				busy = true;
				simulation.deliver(message);
			}
			for (const node of nodes) simulation.apply(node);
			while (run.snapshots.length > 0) finishSnapshot(run);
		}
	}
	const leaders = nodes.filter((node) => node.core?.view.established);
	expect(leaders.length).toBe(1);
	const last = leaders[0]?.core?.view.lastIndex ?? 0;
	for (const node of nodes) expect([node.id, node.stored.applied]).toEqual([node.id, last]);
	for (const node of nodes) expect([node.id, node.core?.view.pendingReads]).toEqual([node.id, 0]);
}

function runSeed(seed: number, size: number, steps: number): Checker {
	try {
		const run = begin(seed, size);
		for (let each = 0; each < steps; each++) act(run);
		heal(run);
		return run.checker;
	} catch (error) {
		throw new Error(`seed ${seed}, ${size} nodes, ${steps} steps`, { cause: error });
	}
}

const runs = 60;

for (const size of [1, 2, 3, 4, 5]) {
	test(`${size} nodes keep every invariant under random faults`, () => {
		let committed = 0;
		let reads = 0;
		let acknowledged = 0;
		let sync = 0;
		let syncWithFollower = 0;
		let awaitedDone = 0;
		for (let seed = 1; seed <= runs; seed++) {
			const checker = runSeed(seed, size, 4_000);
			committed += checker.committedIndex;
			reads += checker.readsDone;
			acknowledged += checker.acknowledgementsDone;
			sync += checker.syncDone;
			syncWithFollower += checker.syncWithFollower;
			awaitedDone += checker.awaitedDone;
		}
		// A schedule in which nothing happens would show nothing.
		expect(committed).toBeGreaterThan(runs * 20);
		expect(reads).toBeGreaterThan(runs * 20);
		expect(acknowledged).toBeGreaterThan(runs * 10);
		expect(sync).toBeGreaterThan(runs * 2);
		expect(awaitedDone).toBeGreaterThan(runs / 4);
		if (size > 1) expect(syncWithFollower).toBeGreaterThan(runs);
	});
}
