/** The reports in a node's data directory. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type LostTransaction, lostDirectory } from "../../node/lost-transactions.ts";
import { UsageError } from "../usage-error.ts";

export type ReadReport =
	| { readonly name: string; readonly report: LostTransaction }
	/** Why it cannot be read. */
	| { readonly name: string; readonly damage: string };

export interface Reports {
	/** In the order of the log that they were cut from. */
	names(): string[];
	read(name: string): ReadReport;
	/** False: it is not there. */
	remove(name: string): boolean;
}

/** `data`: of a node, which may run. */
export function reportsIn(data: string): Reports {
	// Else a directory that was misspelt would seem to be one where nothing was lost.
	if (!existsSync(join(data, "log")))
		throw new UsageError(`${data} is not the data directory of a node: it has no log`);
	const directory = join(data, lostDirectory);
	const pathOf = (name: string): string => join(directory, `${name}.json`);
	return {
		names: () => namesIn(directory),
		read(name) {
			try {
				return { name, report: parse(readFileSync(pathOf(name), "utf8")) };
			} catch (error) {
				return { name, damage: error instanceof Error ? error.message : String(error) };
			}
		},
		remove(name) {
			if (!namesIn(directory).includes(name)) return false;
			rmSync(pathOf(name), { force: true });
			return true;
		},
	};
}

function namesIn(directory: string): string[] {
	let names: string[];
	try {
		names = readdirSync(directory);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
		throw error;
	}
	const numbers = (name: string): number[] => name.split("-").map(Number);
	return names
		.filter((name) => /^\d+-\d+\.json$/.test(name))
		.map((name) => name.replace(".json", ""))
		.sort((one, other) => {
			const [term = 0, index = 0] = numbers(one);
			const [otherTerm = 0, otherIndex = 0] = numbers(other);
			return term - otherTerm || index - otherIndex;
		});
}

/** The node writes it whole, or not at all; a disk or a person may have damaged it since. */
function parse(text: string): LostTransaction {
	const value = JSON.parse(text) as Partial<LostTransaction> | null;
	const isReport =
		typeof value === "object" &&
		value !== null &&
		Number.isSafeInteger(value.term) &&
		Number.isSafeInteger(value.index) &&
		isDate(value.wallTimeMs) &&
		typeof value.client === "string" &&
		(value.idempotencyKey === null || typeof value.idempotencyKey === "string") &&
		Array.isArray(value.changes);
	if (!isReport) throw new Error("it is not a report");
	return value as LostTransaction;
}

const isDate = (value: unknown): boolean =>
	typeof value === "number" && !Number.isNaN(new Date(value).getTime());
