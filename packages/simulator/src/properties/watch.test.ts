import { expect, test } from "vitest";
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

test("a disk that does not sync is noticed after a crash: by the log itself, or here", async () => {
	const lies: Lies = {
		disk: (disk) => ({
			...disk,
			async open(path, how) {
				return { ...(await disk.open(path, how)), sync: async () => {} };
			},
		}),
	};
	const { watch, failures } = await runWatched({ seed: 1, size: 3, spanMs: 5_000, lies });
	const said = [watch.broken, ...failures].map((error) => error?.message ?? "");
	expect(said.some((what) => /^the log is damaged|^recovered log|^promises/u.test(what))).toBe(true);
});

test("a log that comes back without its newest entry is noticed", async () => {
	const broken = await brokenBy({
		log(log) {
			const { headers } = log.recovered;
			if (headers.length < 5) return log;
			return { ...log, recovered: { ...log.recovered, headers: headers.slice(0, -1) } };
		},
	});
	expect(broken).toMatchObject({ property: "recovered log" });
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
