/** As core.test.ts, while members come, go, learn and vote, several at once, and those who were removed live on. */
import { expect, test } from "vitest";
import { areAllRandomRuns, ofRandomRuns } from "../world/testing/random-share.ts";
import { runSeed } from "./testing/random-run.ts";

const runs = ofRandomRuns(60);

for (const size of [1, 2, 3, 4, 5]) {
	test(`groups that begin with ${size} keep every invariant while their members change`, () => {
		let committed = 0;
		let changes = 0;
		for (let seed = 1; seed <= runs; seed++) {
			const checker = runSeed(seed, size, 7_000, { changes: 0.01 });
			committed += checker.committedIndex;
			changes += checker.changesDone;
		}
		if (!areAllRandomRuns()) return;
		expect(committed).toBeGreaterThan(runs * 20);
		expect(changes).toBeGreaterThan(runs * 3);
	});
}
