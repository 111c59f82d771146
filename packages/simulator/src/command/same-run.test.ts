/** The command itself, in processes of their own: nothing that differs between two of them is in a run. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const main = new URL("./main.ts", import.meta.url).pathname;
const run = promisify(execFile);

/** Of each seed, as it is printed. */
async function hashesOf(options: readonly string[]): Promise<string[]> {
	const { stdout } = await run(process.execPath, [main, "--threads", "1", "--verbose", ...options]);
	return [...stdout.matchAll(/^seed \d+: ok, trace ([0-9a-f]{16})$/gm)].map(([, hash]) => hash ?? "");
}

test.for([
	{ profile: "registers", first: 1, seeds: 4, seconds: 4 },
	// They install snapshots, so files of SQLite are in their messages (as long as nobody draws anew).
	{ profile: "sqlite", first: 5, seeds: 2, seconds: 8 },
])("the same seed prints the same hash in another process ($profile)", { timeout: 120_000 }, async (runs) => {
	const { profile, first, seeds } = runs;
	const how = ["--profile", profile, "--seconds", `${runs.seconds}`];
	const options = [...how, "--from", `${first}`, "--seeds", `${seeds}`];
	const hashes = await hashesOf(options);
	expect(hashes.length).toBe(seeds);
	expect(new Set(hashes).size).toBe(seeds);
	expect(await hashesOf(options)).toEqual(hashes);
	// Alone, not behind others in one thread.
	expect(await hashesOf([...how, "--seed", `${first + seeds - 1}`])).toEqual(hashes.slice(-1));
});
