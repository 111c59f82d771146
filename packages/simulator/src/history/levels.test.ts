/** All checks on random histories of all levels: nothing is said of those that keep their promises, and lies are found. */
import { expect, test } from "vitest";
import { checkBounded } from "./bounded.ts";
import { checkDurability } from "./durability.ts";
import type { ReadLevel } from "./history.ts";
import { checkLinearizability } from "./linearizability.ts";
import { checkOnce } from "./once.ts";
import { checkSessions } from "./sessions.ts";
import { checkSnapshots } from "./snapshots.ts";
import { type LeveledRun, randomLevels } from "./testing/random-levels.ts";

function complaints({ history, timeline, final }: LeveledRun): string[] {
	const linearizability = checkLinearizability(history);
	return [
		...(linearizability.verdict === "good" ? [] : [linearizability.reason]),
		...checkSessions(history),
		...checkSessions(history, { timeline }),
		...checkBounded(history),
		...checkBounded(history, { timeline }),
		...checkSnapshots(history),
		...checkSnapshots(history, timeline),
		...checkOnce(history, timeline),
		...checkDurability(history, { timeline, states: new Map([["n1", final]]) }),
	].map((one) => (typeof one === "string" ? one : one.reason));
}

test("nothing is said of a cluster that keeps its promises", () => {
	for (let seed = 0; seed < 200; seed++) expect(complaints(randomLevels(seed, null))).toEqual([]);
});

for (const level of ["linearizable", "session", "bounded"] as ReadLevel["level"][]) {
	test(`stale answers at the level ${level} are found`, () => {
		let found = 0;
		let lied = 0;
		for (let seed = 0; seed < 100; seed++) {
			const run = randomLevels(seed, level);
			if (run.lies === 0) continue;
			lied++;
			if (complaints(run).length > 0) found++;
		}
		expect(lied).toBeGreaterThan(50);
		// An older state may show the same in the registers that were read.
		expect(found / lied).toBeGreaterThan(0.8);
	});
}
