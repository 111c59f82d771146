// `npm run simulate`: runs seeds on all cores until it is stopped, a limit is reached or one fails.
import { randomInt } from "node:crypto";
import { availableParallelism } from "node:os";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { addCoverage, noCoverage } from "../run/coverage.ts";
import { corpus } from "./corpus.ts";
import { createCrew } from "./crew.ts";
import { createOrders } from "./orders.ts";
import { coverageText, defaultSeconds, exitCodes, failureText, underWayText } from "./report.ts";
import type { Outcome, ProfileName } from "./run-one.ts";
import { removeSqliteFiles } from "./sqlite/sqlite-profile.ts";

interface Options {
	readonly seed?: number;
	readonly from?: number;
	readonly seeds?: number;
	readonly minutes?: number;
	readonly seconds: number;
	readonly profile: ProfileName;
	readonly threads: number;
	readonly events: number;
	readonly keepGoing: boolean;
	readonly verbose: boolean;
	readonly corpus: boolean;
}

async function main(): Promise<void> {
	const options = parse();
	if (options === null) return;
	const { profile, seconds } = options;
	const known = options.corpus ? corpus : [];
	const first = options.seed ?? options.from ?? randomInt(2 ** 31);
	const fresh = options.seed === undefined ? (options.seeds ?? Number.POSITIVE_INFINITY) : 1;
	const count = known.length + fresh;
	const before = known.length === 0 ? "" : `, after ${known.length} that failed once`;
	console.log(
		count === 1 ? `seed ${first}` : `seed ${first} and those after it, profile ${profile}${before}`,
	);

	const begunAt = performance.now();
	const covered = noCoverage();
	const asked = new Map<string, number>();
	let runs = 0;
	let failed: Outcome | null = null;
	const next = createOrders({
		known,
		first: { seed: first, profile, seconds },
		count: fresh,
		limitMs: (options.minutes ?? Number.POSITIVE_INFINITY) * 60_000,
		now: () => performance.now(),
	});

	function note(outcome: Outcome): void {
		runs++;
		addCoverage(covered, outcome.coverage);
		for (const [name, times] of outcome.asked) asked.set(name, (asked.get(name) ?? 0) + times);
		if (options?.verbose || count === 1) {
			console.log(`seed ${outcome.order.seed}: ${outcome.failure?.property ?? "ok"}, trace ${outcome.hash}`);
		}
		if (outcome.failure === null) return;
		failed ??= outcome;
		console.log(failureText(outcome, options?.keepGoing ? 0 : (options?.events ?? 0)));
	}

	const crew = createCrew({
		thread: new URL("./run-thread.ts", import.meta.url),
		threads: Math.min(options.threads, count),
		nextOrder: () => (failed !== null && !options.keepGoing ? null : next()),
		note,
	});
	for (const signal of ["SIGINT", "SIGTERM"] as const) {
		process.once(signal, () => {
			for (const { order, forMs } of crew.underWay()) console.log(underWayText(order, forMs));
			crew.stop();
		});
	}
	await crew.done;
	console.log(coverageText(covered, asked, runs, (performance.now() - begunAt) / 1_000));
	const failure = (failed as Outcome | null)?.failure;
	process.exitCode = failure === undefined || failure === null ? 0 : exitCodes[failure.kind];
}

function parse(): Options | null {
	const command = new Command("simulate")
		.description("Runs whole clusters from seeds, with every fault, until one breaks a promise.")
		.addOption(
			new Option("--seed <number>", "runs this one only")
				.argParser(wholeNumber)
				.conflicts(["from", "seeds", "minutes", "corpus"]),
		)
		.option("--from <number>", "the first seed (default: drawn)", wholeNumber)
		.option("--seeds <number>", "ends after so many fresh ones", countingNumber)
		.option("--minutes <number>", "begins no fresh one after this time", positiveNumber)
		.option(
			"--seconds <number>",
			"simulated time with faults in one run, at most",
			positiveNumber,
			defaultSeconds,
		)
		.addOption(
			new Option("--profile <name>", "what is replicated")
				.choices(["registers", "sqlite"])
				.default("registers"),
		)
		.option("--threads <number>", "how many at a time", countingNumber, availableParallelism())
		.option("--events <number>", "how many of the last events of a failure are shown", wholeNumber, 60)
		.option("--corpus", "first the seeds that failed once (corpus.ts)", false)
		.option("--keep-going", "does not end with the first failure", false)
		.option("--verbose", "a line for each run", false)
		.exitOverride()
		.addHelpText(
			"after",
			"\nExit codes: 0 nothing broke, 127 crash, 128 liveness, 129 safety, 2 wrong usage.",
		);
	try {
		return command.parse().opts<Options>();
	} catch (error) {
		if (!(error instanceof CommanderError)) throw error;
		process.exitCode = error.exitCode === 0 ? 0 : 2;
		return null;
	}
}

function wholeNumber(text: string): number {
	const value = Number(text);
	if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("Expected a whole number.");
	return value;
}

function countingNumber(text: string): number {
	const value = wholeNumber(text);
	if (value === 0) throw new InvalidArgumentError("Expected a whole number above 0.");
	return value;
}

function positiveNumber(text: string): number {
	const value = Number(text);
	if (!(value > 0)) throw new InvalidArgumentError("Expected a number above 0.");
	return value;
}

try {
	await main();
} finally {
	removeSqliteFiles();
}
