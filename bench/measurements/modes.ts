// What each acknowledgement mode costs: one client's write, many clients' writes, and both while a follower is stopped.
import { createLoadTable, httpLoad } from "../load/http-load.ts";
import { type Measurement, type Report, type Settings, show, spread, table } from "../report.ts";
import { openSkein, type SkeinCluster } from "../skein/cluster.ts";

const clients = 64;
/** `sync;strict` is left out where a follower is stopped: it waits, as it promises. */
const modes = ["async", "semi-sync", "quorum", "sync", "sync;strict", "chain"] as const;
const healthyMs = 1_500;

interface Figures {
	readonly mode: string;
	readonly stopped: boolean;
	readonly oneP50Ms: number;
	readonly oneP99Ms: number;
	readonly perSecond: number;
	readonly manyP99Ms: number;
}

export const modesOfWrites: Measurement = {
	name: "modes",
	title: "Acknowledgement modes",
	async run(settings) {
		const figures: Figures[] = [];
		for (let round = 1; round <= settings.rounds; round += 1) {
			figures.push(...(await measureRound(settings)));
			settings.say(`round ${round} of ${settings.rounds}`);
		}
		return report(figures);
	},
};

async function measureRound(settings: Settings): Promise<Figures[]> {
	await using cluster = await openSkein();
	const leader = await cluster.leader();
	await createLoadTable(leader.url, 0);
	// Code that has never run is not compiled yet.
	await measure(cluster, settings.seconds / 2, "quorum", false);
	const figures: Figures[] = [];
	// In turns, so that a slower minute is every mode's.
	for (const mode of modes) figures.push(await measure(cluster, settings.seconds, mode, false));
	const follower = cluster.nodes.find(({ id }) => id !== leader.id);
	if (follower === undefined) throw new Error("no follower");
	await follower.end("SIGKILL");
	// Longer than a lease: what is measured is the state after it, the wait itself is in the simulator and the tests.
	await new Promise((resolve) => setTimeout(resolve, healthyMs));
	for (const mode of modes)
		if (mode !== "sync;strict") figures.push(await measure(cluster, settings.seconds, mode, true));
	return figures;
}

async function measure(
	cluster: SkeinCluster,
	seconds: number,
	mode: string,
	stopped: boolean,
): Promise<Figures> {
	const { port } = await cluster.leader();
	const load = { kind: "write", port, headers: { "skein-ack": mode } } as const;
	const one = await httpLoad({ ...load, connections: 1, seconds: seconds / 2 });
	const many = await httpLoad({ ...load, connections: clients, seconds });
	return {
		mode,
		stopped,
		oneP50Ms: one.latencyMs.p50,
		oneP99Ms: one.latencyMs.p99,
		perSecond: many.perSecond,
		manyP99Ms: many.latencyMs.p99,
	};
}

function report(figures: readonly Figures[]): Report {
	const rowsOf = (stopped: boolean): string[][] =>
		modes.flatMap((mode) => {
			const mine = figures.filter((each) => each.mode === mode && each.stopped === stopped);
			if (mine.length === 0) return [];
			const column = (valueOf: (each: Figures) => number, digits: number): string =>
				spread(mine.map(valueOf), digits);
			return [
				[
					mode,
					column((each) => each.oneP50Ms, 2),
					column((each) => each.oneP99Ms, 2),
					column((each) => each.perSecond, 0),
					column((each) => each.manyP99Ms, 1),
				],
			];
		});
	const head = ["mode", "one client p50 ms", "p99 ms", `${clients} clients writes/s`, "p99 ms"];
	return {
		rows: [],
		details: [
			"Three nodes, clients at the leader. Medians of the rounds, lowest and highest.",
			"",
			table(head, rowsOf(false)),
			"",
			`A follower killed, ${show(healthyMs)} ms before:`,
			"",
			table(head, rowsOf(true)),
		].join("\n"),
	};
}
