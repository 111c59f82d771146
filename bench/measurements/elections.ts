// From the death of the leader to a successor that serves, for each elector, in the core's own simulation: the same each time.
import { createRandomSource } from "../../packages/skein/src/consensus/random.ts";
import { defaultConsensusSettings } from "../../packages/skein/src/consensus/settings.ts";
import {
	createSimulation,
	type SimulatedNode,
	type Simulation,
} from "../../packages/skein/src/consensus/testing/simulation.ts";
import { type ElectorName, electorNames } from "../../packages/skein/src/consensus/types.ts";
import { encodeMessage } from "../../packages/skein/src/peer/codec/message.ts";
import { type Measurement, median, quantile, show, table } from "../report.ts";

const sizes = [3, 5, 7];
const seeds = 200;
/** One way, at least and at most. */
const networkMs = { least: 0.2, most: 0.8 };
const diskMs = 1;
const tickMs = 10;
const stepMs = 0.1;
const limitMs = 30_000;

interface Election {
	readonly tookMs: number;
	readonly messages: number;
	readonly messageBytes: number;
	/** Promises, and bytes of entries, made durable by all. */
	readonly promises: number;
	readonly logBytes: number;
}

export const elections: Measurement = {
	name: "elections",
	title: "Electors",
	async run({ say }) {
		const lines: string[][] = [];
		for (const elector of electorNames) {
			for (const size of sizes) {
				const all = Array.from({ length: seeds }, (_, seed) => measure(elector, size, seed + 1));
				const of = (value: (one: Election) => number): string => show(median(all.map(value)));
				const times = all.map((one) => one.tookMs);
				const slowest = `${show(quantile(times, 0.95))} / ${show(Math.max(...times))}`;
				lines.push([
					elector,
					String(size),
					show(median(times)),
					slowest,
					of((one) => one.messages),
					of((one) => one.messageBytes),
					of((one) => one.promises),
					of((one) => one.logBytes),
				]);
				say(`${elector} of ${size}: ${show(median(times))} ms`);
			}
		}
		return { rows: [], details: `${table(head, lines)}\n\n${how}` };
	},
};

const head = ["elector", "members", "ms", "95 % / most", "messages", "their bytes", "promises", "log bytes"];
const how = `Medians of ${seeds} runs each. Simulated: default settings (heartbeats every ${defaultConsensusSettings.heartbeatIntervalMs} ms, election timeout ${defaultConsensusSettings.electionTimeoutMs} ms), messages take ${networkMs.least} to ${networkMs.most} ms, the disk ${diskMs} ms, the leader dies at any moment between two heartbeats. Counted from its death until a successor's barrier is committed; for \`manual\` from the operator's word, a second later. Messages: all that members send in that time.`;

function measure(elector: ElectorName, size: number, seed: number): Election {
	const world = createWorld(elector, size, seed);
	if (elector === "manual") world.tellToStand(2);
	else world.runUntil(() => world.leader() !== null, limitMs);
	world.runFor(1_000);
	const first = world.leader();
	if (first === null) throw new Error(`${elector} of ${size}, seed ${seed}: nobody leads`);
	world.runFor(world.random() * defaultConsensusSettings.heartbeatIntervalMs);
	world.simulation.crash(first);
	if (elector === "manual") {
		world.runFor(1_000);
		world.forgetCounts();
		world.tellToStand(size - 1);
	} else {
		world.forgetCounts();
		world.runUntil(() => world.leader() !== null, limitMs);
	}
	return world.counted();
}

function createWorld(elector: ElectorName, size: number, seed: number) {
	const random = createRandomSource(seed * 7_919 + size);
	const ids = Array.from({ length: size }, (_, place) => `n${place + 1}`);
	const settings = { ...defaultConsensusSettings, elector };
	const simulation: Simulation = createSimulation({ ids, settings, seed });
	const arrivals: { readonly at: number; readonly happen: () => void }[] = [];
	/** Members notice that time passes at moments of their own. */
	const ticks = new Map(ids.map((id) => [id, random() * tickMs]));
	let counts = { since: 0, messages: 0, messageBytes: 0, promises: 0, logBytes: 0 };

	simulation.inFlight.push = (...messages) => {
		for (const message of messages) {
			const delayMs = networkMs.least + random() * (networkMs.most - networkMs.least);
			counts.messages++;
			counts.messageBytes += encodeMessage(message).length;
			arrivals.push({ at: simulation.now + delayMs, happen: () => simulation.deliver(message) });
		}
		return 0;
	};
	simulation.onOutput = (node, output) => {
		if (output.type === "write-promise") counts.promises++;
		if (output.type === "append-log")
			for (const { payload } of output.entries) counts.logBytes += payload.length + 32;
		const isDiskWork = output.type === "write-promise" || output.type === "append-log";
		if (isDiskWork)
			arrivals.push({ at: simulation.now + diskMs, happen: () => simulation.completeDisk(node, 1) });
	};

	function step(): void {
		simulation.now += stepMs;
		for (const node of simulation.nodes.values()) {
			if ((ticks.get(node.id) ?? 0) > simulation.now) continue;
			ticks.set(node.id, simulation.now + tickMs);
			simulation.step(node, { type: "tick" });
		}
		for (let place = 0; place < arrivals.length; ) {
			const arrival = arrivals[place];
			if (arrival === undefined || arrival.at > simulation.now) place++;
			else {
				arrivals.splice(place, 1);
				arrival.happen();
			}
		}
	}

	const world = {
		simulation,
		random,
		leader: (): SimulatedNode | null =>
			[...simulation.nodes.values()].find((node) => node.core?.view.established) ?? null,
		runFor(forMs: number): void {
			const until = simulation.now + forMs;
			while (simulation.now < until) step();
		},
		runUntil(holds: () => boolean, atMostMs: number): void {
			const until = simulation.now + atMostMs;
			while (!holds() && simulation.now < until) step();
			if (!holds()) throw new Error(`${elector} of ${size}, seed ${seed}: nobody leads in ${atMostMs} ms`);
		},
		/** The operator, who tries the next where one does not win. */
		tellToStand(from: number): void {
			for (let each = 0; each < size * 2 && world.leader() === null; each++) {
				const node = simulation.nodes.get(ids[(from + each) % size] ?? "");
				if (node === undefined || node.core === null) continue;
				simulation.step(node, { type: "stand" });
				const until = simulation.now + 2 * settings.electionTimeoutMs;
				while (world.leader() === null && simulation.now < until) step();
			}
		},
		forgetCounts(): void {
			counts = { since: simulation.now, messages: 0, messageBytes: 0, promises: 0, logBytes: 0 };
		},
		counted: (): Election => ({ ...counts, tookMs: simulation.now - counts.since }),
	};
	return world;
}
