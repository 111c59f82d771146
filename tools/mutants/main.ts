/**
 * `npm run mutants`: the ordinary mutation tester (Stryker) over consensus/ and log/, judged by their own
 * tests. It works in a copy of the sources with packages of its own (package.json here): it is half as many
 * packages again as the workspace has, and it is wanted now and then.
 */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "../..");
const rooms = ["packages/skein/src/consensus", "packages/skein/src/log"];

/** They take seconds. A mutant ends with the first test that notices it, and most are noticed by a quick one. */
const randomOnes = [
	"/progress-twin.test.ts",
	"/consensus/core.test.ts",
	"/consensus/members.test.ts",
	"/log/crash.test.ts",
	"/log/failed-sync.test.ts",
];

/**
 * These do not compile: what a text is compared with is a type of its own (the rest is prose), functions and objects have
 * types of what they give, and what may be absent is asked about.
 */
const excludedMutations = ["StringLiteral", "ObjectLiteral", "ArrowFunction", "OptionalChaining"];

/** Of the random runs. A mutant that survives costs all tests that reach it, and one in five does. */
const usualShare = "0.05";

const help = `npm run mutants -- [FILE…] [--concurrency N] [--report FILE]

Changes the production code of consensus/ and log/ (or of the files that are named) in every small way, one at a
time, and runs the tests of their room. Prints what no test noticed. All of it takes hours of one core.
  --concurrency N  test processes at a time (1)
  --share N        of the random runs in these tests (${usualShare}); 1: all of them, for what survived with fewer
  --report FILE    keeps Stryker's own report, as JSON`;

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		concurrency: { type: "string", default: "1" },
		share: { type: "string", default: usualShare },
		report: { type: "string" },
		help: { type: "boolean", default: false },
	},
});

/** What is used of Stryker's report. */
interface Report {
	readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

interface Mutant {
	readonly status: string;
	readonly mutatorName: string;
	readonly replacement: string;
	readonly location: { readonly start: Place; readonly end: Place };
}

interface Place {
	readonly line: number;
	readonly column: number;
}

function productionFiles(): string[] {
	const all = rooms.flatMap((room) => globSync(`${room}/**/*.ts`, { cwd: root }));
	return all.filter((path) => !/\/testing\/|\.test\.ts$/.test(path)).sort();
}

/** Their own tests judge them: those of the other room know them by their types only. */
function roomsOf(paths: readonly string[]): string[] {
	return rooms.filter((room) => paths.some((path) => path.startsWith(`${room}/`)));
}

function prepare(directory: string, mutate: readonly string[]): void {
	for (const name of ["package.json", "package-lock.json"]) {
		cpSync(join(import.meta.dirname, name), join(directory, name));
	}
	// consensus/ has a tsconfig of its own on top of the base, which Vite reads.
	const copied = [
		"tsconfig.base.json",
		"packages/skein/package.json",
		"packages/skein/src",
		"packages/client/src",
	];
	for (const path of copied) {
		mkdirSync(join(directory, path, ".."), { recursive: true });
		cpSync(join(root, path), join(directory, path), { recursive: true });
	}
	writeFileSync(join(directory, "vitest.config.js"), testConfiguration(roomsOf(mutate)));
	const configuration = {
		testRunner: "vitest",
		plugins: ["@stryker-mutator/vitest-runner"],
		vitest: { configFile: "vitest.config.js" },
		// It would read one with the compiler's old interface, which TypeScript 7 does not have.
		tsconfigFile: "absent.json",
		mutate,
		mutator: { excludedMutations },
		concurrency: Number(values.concurrency),
		coverageAnalysis: "perTest",
		// A machine that is busy with other things does not make a mutant look caught.
		timeoutMS: 20_000,
		reporters: ["json", "progress-append-only"],
		jsonReporter: { fileName: "report.json" },
		allowConsoleColors: false,
	};
	writeFileSync(join(directory, "stryker.config.json"), JSON.stringify(configuration));
}

function testConfiguration(judging: readonly string[]): string {
	const tests = JSON.stringify(judging.map((room) => `${room}/**/*.test.ts`));
	return `import { BaseSequencer } from "vitest/node";

const randomOnes = ${JSON.stringify(randomOnes)};
const isRandom = ({ moduleId }) => randomOnes.some((name) => moduleId.endsWith(name));

class QuickOnesFirst extends BaseSequencer {
	async sort(files) {
		return files.toSorted((one, other) => isRandom(one) - isRandom(other));
	}
}

export default {
	test: { include: ${tests}, isolate: false, testTimeout: 30_000, sequence: { sequencer: QuickOnesFirst } },
};
`;
}

function runTool(directory: string, command: string, tool: readonly string[]): void {
	const env = { ...process.env, SKEIN_RANDOM_SHARE: values.share };
	const ran = spawnSync(command, tool, { cwd: directory, env, stdio: ["ignore", "inherit", "inherit"] });
	if (ran.status !== 0) throw new Error(`${tool[0]} ended with ${ran.status}`);
}

/** Without a stack of lines: one survivor, one line. */
function textOf(source: string, { start, end }: Mutant["location"]): string {
	const lines = source.split("\n").slice(start.line - 1, end.line);
	const first = lines[0]?.slice(start.column - 1, lines.length === 1 ? end.column - 1 : undefined) ?? "";
	return lines.length === 1 ? first : `${first} …`;
}

function printSurvivors(report: Report): void {
	const counts = new Map<string, number>();
	for (const [path, { source, mutants }] of Object.entries(report.files)) {
		for (const mutant of mutants) {
			counts.set(mutant.status, (counts.get(mutant.status) ?? 0) + 1);
			if (mutant.status !== "Survived" && mutant.status !== "NoCoverage") continue;
			const replacement = mutant.replacement.replace(/\s+/g, " ").slice(0, 80);
			const { line } = mutant.location.start;
			console.log(
				`${path}:${line} ${mutant.mutatorName}: ${textOf(source, mutant.location)} → ${replacement}`,
			);
		}
	}
	console.log([...counts].map(([status, count]) => `${count} ${status}`).join(", "));
}

function main(): void {
	if (values.help) return console.log(help);
	const known = productionFiles();
	for (const path of positionals)
		if (!known.includes(path)) throw new Error(`${path} is not one of ${rooms.join(", ")}`);
	const directory = mkdtempSync(join(tmpdir(), "skein-mutants-"));
	try {
		prepare(directory, positionals.length === 0 ? known : positionals);
		runTool(directory, "npm", ["ci"]);
		runTool(directory, process.execPath, ["node_modules/@stryker-mutator/core/bin/stryker.js", "run"]);
		const report = join(directory, "report.json");
		if (values.report !== undefined) cpSync(report, values.report);
		printSurvivors(JSON.parse(readFileSync(report, "utf8")) as Report);
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

main();
