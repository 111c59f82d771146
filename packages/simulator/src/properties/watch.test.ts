import { expect, test } from "vitest";
import { BrokenProperty } from "./property.ts";
import { type Lies, runWatched, type WatchedRun } from "./testing/watched-cluster.ts";

test("nodes keep every property under crashes, cuts, snapshots and writes, and each property was asked", async () => {
	for (const [seed, size] of [
		[1, 3],
		[2, 5],
		[3, 1],
	] as const) {
		const { watch, acknowledged, crashes, failures } = await runWatched({ seed, size, spanMs: 8_000 });
		expect(watch.broken).toBe(null);
		expect(failures).toEqual([]);
		expect(acknowledged).toBeGreaterThan(50);
		expect(crashes).toBeGreaterThan(2);
		if (size > 1) expect([...watch.asked].filter(([, times]) => times === 0)).toEqual([]);
	}
});

/** Seeds until a property is broken. */
async function brokenBy(lies: Lies): Promise<WatchedRun["watch"]["broken"]> {
	for (let seed = 1; seed <= 20; seed++) {
		const { watch } = await runWatched({ seed, size: 3, spanMs: 5_000, lies });
		if (watch.broken !== null) return watch.broken;
	}
	return null;
}

test("a disk that does not sync is noticed after a crash", async () => {
	const broken = await brokenBy({
		disk: (disk) => ({
			...disk,
			async open(path, how) {
				return { ...(await disk.open(path, how)), sync: async () => {} };
			},
		}),
	});
	expect(broken).toBeInstanceOf(BrokenProperty);
	expect(["recovered log", "promises"]).toContain((broken as BrokenProperty).property);
});

test("a log that keeps no promise is noticed", async () => {
	const broken = await brokenBy({ log: (log) => ({ ...log, writePromise: async () => {} }) });
	expect(broken).toMatchObject({ property: "promises" });
});

test("a member that applies something else is noticed", async () => {
	const broken = await brokenBy({
		database: (database, node) => ({
			...database,
			apply: (entries) =>
				database.apply(
					node === "n2" ? entries.map((one) => ({ ...one, kind: "barrier" as const })) : entries,
				),
		}),
	});
	expect(broken).toMatchObject({ property: "equal applied index, equal state" });
});
