/**
 * Members of one group with a simulated network and disk, for the tests of the core: a message or a
 * disk write happens only when the test says so. The disk keeps what completed and loses the rest in
 * a crash, from the first write that did not complete on.
 */

import type { Acknowledgement } from "../acknowledge/acknowledgement.ts";
import type { ConfigurationAt } from "../configuration.ts";
import {
	decodeConfiguration,
	encodeConfiguration,
	initialConfiguration,
	noMembers,
} from "../configuration.ts";
import type { Core } from "../core.ts";
import { createCore } from "../core.ts";
import type { Input } from "../input.ts";
import type { ConsensusMessage } from "../message.ts";
import type { Output } from "../output.ts";
import type { ConsensusSettings } from "../settings.ts";
import type { Configuration, ElectorName, Entry, LogIndex, NodeId, Position, VotePromise } from "../types.ts";
import type { CoreView } from "../view.ts";

export type TimelessInput = Input extends infer One ? (One extends Input ? Omit<One, "now"> : never) : never;
type DiskWork = Extract<Output, { type: "write-promise" | "append-log" | "reset-log" }>;

export interface SnapshotOf extends Position {
	readonly configuration: Configuration;
	readonly configurationIndex: LogIndex;
}

/** What a disk holds. `log[i]` is the entry `base.index + 1 + i`. */
interface Stored {
	promise: VotePromise;
	base: Position;
	log: Entry[];
	/** The configuration at the base. */
	configuration: ConfigurationAt;
	applied: LogIndex;
}

export interface SimulatedNode {
	readonly id: NodeId;
	core: Core | null;
	/** The log as the core has it; what the disk holds durably is in `stored`. */
	log: Map<LogIndex, Entry>;
	/** As in a database: the configuration at what is applied. */
	appliedConfiguration: ConfigurationAt;
	readonly stored: Stored;
	diskQueue: DiskWork[];
	lives: number;
	/** What its readers see. Behind `stored.applied`, which is what it may apply, until `apply`. */
	database: LogIndex;
}

/** What a core knew before a step. */
export type Before = Pick<
	CoreView,
	"configuration" | "configurationIndex" | "role" | "commitIndex" | "chain"
>;

export interface Simulation {
	readonly nodes: Map<NodeId, SimulatedNode>;
	readonly inFlight: ConsensusMessage[];
	/** What was asked for with accepted proposals, by index and term of their last entry. */
	readonly modes: Map<string, Acknowledgement>;
	now: number;
	/** Called for every output, before it is carried out. */
	onOutput: (node: SimulatedNode, output: Output) => void;
	/** Called after every step, before its outputs are carried out. */
	onStepped: (node: SimulatedNode, before: Before) => void;
	step(node: SimulatedNode, input: TimelessInput): void;
	/** A node that is to join: its disk is empty, and it knows no members. */
	addNode(id: NodeId): SimulatedNode;
	/** The oldest `count` disk writes of the node complete; the number that did. */
	completeDisk(node: SimulatedNode, count: number): number;
	/** `lostEntries`: so much less is in its database when it starts again. */
	crash(node: SimulatedNode, lostEntries?: number): void;
	/** Its database takes in all that it may apply. */
	apply(node: SimulatedNode): void;
	restart(node: SimulatedNode): void;
	deliver(message: ConsensusMessage): void;
	compact(node: SimulatedNode, index: LogIndex): void;
	installSnapshot(node: SimulatedNode, snapshot: SnapshotOf): void;
}

export interface SimulationOptions {
	readonly ids: readonly NodeId[];
	readonly settings: ConsensusSettings;
	readonly seed: number;
	/** Logs to begin with, as the terms of the entries from index 2 on. */
	readonly logs?: ReadonlyMap<NodeId, readonly number[]>;
	readonly learners?: readonly NodeId[];
	/** Members with another elector of their own than the settings say. */
	readonly electorOf?: (node: NodeId) => ElectorName | undefined;
}

export const group = 1;

export function createSimulation(options: SimulationOptions): Simulation {
	const simulation: Simulation = {
		nodes: new Map(),
		inFlight: [],
		modes: new Map(),
		now: 0,
		onOutput: () => {},
		onStepped: () => {},
		addNode: (id) => add(id, [], noMembers),
		step,
		completeDisk,
		crash(node, lostEntries = 0) {
			node.core = null;
			node.diskQueue = [];
			const { base } = node.stored;
			const floor = Math.max(base.index, pendingSnapshots.get(node.id)?.index ?? 0);
			node.database = Math.max(floor, node.database - lostEntries);
		},
		apply(node) {
			if (node.core === null || node.database >= node.stored.applied) return;
			node.database = node.stored.applied;
			step(node, { type: "applied", index: node.database });
		},
		restart,
		deliver(message) {
			const node = simulation.nodes.get(message.to);
			if (node !== undefined) step(node, { type: "message", message });
		},
		compact(node, index) {
			const { stored } = node;
			if (index > node.database) return;
			const term = node.core?.view.termAt(index) ?? null;
			if (term === null || index <= stored.base.index) return;
			for (const entry of stored.log) {
				if (entry.kind === "configuration" && entry.index <= index) {
					stored.configuration = { index: entry.index, value: decodeConfiguration(entry.payload) };
				}
			}
			stored.log = stored.log.filter((entry) => entry.index > index);
			stored.base = { index, term };
			for (const held of node.log.keys()) if (held <= index) node.log.delete(held);
			step(node, { type: "compacted", index });
		},
		installSnapshot(node, snapshot) {
			// The database is replaced first, and durably: a restart begins at least there.
			if (snapshot.index > node.stored.applied) {
				node.stored.applied = snapshot.index;
				node.appliedConfiguration = { index: snapshot.configurationIndex, value: snapshot.configuration };
			}
			node.database = Math.max(node.database, snapshot.index);
			pendingSnapshots.set(node.id, snapshot);
			step(node, { type: "snapshot-installed", ...snapshot });
			step(node, { type: "applied", index: node.database });
		},
	};
	const pendingSnapshots = new Map<NodeId, SnapshotOf>();

	function step(node: SimulatedNode, input: TimelessInput): void {
		const { core } = node;
		if (core === null) return;
		const isEarly = input.type === "tick" && simulation.now < core.tickDueAt();
		const { configuration, configurationIndex, role, commitIndex, chain } = core.view;
		const before = { configuration, configurationIndex, role, commitIndex, chain };
		const outputs = core.step({ ...input, now: simulation.now } as Input);
		simulation.onStepped(node, before);
		if (isEarly && outputs.length > 0) throw new Error("a tick that was not due did something");
		for (const output of outputs) {
			if (input.type === "propose" && input.acknowledgement !== null && output.type === "proposal-accepted")
				simulation.modes.set(`${output.lastIndex} in term ${output.term}`, input.acknowledgement);
			simulation.onOutput(node, output);
			carryOut(node, output);
		}
	}

	function carryOut(node: SimulatedNode, output: Output): void {
		switch (output.type) {
			case "append-log":
				if (output.truncateFrom !== null) cut(node, output.truncateFrom);
				for (const entry of output.entries) node.log.set(entry.index, entry);
				node.diskQueue.push(output);
				return;
			case "reset-log":
				node.log.clear();
				node.diskQueue.push(output);
				return;
			case "write-promise":
				node.diskQueue.push(output);
				return;
			case "send":
				simulation.inFlight.push(output.message);
				return;
			case "send-entries": {
				const { to, term, previous, firstIndex, lastIndex, commitIndex, route } = output;
				const whole = entriesBetween(node, firstIndex, lastIndex);
				const entries = output.withoutPayloads ? whole.map(stripped) : whole;
				const append = { group, from: node.id, to, term, previous, entries, commitIndex };
				simulation.inFlight.push(
					route.length === 0
						? { type: "append-request", ...append }
						: { type: "chain-append", ...append, leader: node.id, route },
				);
				return;
			}
			case "commit":
				apply(node, output.index);
				return;
			default:
		}
	}

	function completeDisk(node: SimulatedNode, count: number): number {
		const done = node.diskQueue.splice(0, count);
		for (const work of done) store(node.stored, work, pendingSnapshots.get(node.id));
		// One report for several tickets: each stands for those before it.
		const last = done.at(-1);
		if (last !== undefined) step(node, { type: "durable", ticket: last.ticket });
		return done.length;
	}

	function restart(node: SimulatedNode): void {
		const { stored } = node;
		node.lives++;
		stored.applied = node.database;
		const snapshot = pendingSnapshots.get(node.id);
		const held = stored.log.find((entry) => entry.index === snapshot?.index);
		const isBehind =
			snapshot !== undefined && snapshot.index > stored.base.index && held?.term !== snapshot.term;
		// As the runtime does: a log that the database's snapshot does not continue is reset at the start.
		if (isBehind) store(stored, { type: "reset-log", ticket: 0, base: snapshot }, snapshot);
		node.appliedConfiguration = configurationAt(stored, stored.applied);
		node.log = new Map(stored.log.map((entry) => [entry.index, entry]));
		node.core = createCore({
			witness: node.id.startsWith("w"),
			self: node.id,
			group,
			settings: { ...options.settings, elector: options.electorOf?.(node.id) ?? options.settings.elector },
			seed: options.seed * 1000 + node.lives * 31 + Number(node.id.slice(1)),
			now: simulation.now,
			promise: stored.promise,
			base: stored.base,
			headers: stored.log.map(({ index, term, payload }) => ({ index, term, sizeBytes: payload.length })),
			configuration: stored.configuration,
			configurations: stored.log
				.filter((entry) => entry.kind === "configuration")
				.map((entry) => ({ index: entry.index, value: decodeConfiguration(entry.payload) })),
			commitIndex: Math.max(stored.applied, stored.base.index),
		});
	}

	function add(id: NodeId, log: Entry[], value: Configuration): SimulatedNode {
		const promise = { term: log.at(-1)?.term ?? 0, votedFor: null };
		const configuration = { index: 0, value };
		const stored = { promise, base: { index: 0, term: 0 }, log, configuration, applied: 0 };
		const node: SimulatedNode = {
			id,
			core: null,
			log: new Map(),
			appliedConfiguration: configuration,
			stored,
			diskQueue: [],
			lives: 0,
			database: 0,
		};
		simulation.nodes.set(id, node);
		restart(node);
		return node;
	}

	const configuration = configurationFor(options.ids, options.learners ?? []);
	const payload = encodeConfiguration(configuration);
	for (const id of options.ids) {
		const terms = [1, ...(options.logs?.get(id) ?? [])];
		const log = terms.map(
			(term, place): Entry => ({
				index: place + 1,
				term,
				kind: place === 0 ? "configuration" : "command",
				payload: place === 0 ? payload : textBytes(`t${term}i${place + 1}`),
			}),
		);
		add(id, log, configuration);
	}
	return simulation;
}

function apply(node: SimulatedNode, index: LogIndex): void {
	for (let each = node.stored.applied + 1; each <= index; each++) {
		const entry = node.log.get(each);
		if (entry?.kind !== "configuration") continue;
		node.appliedConfiguration = { index: each, value: decodeConfiguration(entry.payload) };
	}
	node.stored.applied = Math.max(node.stored.applied, index);
}

function configurationAt({ log, configuration }: Stored, index: LogIndex): ConfigurationAt {
	const entry = log.findLast((one) => one.kind === "configuration" && one.index <= index);
	return entry === undefined
		? configuration
		: { index: entry.index, value: decodeConfiguration(entry.payload) };
}

function configurationFor(ids: readonly NodeId[], learners: readonly NodeId[]): Configuration {
	const all = initialConfiguration(ids.map((id) => ({ id, peer: `${id}:1` })));
	return { ...all, voters: all.voters.filter((id) => !learners.includes(id)), learners };
}

export function entriesBetween(node: SimulatedNode, first: LogIndex, last: LogIndex): Entry[] {
	const entries: Entry[] = [];
	for (let index = first; index <= last; index++) {
		const entry = node.log.get(index);
		if (entry === undefined) throw new Error(`${node.id} does not hold entry ${index}`);
		entries.push(entry);
	}
	return entries;
}

/** What a witness gets of an entry: here it needs no length and checksum. */
function stripped(entry: Entry): Entry {
	const isOpaque = entry.kind === "command" || entry.kind === "fragment";
	return isOpaque ? { ...entry, kind: "metadata", payload: textBytes(entry.kind) } : entry;
}

export function textBytes(text: string): Uint8Array {
	return new TextEncoder().encode(text);
}

function cut(node: SimulatedNode, from: LogIndex): void {
	for (const index of node.log.keys()) if (index >= from) node.log.delete(index);
}

function store(stored: Stored, work: DiskWork, snapshot: SnapshotOf | undefined): void {
	switch (work.type) {
		case "write-promise":
			stored.promise = work.promise;
			return;
		case "append-log": {
			const from = work.truncateFrom ?? Number.POSITIVE_INFINITY;
			stored.log = stored.log.filter((entry) => entry.index < from);
			for (const entry of work.entries) if (entry.index > stored.base.index) stored.log.push(entry);
			return;
		}
		case "reset-log":
			if (snapshot === undefined) throw new Error("a reset without a snapshot");
			stored.base = { index: work.base.index, term: work.base.term };
			stored.log = [];
			stored.configuration = { index: snapshot.configurationIndex, value: snapshot.configuration };
			return;
	}
}
