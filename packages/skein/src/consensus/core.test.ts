/** The invariants of DESIGN.md under random schedules (testing/random-run.ts). */
import { expect, test } from "vitest";
import { runSeed } from "./testing/random-run.ts";

const runs = 60;

for (const size of [1, 2, 3, 4, 5]) {
	test(`${size} nodes keep every invariant under random faults`, () => {
		let committed = 0;
		let reads = 0;
		for (let seed = 1; seed <= runs; seed++) {
			const checker = runSeed(seed, size, 4_000);
			committed += checker.committedIndex;
			reads += checker.readsDone;
		}
		// A schedule in which nothing happens would show nothing.
		expect(committed).toBeGreaterThan(runs * 20);
		expect(reads).toBeGreaterThan(runs * 20);
	});
}
