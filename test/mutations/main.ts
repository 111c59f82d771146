// `npm run mutations`: puts real bugs of other systems into copies of the production code, one at a time, and
// shows how long the simulator takes to notice each.
import { parseArgs } from "node:util";
import { chooseMutations, listMutations, type Mutation, parsePart } from "./mutation.ts";
import { replay, type SimulatorRun, search } from "./simulator.ts";
import { applyMutation, createWorkspace, typeErrors, type Workspace } from "./workspace.ts";

const help = `npm run mutations -- [NAME…] [--budget-seconds N] [--part K/N] [--check] [--list]

Runs the simulator on a copy of the sources with each bug of test/mutations/patches in it, or with those that are
named (the beginning of a name is enough, so 25 is every variant of bug 25), until it notices.
  --budget-seconds N  for each, on all cores (120)
  --from N            the first seed (1)
  --part K/N          the K-th of N parts only; day/N: another one every day
  --check             only: does each patch apply, and does the result compile
  --list              only: what there is
  --output            shows what the simulator printed
Exits with 1 if a mutation survives, if it does not apply, or if the seed that caught it also fails without it.`;

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		"budget-seconds": { type: "string", default: "120" },
		part: { type: "string", default: "1/1" },
		check: { type: "boolean", default: false },
		list: { type: "boolean", default: false },
		output: { type: "boolean", default: false },
		from: { type: "string", default: "1" },
		help: { type: "boolean", default: false },
	},
});

interface Row {
	readonly mutation: string;
	readonly outcome: string;
	readonly property: string;
	readonly seed: string;
	readonly runs: string;
	readonly seconds: string;
}

const widths: Record<keyof Row, number> = {
	mutation: 48,
	outcome: 22,
	property: 28,
	seed: 12,
	runs: 6,
	seconds: 7,
};

function printRow(row: Row): void {
	const cells = Object.entries(widths).map(([name, width]) => row[name as keyof Row].padEnd(width));
	console.log(cells.join(" ").trimEnd());
}

async function withWorkspace<T>(use: (workspace: Workspace) => Promise<T> | T): Promise<T> {
	const workspace = createWorkspace();
	try {
		return await use(workspace);
	} finally {
		workspace.remove();
	}
}

/** Null: it applies, and compiles. */
function checkMutation(mutation: Mutation): Promise<string | null> {
	return withWorkspace((workspace) => {
		try {
			applyMutation(workspace, mutation);
		} catch (error) {
			return `does not apply: ${String(error)}`;
		}
		const errors = typeErrors(workspace);
		return errors === "" ? null : `does not compile:\n${errors}`;
	});
}

async function tryMutation(mutation: Mutation, budgetSeconds: number): Promise<boolean> {
	const run = await withWorkspace((workspace) => {
		applyMutation(workspace, mutation);
		return search(workspace, { budgetSeconds, firstSeed: Number(values.from), options: [] });
	});
	if (values.output) console.log(run.output.slice(-20_000));
	const isClean = run.failure === null || (await passesWithout(run.failure.replay));
	printRow(rowOf(mutation, run, isClean));
	return run.failure !== null && isClean;
}

/** Whoever catches a mutation with a seed that fails anyway has caught something else. */
async function passesWithout(options: readonly string[]): Promise<boolean> {
	return (await withWorkspace((workspace) => replay(workspace, options))).failure === null;
}

function rowOf(mutation: Mutation, { failure, runs, seconds }: SimulatorRun, isClean: boolean): Row {
	let outcome = "SURVIVED";
	if (failure !== null) outcome = isClean ? `caught (${failure.kind})` : "FAILS WITHOUT IT TOO";
	return {
		mutation: mutation.name,
		outcome,
		property: failure?.property ?? "",
		seed: failure?.seed ?? "",
		runs: String(runs),
		seconds: seconds.toFixed(1),
	};
}

async function checkAll(mutations: readonly Mutation[]): Promise<number> {
	let bad = 0;
	for (const mutation of mutations) {
		const problem = await checkMutation(mutation);
		if (problem !== null) bad++;
		console.log(`${mutation.name}: ${problem ?? "applies and compiles"}`);
	}
	return bad;
}

async function tryAll(mutations: readonly Mutation[]): Promise<number> {
	const budgetSeconds = Number(values["budget-seconds"]);
	if (!(budgetSeconds > 0)) throw new Error(`--budget-seconds ${values["budget-seconds"]}`);
	console.log(`${mutations.length} mutations, ${budgetSeconds} s for each`);
	printRow({
		mutation: "mutation",
		outcome: "outcome",
		property: "property",
		seed: "seed",
		runs: "runs",
		seconds: "seconds",
	});
	let bad = 0;
	for (const mutation of mutations) {
		try {
			if (!(await tryMutation(mutation, budgetSeconds))) bad++;
		} catch (error) {
			bad++;
			console.log(`${mutation.name}: ${String(error)}`);
		}
	}
	console.log(`${mutations.length - bad} of ${mutations.length} caught`);
	return bad;
}

async function main(): Promise<void> {
	if (values.help) return console.log(help);
	const mutations = chooseMutations(listMutations(), positionals, parsePart(values.part, new Date()));
	if (values.list) {
		for (const { name, headers } of mutations)
			console.log(`${name}\n  ${headers.get("Bug")}\n  ${headers.get("Breaks")}`);
		return;
	}
	const bad = values.check ? await checkAll(mutations) : await tryAll(mutations);
	if (bad > 0) process.exitCode = 1;
}

await main();
