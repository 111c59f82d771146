// `skein lost`: what a node reports as acknowledged and lost, from its data directory.
import { createInterface } from "node:readline/promises";
import type { LostTransaction } from "../node/lost-transactions.ts";
import type { Replayed } from "./lost/replay.ts";
import { type ReadReport, type Reports, reportsIn } from "./lost/reports.ts";
import type { lostOptions, OptionValues } from "./options.ts";
import { drawTable } from "./sql/show-result.ts";
import { UsageError } from "./usage-error.ts";

type Values = OptionValues<typeof lostOptions>;

export async function lost(
	values: Values,
	action: string | undefined,
	name: string | undefined,
): Promise<void> {
	if (values.data === null) throw new UsageError("--data is missing: the data directory of a node");
	const reports = reportsIn(values.data);
	switch (action ?? "list") {
		case "list":
			return list(reports, values.json);
		case "show":
			return console.log(JSON.stringify(find(reports, named("show", name)), null, "\t"));
		case "replay":
			return await replayOne(reports, named("replay", name), values);
		case "dismiss":
			return await dismiss(reports, named("dismiss", name), values);
		default:
			throw new UsageError(`skein lost ${action}: it is list, show, replay or dismiss`);
	}
}

function named(action: string, name: string | undefined): string {
	if (name === undefined) throw new UsageError(`which one? For instance: skein lost ${action} 3-17`);
	return name;
}

async function replayOne(reports: Reports, name: string, { url, json, force }: Values): Promise<void> {
	const report = find(reports, name);
	const { replay } = await import("./lost/replay.ts");
	const isReported = (): boolean => reports.names().includes(name);
	const result = await replay({ url, name, report, isReported, force });
	if (json) return console.log(JSON.stringify({ name, result }));
	console.log(`${textOf(result, name)}; skein lost dismiss ${name} removes the report`);
}

function textOf(result: Replayed, name: string): string {
	switch (result) {
		case "replayed":
			return `the changes of ${name} are made again`;
		case "replayed before":
			return `the changes of ${name} were made again before: there is nothing to do`;
		case "sent again":
			return `${name} was sent again under its idempotency key: there is nothing to do`;
		default: {
			const never: never = result;
			throw new Error(String(never));
		}
	}
}

async function dismiss(reports: Reports, name: string, { json, yes }: Values): Promise<void> {
	const isThere = reports.names().includes(name);
	if (isThere && !yes && !(await isConfirmed(name))) throw new Error(`${name} is not dismissed`);
	const removed = isThere && reports.remove(name);
	if (json) return console.log(JSON.stringify({ name, removed }));
	console.log(removed ? `the report of ${name} is removed from this node` : `${name} is not among the lost`);
}

async function isConfirmed(name: string): Promise<boolean> {
	if (!process.stdin.isTTY) throw new UsageError("nobody is there to confirm it: say --yes");
	const lines = createInterface({ input: process.stdin, output: process.stderr });
	try {
		const answer = await lines.question(
			`Remove the only record on this node of what ${name} changed? It cannot be made again from it then. [y/N] `,
		);
		return /^y(es)?$/i.test(answer.trim());
	} finally {
		lines.close();
	}
}

function list(reports: Reports, json: boolean): void {
	const all = reports.names().map((name) => reports.read(name));
	if (json) return console.log(JSON.stringify(all.map((one) => ("report" in one ? one.report : one))));
	if (all.length === 0) return console.log("nothing is reported as lost");
	const columns = ["name", "at", "client", "key", "mode", "what", "changes"];
	console.log(
		drawTable(
			columns,
			all.map(rowOf),
			columns.map(() => false),
		),
	);
}

function rowOf(one: ReadReport): string[] {
	if ("damage" in one) return [one.name, "-", "-", "-", "-", printable(`damaged: ${one.damage}`), "-"];
	const { report } = one;
	return [
		one.name,
		new Date(report.wallTimeMs).toISOString(),
		report.client,
		report.idempotencyKey ?? "-",
		report.acknowledgement,
		report.certain ? "lost" : "not certain",
		String(report.changes.length) + (report.isCut ? " and more" : ""),
	].map(printable);
}

/** A line break would tear the table: the key of a later part of a request has one. */
const printable = (text: string): string =>
	text.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));

function find(reports: Reports, name: string): LostTransaction {
	if (!reports.names().includes(name)) throw new Error(`${name} is not among the lost: skein lost list`);
	const found = reports.read(name);
	if ("damage" in found)
		throw new Error(
			`the report of ${name} is damaged: ${found.damage}; other members may have it too (skein lost list --data of each)`,
		);
	return found.report;
}
