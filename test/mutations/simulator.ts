/** Runs the simulator of a workspace until it fails or the budget is used up. */
import { spawn } from "node:child_process";
import type { Workspace } from "./workspace.ts";

const command = "packages/simulator/src/command/main.ts";
const failureKinds: ReadonlyMap<number, string> = new Map([
	[127, "crash"],
	[128, "liveness"],
	[129, "safety"],
]);

export interface FoundFailure {
	readonly kind: string;
	readonly property: string;
	readonly seed: string;
	/** The options that run this very seed again. */
	readonly replay: readonly string[];
}

export interface SimulatorRun {
	/** Null: nothing broke. */
	readonly failure: FoundFailure | null;
	/** How many seeds were begun. */
	readonly runs: number;
	readonly seconds: number;
	readonly output: string;
}

/** Stopped a while after it should have ended by itself. */
const patienceMs = 120_000;

export interface Search {
	readonly budgetSeconds: number;
	readonly firstSeed: number;
	/** Further options of `npm run simulate`. */
	readonly options: readonly string[];
}

/** Seeds one after the other until one fails. */
export async function search(workspace: Workspace, what: Search): Promise<SimulatorRun> {
	const { budgetSeconds, firstSeed, options } = what;
	const limits = ["--minutes", String(budgetSeconds / 60), "--from", String(firstSeed), "--events", "20"];
	return await run(workspace, [...limits, ...options], budgetSeconds * 1_000);
}

export async function replay(workspace: Workspace, options: readonly string[]): Promise<SimulatorRun> {
	return await run(workspace, options, 0);
}

async function run(workspace: Workspace, options: readonly string[], limitMs: number): Promise<SimulatorRun> {
	const startedAt = performance.now();
	const child = spawn(process.execPath, [command, ...options], {
		cwd: workspace.directory,
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		output += text;
	});
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		output += text;
	});
	const timer = setTimeout(() => child.kill("SIGKILL"), limitMs + patienceMs);
	const code = await new Promise<number | null>((resolve, reject) => {
		child.on("error", reject);
		child.on("close", resolve);
	});
	clearTimeout(timer);
	const seconds = (performance.now() - startedAt) / 1_000;
	const kind = failureKinds.get(code ?? -1);
	// Killed by us: a mutation that makes one run endless is not caught by it.
	if (kind === undefined && code !== 0 && code !== null) {
		throw new Error(`the simulator ended with ${code}:\n${output.slice(-4_000)}`);
	}
	return {
		failure: kind === undefined ? null : failureIn(kind, output),
		runs: runsIn(output),
		seconds,
		output,
	};
}

/** As report.ts of the simulator writes it. */
function failureIn(kind: string, output: string): FoundFailure {
	const found = /^FAILED seed (\d+): \w+, (.*)$/m.exec(output);
	const command = /^replay: npm run simulate -- (.*)$/m.exec(output);
	const [seed, property, options] = [found?.[1], found?.[2], command?.[1]];
	if (seed === undefined || property === undefined || options === undefined) {
		throw new Error(`the simulator failed and does not say where:\n${output.slice(-4_000)}`);
	}
	return { kind, property, seed, replay: options.split(" ") };
}

function runsIn(output: string): number {
	return Number(/^covered: (\d+) runs/m.exec(output)?.[1] ?? Number.NaN);
}
