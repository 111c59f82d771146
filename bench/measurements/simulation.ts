// How fast the simulator is: simulated seconds of five nodes under load with faults, for a second of one core.
import { createCrew } from "../../packages/simulator/src/command/crew.ts";
import { createChance } from "../../packages/simulator/src/engine/chance.ts";
import { type Coverage } from "../../packages/simulator/src/run/coverage.ts";
import { drawPlan } from "../../packages/simulator/src/run/swarm.ts";
import { type Measurement, median, show, spread, table } from "../report.ts";

const nodes = 5;
/** So many, since what a seed draws decides more than the code: the median of 24 moved by a tenth with each draw that was added. */
const seeds = 72;
/** The budget with which `npm run simulate` runs. */
const budget = { seconds: 60 };
/**
 * Code is not compiled for good before it has run often, and a simulation that matters runs for minutes, at least:
 * after half a minute it gets no faster.
 */
const warmUpRounds = 2;
const thread = new URL("../../packages/simulator/src/command/run-thread.ts", import.meta.url);

interface Run {
	readonly coverage: Coverage;
	/** Of all threads of the process: also what collects garbage and compiles. */
	readonly processorSeconds: number;
}

export const simulation: Measurement = {
	name: "simulation",
	title: "Simulator",
	async run({ rounds, say }) {
		const chosen = fiveNodes(seeds);
		const all = await simulated(chosen, warmUpRounds + rounds, (round, inRound) => {
			const which = round <= warmUpRounds ? "warming up" : `round ${round - warmUpRounds} of ${rounds}`;
			say(`${which}: ${show(median(inRound.map((run) => speed([run]))))}`);
		});
		const coldSpeed = speed(all.slice(0, seeds));
		const runs = all.slice(warmUpRounds * seeds);
		const speeds = chosen.map((_, place) =>
			runs.filter((_, number) => number % seeds === place).map((run) => speed([run])),
		);
		const perSeed = speeds.map((each) => median(each));
		const middle = median(perSeed);
		return {
			rows: [
				{
					measure: "Simulated seconds of five nodes under load with faults, a second of one core",
					atLeast: "≥ 200",
					aim: "≥ 1,000",
					measured: `${show(middle)} (median of ${seeds} seeds; ${show(speed(runs))} over all of them)`,
					isMet: middle >= 200,
				},
			],
			details: [
				`The first ${seeds} seeds that draw ${nodes} members, with the profile of registers, as \`npm run simulate\` runs them:`,
				"settings, load and faults drawn from the seed, every property looked at after every step, and what clients saw",
				"judged at the end. A run has up to 60 simulated seconds with faults, and then the time until all is judged. The time",
				"is that of the processor in all threads of the process, thus with the collection of garbage.",
				`Code is warm, all seeds having run ${warmUpRounds} times before; the first time in a new process it is ${show(coldSpeed)} over all of them.`,
				"",
				...load(runs),
				"",
				`By seed: ${spread(perSeed)}: ${perSeed.map((one, place) => `${chosen[place]}: ${show(one)}`).join(", ")}.`,
			].join("\n"),
		};
	},
};

function fiveNodes(count: number): number[] {
	const found: number[] = [];
	for (let seed = 1; found.length < count; seed += 1) {
		if (drawPlan(createChance(seed).fork("plan"), budget).size === nodes) found.push(seed);
	}
	return found;
}

/** In a thread of `npm run simulate`, one seed after the other. */
async function simulated(
	chosen: readonly number[],
	rounds: number,
	onRound: (round: number, runs: readonly Run[]) => void,
): Promise<Run[]> {
	const orders = Array.from({ length: rounds }, () => chosen).flat();
	const runs: Run[] = [];
	let before = process.cpuUsage();
	await createCrew({
		thread,
		threads: 1,
		nextOrder() {
			const seed = orders[runs.length];
			return seed === undefined ? null : { seed, profile: "registers", ...budget };
		},
		note({ order, failure, coverage }) {
			if (failure !== null)
				throw new Error(`seed ${order.seed} failed: ${failure.property}: ${failure.what}`);
			const { user, system } = process.cpuUsage(before);
			before = process.cpuUsage();
			runs.push({ coverage, processorSeconds: (user + system) / 1e6 });
			if (runs.length % seeds === 0) onRound(runs.length / seeds, runs.slice(-seeds));
		},
	}).done;
	return runs;
}

const sum = (runs: readonly Run[], of: (run: Run) => number): number =>
	runs.reduce((total, run) => total + of(run), 0);

const simulatedSeconds = (runs: readonly Run[]): number =>
	sum(runs, ({ coverage }) => coverage.simulatedMs) / 1_000;

const speed = (runs: readonly Run[]): number =>
	simulatedSeconds(runs) / sum(runs, ({ processorSeconds }) => processorSeconds);

/** What is done to members, disks, clocks and ways between them; lost and doubled messages are not counted. */
const faults =
	/^(crash|stopped|pause|partition|clog|disk-(?!spent|is-full)|slow|clock-|transfer|wipe)|^disk rot|^disk error/;

/** What load and what faults a simulated second has, so that nobody takes an idle cluster for a fast one. */
function load(runs: readonly Run[]): string[] {
	const seconds = simulatedSeconds(runs);
	const each = (of: (coverage: Coverage) => number): string[] => {
		const rates = runs.map(({ coverage }) => of(coverage) / (coverage.simulatedMs / 1_000));
		return [show(sum(runs, ({ coverage }) => of(coverage)) / seconds, 1), show(median(rates), 1)];
	};
	const happened = (matches: RegExp) => (coverage: Coverage) =>
		[...coverage.happened].reduce((total, [name, times]) => total + (matches.test(name) ? times : 0), 0);
	return [
		table(
			["a simulated second", "over all", "median run"],
			[
				["events", ...each(({ events }) => events)],
				["operations begun by clients", ...each(({ operations }) => operations)],
				["operations that ended well", ...each(happened(/^operation ok/))],
				["faults of members, disks, clocks and ways", ...each(happened(faults))],
				["messages lost, doubled or late", ...each(happened(/^message/))],
				["elections", ...each(({ elections }) => elections)],
			],
		),
	];
}
