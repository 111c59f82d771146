/** Runs one seed, and tells of a failure so that it can be understood and run again. */
import { randomCalmSql } from "./random-calm-sql.ts";
import { type RandomStatement, randomSql } from "./random-sql.ts";
import { type Failure, type FormatPlan, type Outcome, runRandomSql } from "./random-sql-members.ts";
import { shrink } from "./random-sql-shrink.ts";

/** wild: whatever SQLite takes. calm: what applications write, of which the statement format logs much as SQL. */
export const streams = ["wild", "calm"] as const;
export type Stream = (typeof streams)[number];

export interface SeedOptions {
	readonly seed: number;
	readonly stream: Stream;
	readonly statements: number;
	readonly format: FormatPlan;
	/** How long the cutting down of a failure may take. */
	readonly shrinkMs: number;
	readonly stop?: () => boolean;
}

export interface SeedOutcome extends Outcome {
	/** What to print; null when nothing failed. */
	readonly report: string | null;
}

export function runSeed({ seed, stream, statements, format, shrinkMs, stop }: SeedOptions): SeedOutcome {
	const outcome = runRandomSql(firstOf(seed, statements, stream), format, stop);
	if (outcome.failure === null) return { ...outcome, report: null };
	const prefix = [...firstOf(seed, outcome.failure.statements, stream)];
	return {
		...outcome,
		report: reportOf({ seed, stream, format, prefix, failure: outcome.failure, shrinkMs }),
	};
}

export function* firstOf(seed: number, count: number, stream: Stream = "wild"): Generator<RandomStatement> {
	let left = count;
	for (const statement of stream === "wild" ? randomSql(seed) : randomCalmSql(seed)) {
		if (left-- === 0) return;
		yield statement;
	}
}

interface Failed {
	readonly seed: number;
	readonly stream: Stream;
	readonly format: FormatPlan;
	readonly prefix: readonly RandomStatement[];
	readonly failure: Failure;
	readonly shrinkMs: number;
}

function reportOf({ seed, stream, format, prefix, failure, shrinkMs }: Failed): string {
	const deadline = performance.now() + shrinkMs;
	const wanted = signatureOf(failure);
	let last = failure;
	const left = shrink(
		prefix,
		(statements) => {
			const found = runRandomSql(statements, format).failure;
			// Another failure is another bug: cutting on would lose this one.
			if (found === null || signatureOf(found) !== wanted) return false;
			last = found;
			return true;
		},
		() => performance.now() > deadline,
	);
	return [
		`seed ${seed}, within ${prefix.length} statements; ${left.length} are left that fail:`,
		...left.map(lineOf),
		last.detail.replaceAll(/\n\s+at [^\n]*\(node:.*/g, ""),
		`run it again: npm run sql:random -- --seed ${seed} --statements ${prefix.length} --format ${format} --stream ${stream}`,
	].join("\n");
}

function signatureOf({ kind, detail }: Failure): string {
	if (kind === "differs") return kind;
	return `${kind} ${(detail.split("\n")[0] ?? "").replace(/\d+|\S*[A-Za-z"[]\w*\d+\S*/g, "")}`;
}

export function lineOf({ sql, request, group, leader, interactive }: RandomStatement): string {
	return `  leader ${"abc"[leader]}, group ${group}, request ${request}${interactive ? ", interactive" : ""}: ${sql}`;
}
