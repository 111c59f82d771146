/** Runs one seed, and tells of a failure so that it can be understood and run again. */
import { type RandomStatement, randomSql } from "./random-sql.ts";
import { type Failure, type Outcome, runRandomSql } from "./random-sql-members.ts";
import { shrink } from "./random-sql-shrink.ts";

export interface SeedOptions {
	readonly seed: number;
	readonly statements: number;
	/** How long the cutting down of a failure may take. */
	readonly shrinkMs: number;
	readonly stop?: () => boolean;
}

export interface SeedOutcome extends Outcome {
	/** What to print; null when nothing failed. */
	readonly report: string | null;
}

export function runSeed({ seed, statements, shrinkMs, stop }: SeedOptions): SeedOutcome {
	const outcome = runRandomSql(firstOf(seed, statements), stop);
	if (outcome.failure === null) return { ...outcome, report: null };
	const prefix = [...firstOf(seed, outcome.failure.statements)];
	return { ...outcome, report: reportOf(seed, prefix, outcome.failure, shrinkMs) };
}

export function* firstOf(seed: number, count: number): Generator<RandomStatement> {
	let left = count;
	for (const statement of randomSql(seed)) {
		if (left-- === 0) return;
		yield statement;
	}
}

function reportOf(
	seed: number,
	prefix: readonly RandomStatement[],
	failure: Failure,
	shrinkMs: number,
): string {
	const deadline = performance.now() + shrinkMs;
	const wanted = signatureOf(failure);
	let last = failure;
	const left = shrink(
		prefix,
		(statements) => {
			const found = runRandomSql(statements).failure;
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
		`run it again: npm run sql:random -- --seed ${seed} --statements ${prefix.length}`,
	].join("\n");
}

function signatureOf({ kind, detail }: Failure): string {
	if (kind === "differs") return kind;
	return `${kind} ${(detail.split("\n")[0] ?? "").replace(/\d+|\S*[A-Za-z"[]\w*\d+\S*/g, "")}`;
}

export function lineOf({ sql, request, group, leader, interactive }: RandomStatement): string {
	return `  leader ${"abc"[leader]}, group ${group}, request ${request}${interactive ? ", interactive" : ""}: ${sql}`;
}
