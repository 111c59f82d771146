/** Runs the simulator of a workspace until it fails or the budget is used up. */
import { spawn } from "node:child_process";
import type { Workspace } from "./workspace.ts";

const command = "packages/simulator/src/command/main.ts";
const failureKinds: ReadonlyMap<number, string> = new Map([
	[127, "crash"],
	[128, "liveness"],
	[129, "safety"],
]);

export interface SimulatorRun {
	/** Null: nothing broke. */
	readonly failure: {
		readonly kind: string;
		readonly property: string;
		readonly seed: string;
	} | null;
	/** How many seeds were begun. */
	readonly runs: number;
	readonly seconds: number;
	readonly output: string;
}

/** Stopped a while after it should have ended by itself. */
const patienceMs = 60_000;

export async function simulate(workspace: Workspace, budgetSeconds: number): Promise<SimulatorRun> {
	return await run(workspace, ["--minutes", String(budgetSeconds / 60)], budgetSeconds * 1_000);
}

export async function replay(
	workspace: Workspace,
	seed: string,
	limitSeconds: number,
): Promise<SimulatorRun> {
	return await run(workspace, ["--seed", seed], limitSeconds * 1_000);
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
		failure: kind === undefined ? null : { kind, property: propertyIn(output), seed: seedIn(output) },
		runs: runsIn(output),
		seconds,
		output,
	};
}

/** The first line says which seed it is; a failure says it again with the command that replays it. */
function seedIn(output: string): string {
	const found = [...output.matchAll(/--seed[ =](\S+)/g)].at(-1) ?? /seed\D+(\d+)/.exec(output);
	return found?.[1] ?? "";
}

function propertyIn(output: string): string {
	return /(?:broken|property)\W+([^\n:]+)/i.exec(output)?.[1]?.trim() ?? "";
}

function runsIn(output: string): number {
	return Number(/(\d+) (?:seeds|runs)/.exec(output)?.[1] ?? 1);
}
