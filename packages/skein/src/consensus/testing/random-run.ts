/**
 * A group under a random schedule: messages are lost, doubled, late and out of order, nodes crash with
 * what their disks had not finished, links break, snapshots and transfers go on, and, if asked for,
 * members come and go. Each run follows from its seed alone; a failure names it.
 */
import { expect } from "vitest";
import type { Acknowledgement } from "../acknowledge/acknowledgement.ts";
import { isUpToDate } from "../log-view.ts";
import { createRandomSource } from "../random.ts";
import { defaultConsensusSettings } from "../settings.ts";
import type { ElectorName, MemberChange, NodeId, Position } from "../types.ts";
import type { Checker } from "./checker.ts";
import { watch } from "./checker.ts";
import type { SimulatedNode, Simulation, SnapshotOf } from "./simulation.ts";
import { createSimulation, textBytes } from "./simulation.ts";

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
	{ mode: "chain" },
];
/** Where others come in between nobody is lent a read lease. */
const onlyChain: readonly (Acknowledgement | null)[] = [null, { mode: "chain" }, { mode: "chain" }];

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
	/** What is asked for. */
	readonly modes: readonly (Acknowledgement | null)[];
	/** The part of all actions that change members. */
	readonly changes: number;
	/** Where an elector never lets anybody stand by itself, somebody else has to. */
	readonly operator: Operator | null;
	/** Those that a change may choose. */
	readonly electors: readonly ElectorName[];
}

interface Operator {
	/** Of its own, so that runs without one stay what they are. */
	readonly random: () => number;
}

export interface RunOptions {
	/** The part of all actions that change members. */
	readonly changes?: number;
	/** Nothing but mode chain, so that members read by themselves. */
	readonly isChain?: boolean;
	/** Members take turns. */
	readonly electors?: readonly ElectorName[];
}

function begin(seed: number, size: number, options: RunOptions): Run {
	const { changes = 0, isChain = false, electors = [] } = options;
	const ids = Array.from({ length: size }, (_, place) => `n${place + 1}`);
	const simulation = createSimulation({
		ids,
		settings: { ...settings, chain: isChain },
		seed,
		electorOf: (node) => electors[(Number(node.slice(1)) + seed) % electors.length],
	});
	const checker = watch(simulation);
	const run: Run = {
		simulation,
		checker,
		random: createRandomSource(seed),
		cut: new Set(),
		snapshots: [],
		counter: 0,
		lastAwaited: null,
		changes,
		modes: isChain ? onlyChain : modes,
		electors,
		operator: electors.includes("manual") ? { random: createRandomSource(seed + 1) } : null,
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
		const { value: configuration, index: configurationIndex } = node.appliedConfiguration;
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

/** Now and then a piece of a transaction, whose end comes later: nobody waits for a piece. */
function proposeAny(run: Run, node: SimulatedNode): void {
	const { simulation } = run;
	const payload = textBytes(`${run.counter++}${"x".repeat(Math.floor(run.random() * 60))}`);
	const kind = run.random() < 0.2 ? "fragment" : "command";
	const possible = run.modes.filter(
		(mode) => mode?.mode !== "semi-sync" || mode.followers < simulation.nodes.size,
	);
	const acknowledgement = kind === "fragment" ? null : (possible[run.counter % possible.length] ?? null);
	simulation.step(node, { type: "propose", entries: [{ kind, payload }], acknowledgement });
}

/**
 * Whoever leads, or believes so, is asked for one to three changes at once, of members old and new. Now and then it is
 * cut off first: what it appends then is mostly taken back.
 */
function changeMembers(run: Run): void {
	const { simulation } = run;
	const leader = pick(
		run,
		[...simulation.nodes.values()].filter((node) => node.core?.view.role === "leader"),
	);
	if (leader === undefined) return;
	if (run.random() < 0.15) cutOff(run, leader.id);
	const { members } = leader.core?.view.configuration ?? { members: [] };
	const count = 1 + Math.floor(run.random() ** 2 * 3);
	const changes = Array.from({ length: count }, () =>
		anyChange(
			run,
			members.map(({ id }) => id),
		),
	);
	for (const change of changes) {
		if (change.change === "add" && !simulation.nodes.has(change.id)) simulation.addNode(change.id);
	}
	simulation.step(leader, { type: "change-members", changes, force: run.random() < 0.2, dryRun: false });
}

function cutOff(run: Run, id: NodeId): void {
	run.cut.clear();
	for (const other of run.simulation.nodes.keys()) {
		// A minority may still hear it.
		if (run.random() < 0.8) run.cut.add(`${id} ${other}`).add(`${other} ${id}`);
	}
}

function anyChange(run: Run, members: readonly NodeId[]): MemberChange {
	const dice = run.random();
	const id = pick(run, members) ?? "n1";
	const elector = dice < 0.05 && run.electors.length > 0 ? pick(run, run.electors) : undefined;
	if (elector !== undefined) return { change: "elector", elector };
	if (dice < 0.2) return { change: "promote", id };
	if (dice < 0.3) return { change: "demote", id };
	if (dice < 0.32) return { change: "move", id, peer: `${id}:${run.counter++}` };
	if (dice < 0.45) {
		const priority = pick(run, ["never", "never", "normal", "preferred"] as const) ?? "normal";
		return { change: "priority", id, priority };
	}
	if (dice < 0.52) {
		// Another kind of machine: no id of one is ever that of a member with data.
		const witness = members.find((one) => one.startsWith("w"));
		const isRemoved = witness !== undefined && run.random() < 0.5;
		if (isRemoved) return { change: "remove", id: witness };
		const name = `w${run.simulation.nodes.size + 1}`;
		return { change: "add", id: name, peer: `${name}:1`, as: "witness" };
	}
	// Few members: a majority is soon gone, and groups of one and two have their own troubles.
	if (members.length > 2 + run.random() * 5) return { change: "remove", id };
	const isOld = run.random() < 0.1;
	const name = isOld
		? (pick(
				run,
				[...run.simulation.nodes.keys()].filter((one) => one.startsWith("n")),
			) ?? id)
		: `n${run.simulation.nodes.size + 1}`;
	return {
		change: "add",
		id: name,
		peer: `${name}:1`,
		as: pick(run, ["voter", "joining", "learner"] as const) ?? "voter",
	};
}

/** It ends long before all must be well again. */
function holdBack(run: Run, node: SimulatedNode): void {
	const reason = pick(run, ["paused", "stepped-down", "unfit"] as const) ?? "paused";
	const forMs = Math.floor(run.random() * 500);
	run.simulation.step(node, { type: "hold-back", reason, forMs });
}

/** One at a time, the one with the best log first: it may not know yet that it is no member any more. */
function sayWhoLeads(run: Run, attempt: number): void {
	const nodes = [...run.simulation.nodes.values()];
	if (nodes.some((node) => node.core?.view.established)) return;
	const lastOf = ({ core }: SimulatedNode): Position => ({
		term: core?.view.lastTerm ?? 0,
		index: core?.view.lastIndex ?? 0,
	});
	const sorted = nodes.sort((one, other) => (isUpToDate(lastOf(one), lastOf(other)) ? -1 : 1));
	const node = sorted[attempt % Math.min(sorted.length, 4)];
	if (node !== undefined) run.simulation.step(node, { type: "stand" });
}

function act(run: Run): void {
	if (run.changes > 0 && run.random() < run.changes) return changeMembers(run);
	const { simulation } = run;
	const node = pick(run, [...simulation.nodes.values()]);
	if (node === undefined) return;
	const dice = run.random();
	// Or a leader that was cut off would stay so until it has stepped down.
	if (run.changes > 0 && run.cut.size > 0 && dice < 0.003) return run.cut.clear();
	if (run.operator !== null && run.operator.random() < 0.01)
		return run.simulation.step(node, { type: "stand" });
	if (dice < 0.43) return takeMessage(run);
	if (dice < 0.5) return simulation.apply(node);
	if (dice < 0.7) return void simulation.completeDisk(node, 1 + Math.floor(run.random() * 3));
	if (dice < 0.85) {
		simulation.now += Math.floor(run.random() * 12);
		return simulation.step(node, { type: "tick" });
	}
	if (dice < 0.91) return proposeAny(run, node);
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
	if (dice < 0.9952) return simulation.step(node, { type: "step-down" });
	if (dice < 0.9955) return holdBack(run, node);
	if (dice < 0.9971) return awaitAgain(run, node);
	if (dice < 0.998) return forget(run, node);
	run.cut.clear();
}

/** Everything works again: soon there must be one leader, no change half done, and all logs of members equal. */
function heal(run: Run): void {
	const { simulation } = run;
	const nodes = [...simulation.nodes.values()];
	run.cut.clear();
	for (const node of nodes) if (node.core === null) simulation.restart(node);
	const rest = (rounds: number): void => {
		for (let round = 0; round < rounds; round++) {
			if (run.operator !== null && round % 20 === 19) sayWhoLeads(run, Math.floor(round / 20));
			passTime(run, nodes);
		}
	};
	rest(200);
	// The end of a transaction whose pieces somebody may have begun: no change gets in before it.
	const end = { kind: "command" as const, payload: textBytes("end") };
	for (const node of nodes) simulation.step(node, { type: "propose", entries: [end], acknowledgement: null });
	rest(200);
	const leaders = nodes.filter((node) => node.core?.view.established);
	expect(leaders.map((node) => node.id)).toHaveLength(1);
	const view = leaders[0]?.core?.view;
	if (view === undefined) return;
	const { lastIndex: last, term, configuration } = view;
	expect(configuration.outgoingVoters).toEqual([]);
	for (const { id } of configuration.members) {
		const node = simulation.nodes.get(id);
		expect([id, node?.stored.applied]).toEqual([id, last]);
		expect([id, node?.core?.view.pendingReads]).toEqual([id, 0]);
	}
	// Those who were removed live on, and must not disturb the rest.
	rest(200);
	expect(view.term).toBe(term);
	expect(view.established).toBe(true);
}

function passTime(run: Run, nodes: readonly SimulatedNode[]): void {
	const { simulation } = run;
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

export function runSeed(seed: number, size: number, steps: number, options: RunOptions = {}): Checker {
	try {
		const run = begin(seed, size, options);
		for (let each = 0; each < steps; each++) act(run);
		heal(run);
		return run.checker;
	} catch (error) {
		throw new Error(`seed ${seed}, ${size} nodes, ${steps} steps`, { cause: error });
	}
}
