// `skein lost`: what a node reports as acknowledged and lost, from its data directory.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type LostTransaction, lostDirectory } from "../node/lost-transactions.ts";
import type { lostOptions, OptionValues } from "./options.ts";
import { drawTable } from "./sql/show-result.ts";
import { UsageError } from "./usage-error.ts";

export async function lost(
	values: OptionValues<typeof lostOptions>,
	action: string | undefined,
	name: string | undefined,
): Promise<void> {
	if (values.data === null) throw new UsageError("--data is missing: the data directory of a node");
	const directory = join(values.data, lostDirectory);
	switch (action ?? "list") {
		case "list":
			return list(directory, values.json);
		case "show":
			if (name === undefined) throw new UsageError("which one? For instance: skein lost show 3-17");
			return show(directory, name);
		case "replay":
			if (name === undefined) throw new UsageError("which one? For instance: skein lost replay 3-17");
			return await replayOne(directory, name, values);
		default:
			throw new UsageError(`skein lost ${action}: it is list, show or replay`);
	}
}

async function replayOne(
	directory: string,
	name: string,
	{ url, json }: OptionValues<typeof lostOptions>,
): Promise<void> {
	const report = find(directory, name);
	const { replay } = await import("./lost/replay.ts");
	const isReported = (): boolean => namesIn(directory).includes(`${name}.json`);
	const result = await replay({ url, name, report, isReported });
	if (json) return console.log(JSON.stringify({ name, result }));
	console.log(
		result === "replayed"
			? `the changes of ${name} are made again`
			: `${name} was sent again under its idempotency key: there is nothing to do`,
	);
}

function list(directory: string, json: boolean): void {
	const all = namesIn(directory).map((name) => read(directory, name));
	if (json) return console.log(JSON.stringify(all));
	if (all.length === 0) return console.log("nothing is reported as lost");
	const rows = all.map((one) => [
		`${one.term}-${one.index}`,
		new Date(one.wallTimeMs).toISOString(),
		one.client,
		one.idempotencyKey ?? "-",
		one.acknowledgement,
		one.certain ? "lost" : "not certain",
		String(one.changes.length) + (one.isCut ? " and more" : ""),
	]);
	const columns = ["name", "at", "client", "key", "mode", "what", "changes"];
	console.log(
		drawTable(
			columns,
			rows,
			columns.map(() => false),
		),
	);
}

function show(directory: string, name: string): void {
	console.log(JSON.stringify(find(directory, name), null, "\t"));
}

function find(directory: string, name: string): LostTransaction {
	const file = `${name}.json`;
	if (!namesIn(directory).includes(file)) throw new Error(`${name} is not among the lost: skein lost list`);
	return read(directory, file);
}

/** In the order of the log that they were cut from. */
function namesIn(directory: string): string[] {
	let names: string[];
	try {
		names = readdirSync(directory);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
		throw error;
	}
	const numbers = (name: string): number[] => name.split(/[-.]/).slice(0, 2).map(Number);
	return names
		.filter((name) => /^\d+-\d+\.json$/.test(name))
		.sort((one, other) => {
			const [term = 0, index = 0] = numbers(one);
			const [otherTerm = 0, otherIndex = 0] = numbers(other);
			return term - otherTerm || index - otherIndex;
		});
}

function read(directory: string, name: string): LostTransaction {
	// The node writes it whole, or not at all.
	return JSON.parse(readFileSync(join(directory, name), "utf8")) as LostTransaction;
}
