/** What became of a mutation, as a line of text and as a table for docs/mutations.md. */
import type { Mutation } from "./mutation.ts";
import type { FoundFailure } from "./simulator.ts";

export interface Finding {
	readonly mutation: Mutation;
	/** Null: it survived. */
	readonly caught: FoundFailure | null;
	/** Seeds that failed, and fail without the mutation too. */
	readonly strange: readonly string[];
	/** Seeds that broke what the patch does not name. */
	readonly others: readonly FoundFailure[];
	readonly runs: number;
	readonly seconds: number;
}

const columns = [
	["mutation", 48],
	["outcome", 18],
	["property", 26],
	["seed", 8],
	["runs", 6],
	["seconds", 7],
] as const;

function cellsOf({ mutation, caught, runs, seconds }: Finding): string[] {
	const outcome = caught === null ? "SURVIVED" : `caught (${caught.kind})`;
	return [
		mutation.name,
		outcome,
		caught?.property ?? "",
		caught?.seed ?? "",
		String(runs),
		seconds.toFixed(1),
	];
}

function padded(cells: readonly string[]): string {
	return cells
		.map((cell, place) => cell.padEnd(columns[place]?.[1] ?? 0))
		.join(" ")
		.trimEnd();
}

export function heading(): string {
	return padded(columns.map(([name]) => name));
}

export function line(finding: Finding): string {
	return padded(cellsOf(finding));
}

export function report(findings: readonly Finding[], budget: string): string {
	const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
	const caught = findings.filter((finding) => finding.caught !== null).length;
	return [
		"# Mutations",
		"",
		"Real bugs of other systems, each put into a copy of the production code until the simulator notices.",
		"Written by `npm run mutations -- --report docs/mutations.md`; what each one is stands at the head of",
		"its patch in `test/mutations/patches/`, the number is that of the bug in the list of historic bugs.",
		"",
		`Budget: ${budget}. Caught: ${caught} of ${findings.length}.`,
		"",
		row(["bug", ...columns.map(([name]) => name)]),
		row(Array.from({ length: columns.length + 1 }, () => "---")),
		...findings.map((finding) => row([/^\d+/.exec(finding.mutation.name)?.[0] ?? "", ...cellsOf(finding)])),
		"",
	].join("\n");
}
