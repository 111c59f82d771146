/**
 * The list of mutations: real bugs of other systems as patches to production code, in `patches/`. Each
 * begins with lines `Bug:`, `Link:`, `Breaks:`, `Caught by:`, and `Profile: sqlite` where only that state machine
 * has what is broken; git apply passes over them. `Caught by: promises; crash (at its start)` names, as the simulator
 * prints them, the properties of which one must break: another one is no catch, since a patch that slipped to a
 * wrong place breaks something too.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const directory = join(import.meta.dirname, "patches");
const headerNames = ["Bug", "Link", "Breaks", "Caught by"];

export interface Mutation {
	/** As its file, without `.patch`; begins with the number in the list of historic bugs. */
	readonly name: string;
	readonly path: string;
	readonly headers: ReadonlyMap<string, string>;
	/** Of the simulator. */
	readonly profile: string;
	/** Properties of the simulator. */
	readonly caughtBy: readonly string[];
}

export function listMutations(): Mutation[] {
	const names = readdirSync(directory).filter((name) => name.endsWith(".patch"));
	if (names.length === 0) throw new Error("there are no mutations: this list is looking in the wrong place");
	return names.sort().map((file) => {
		const path = join(directory, file);
		const headers = headersOf(path);
		const profile = headers.get("Profile") ?? "registers";
		return { name: file.slice(0, -".patch".length), path, headers, profile, caughtBy: caughtBy(headers) };
	});
}

/** What stands in brackets is for people. */
function caughtBy(headers: ReadonlyMap<string, string>): string[] {
	const names = (headers.get("Caught by") ?? "").split(";");
	return names.map((name) => name.replace(/\(.*\)/, "").trim());
}

function headersOf(path: string): Map<string, string> {
	const [head = ""] = readFileSync(path, "utf8").split("\ndiff --git ", 1);
	const headers = new Map<string, string>();
	for (const line of head.split("\n")) {
		const colon = line.indexOf(": ");
		if (colon > 0) headers.set(line.slice(0, colon), line.slice(colon + 2));
	}
	for (const name of headerNames) {
		if (!headers.has(name)) throw new Error(`${path} does not say "${name}:"`);
	}
	return headers;
}

/** Those that are named (a beginning is enough) and belong to the part; no names: all. */
export function chooseMutations(
	all: readonly Mutation[],
	names: readonly string[],
	part: { readonly number: number; readonly of: number },
): Mutation[] {
	for (const name of names) {
		if (!all.some((mutation) => mutation.name.startsWith(name)))
			throw new Error(`there is no mutation ${name}`);
	}
	const wanted = all.filter(
		(mutation) => names.length === 0 || names.some((name) => mutation.name.startsWith(name)),
	);
	// Every n-th: neighbours are often variants of one bug.
	return wanted.filter((_, place) => place % part.of === part.number - 1);
}

export interface Turns {
	readonly now: Date;
	/** Which commit it is, as a number: see head.ts. */
	readonly head: number;
	/** How many mutations there are. */
	readonly all: number;
}

/**
 * `2/5`: the second of five parts. `day/5`: another one every day, so that five days see all. `head/5`:
 * another one with each commit. `head/all`: as many parts as there are mutations.
 */
export function parsePart(text: string, { now, head, all }: Turns): { number: number; of: number } {
	const [number = "", of = ""] = text.split("/");
	const parts = of === "all" ? all : Number(of);
	const day = Math.floor(now.getTime() / 86_400_000);
	const turns = new Map([
		["day", day],
		["head", head],
	]);
	const turn = turns.get(number);
	const part = { number: turn === undefined ? Number(number) : (turn % parts) + 1, of: parts };
	const isValid = Number.isInteger(part.number) && part.number >= 1 && part.number <= part.of;
	if (!isValid) throw new Error(`--part ${text}: it should be like 2/5, day/5, head/5 or head/all`);
	return part;
}
