/** `npm run sql:random`: random SQL, seed after seed, as long as told; fails when members differ. */
import { parseArgs } from "node:util";
import { formatPlans } from "./random-sql-members.ts";
import { firstOf, lineOf, runSeed, streams } from "./random-sql-report.ts";

const help = `npm run sql:random -- [--seconds N] [--seed S] [--statements N] [--format FORMAT] [--stream NAME] [--all]

Runs random SQL on a leader and two followers and compares them, from seed S (1) on, N statements a seed (300).
  --seconds N     how long; without it, the one seed S
  --format FORMAT what the log holds: row (default), statement, or mixed, which changes between them
  --stream NAME   wild (default): all that SQLite takes; calm: what applications write
  --all           goes on after a failure
  --errors        tells in the end which errors SQLite had
  --print         prints the statements of seed S and runs nothing
Exits with 1 when members differed.`;

const { values } = parseArgs({
	options: {
		seconds: { type: "string" },
		seed: { type: "string", default: "1" },
		statements: { type: "string", default: "300" },
		format: { type: "string", default: "row" },
		stream: { type: "string", default: "wild" },
		all: { type: "boolean", default: false },
		print: { type: "boolean", default: false },
		errors: { type: "boolean", default: false },
		help: { type: "boolean", default: false },
	},
});

function numberOf(name: string, text: string): number {
	const number = Number(text);
	if (Number.isSafeInteger(number) && number >= 0) return number;
	console.error(`--${name} takes a whole number, not ${text}\n\n${help}`);
	return process.exit(2);
}

function oneOf<T extends string>(name: string, text: string, choices: readonly T[]): T {
	const found = choices.find((choice) => choice === text);
	if (found !== undefined) return found;
	console.error(`--${name} takes one of ${choices.join(", ")}, not ${text}\n\n${help}`);
	return process.exit(2);
}

function main(): void {
	const format = oneOf("format", values.format, formatPlans);
	const stream = oneOf("stream", values.stream, streams);
	const first = numberOf("seed", values.seed);
	const statements = numberOf("statements", values.statements);
	const seconds = values.seconds === undefined ? null : numberOf("seconds", values.seconds);
	if (values.print) {
		for (const statement of firstOf(first, statements, stream)) console.log(lineOf(statement));
		return;
	}
	const startedAt = performance.now();
	const elapsed = (): number => (performance.now() - startedAt) / 1_000;
	const timeIsUp = (): boolean => seconds !== null && elapsed() >= seconds;
	let [ran, failed, payloads, loggedStatements, toldAt] = [0, 0, 0, 0, 0];
	const errors = new Map<string, number>();
	for (let seed = first; seconds === null ? seed === first : !timeIsUp(); seed++) {
		const outcome = runSeed({ seed, stream, statements, format, shrinkMs: 60_000, stop: timeIsUp });
		ran += outcome.statements;
		payloads += outcome.payloads;
		loggedStatements += outcome.loggedStatements;
		for (const [name, count] of outcome.errors) errors.set(name, (errors.get(name) ?? 0) + count);
		if (outcome.report !== null) {
			failed++;
			console.log(`${outcome.report}\n`);
			if (!values.all) break;
		}
		if (elapsed() - toldAt < 5) continue;
		toldAt = elapsed();
		console.log(`${Math.round(toldAt)} s: up to seed ${seed}, ${ran} statements, ${failed} seeds failed`);
	}
	const refused = [...errors.values()].reduce((sum, count) => sum + count, 0);
	console.log(
		`${ran} statements (${refused} failed in SQL), ${payloads} payloads, ${loggedStatements} logged as SQL, ${elapsed().toFixed(1)} s: ${failed === 0 ? "members were equal" : `${failed} seeds failed`}`,
	);
	if (values.errors)
		for (const [name, count] of [...errors].toSorted((a, b) => b[1] - a[1])) console.log(`${count} ${name}`);
	if (failed > 0) process.exitCode = 1;
}

if (values.help) console.log(help);
else main();
