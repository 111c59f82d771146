// `npm run mutations`: puts real bugs of other systems into copies of the production code, one at a time, and
// shows how long the simulator takes to notice each.
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { numberOfHead } from "./head.ts";
import { chooseMutations, listMutations, type Mutation, parsePart } from "./mutation.ts";
import { type Finding, heading, line, report } from "./report.ts";
import { type FoundFailure, replay, search } from "./simulator.ts";
import { applyMutation, createWorkspace, typeErrors, type Workspace } from "./workspace.ts";

const help = `npm run mutations -- [NAME…] [--budget-seconds N] [--part K/N] [--check] [--list]

Runs the simulator on a copy of the sources with each bug of test/mutations/patches in it, or with those that are
named (the beginning of a name is enough, so 25 is every variant of bug 25), until it notices.
  --budget-seconds N  for each, on all cores (120: about 700 seeds on two cores; all are to be caught within it)
  --threads N         on so many instead
  --from N            the first seed (1)
  --part K/N          the K-th of N parts only; day/N: another one every day; head/N: another one with each commit;
                      head/all: of as many parts as there are mutations
  --report FILE       writes the table there, after each
  --except NAME,…     without these: known to survive, see docs/NEXT.md
  --check             only: does each patch apply, and does the result compile
  --list              only: what there is
  --output            shows what the simulator printed
A seed that fails without the mutation too catches nothing, nor does one that breaks a property that the patch does
not name as what it must be caught by: it is named, and the search goes on behind it.
Exits with 1 if a mutation survives or does not apply.`;

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		"budget-seconds": { type: "string", default: "120" },
		part: { type: "string", default: "1/1" },
		check: { type: "boolean", default: false },
		list: { type: "boolean", default: false },
		output: { type: "boolean", default: false },
		from: { type: "string", default: "1" },
		threads: { type: "string", default: String(availableParallelism()) },
		report: { type: "string" },
		except: { type: "string" },
		help: { type: "boolean", default: false },
	},
});

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

/**
 * Whoever catches a mutation with a seed that fails without it too has caught something else, and so has who
 * finds what its patch does not name: then the seeds behind that one are tried.
 */
async function tryMutation(mutation: Mutation, budgetSeconds: number): Promise<Finding> {
	return await withWorkspace(async (workspace) => {
		applyMutation(workspace, mutation);
		const strange: string[] = [];
		const others: FoundFailure[] = [];
		let [runs, seconds, firstSeed] = [0, 0, Number(values.from)];
		for (;;) {
			const run = await search(workspace, {
				budgetSeconds: budgetSeconds - seconds,
				firstSeed,
				options: ["--threads", values.threads, "--profile", mutation.profile],
			});
			if (values.output) console.log(run.output.slice(-20_000));
			runs += run.runs;
			seconds += run.seconds;
			const { failure } = run;
			const found = { mutation, strange, others, runs, seconds };
			if (failure === null) return { ...found, caught: null };
			if (!(await passesWithout(failure.replay))) strange.push(failure.seed);
			else if (mutation.caughtBy.includes(failure.property)) return { ...found, caught: failure };
			else others.push(failure);
			if (seconds >= budgetSeconds) return { ...found, caught: null };
			firstSeed = Number(failure.seed) + 1;
		}
	});
}

async function passesWithout(options: readonly string[]): Promise<boolean> {
	return (await withWorkspace((workspace) => replay(workspace, options))).failure === null;
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
	const budget = `${budgetSeconds} s on ${values.threads} threads for each, seeds from ${values.from}`;
	console.log(`${mutations.length} mutations of part ${values.part}, ${budget}`);
	console.log(heading());
	const findings: Finding[] = [];
	const broken: string[] = [];
	for (const mutation of mutations) {
		try {
			const finding = await tryMutation(mutation, budgetSeconds);
			findings.push(finding);
			console.log(line(finding));
			for (const { property, seed } of finding.others)
				console.log(
					`  seed ${seed} breaks ${property}, by which it need not be caught: ${mutation.caughtBy.join("; ")}`,
				);
		} catch (error) {
			broken.push(mutation.name);
			console.log(`${mutation.name}: ${String(error)}`);
		}
		if (values.report !== undefined) writeFileSync(values.report, report(findings, budget));
	}
	const caught = findings.filter((finding) => finding.caught !== null);
	const strange = new Set(findings.flatMap((finding) => finding.strange));
	if (strange.size > 0) console.log(`seeds that fail without a mutation too: ${[...strange].join(", ")}`);
	const slowest = Math.ceil(Math.max(0, ...caught.map(({ seconds }) => seconds)));
	console.log(
		`${caught.length} of ${mutations.length} caught, ${budget}; the slowest took ${slowest} s, ` +
			`the most runs ${Math.max(0, ...caught.map(({ runs }) => runs))}`,
	);
	return mutations.length - caught.length;
}

async function main(): Promise<void> {
	if (values.help) return console.log(help);
	const except = values.except === undefined ? [] : values.except.split(",");
	// Through the same door as names, so that one that is no more is an error.
	if (except.length > 0) chooseMutations(listMutations(), except, { number: 1, of: 1 });
	const all = listMutations().filter(({ name }) => !except.some((beginning) => name.startsWith(beginning)));
	const head = values.part.startsWith("head/") ? numberOfHead() : 0;
	const part = parsePart(values.part, { now: new Date(), head, all: all.length });
	const mutations = chooseMutations(all, positionals, part);
	if (values.list) {
		for (const { name, headers } of mutations)
			console.log(`${name}\n  ${headers.get("Bug")}\n  ${headers.get("Breaks")}`);
		return;
	}
	const bad = values.check ? await checkAll(mutations) : await tryAll(mutations);
	if (bad > 0) process.exitCode = 1;
}

await main();
