/** The invariants of DESIGN.md under random schedules (testing/random-run.ts). */
import { expect, test } from "vitest";
import { areAllRandomRuns, ofRandomRuns } from "../world/testing/random-share.ts";
import { runSeed } from "./testing/random-run.ts";

const runs = ofRandomRuns(60);

for (const size of [1, 2, 3, 4, 5]) {
	test(`${size} nodes keep every invariant under random faults`, () => {
		let committed = 0;
		let reads = 0;
		let acknowledged = 0;
		let sync = 0;
		let syncWithFollower = 0;
		let awaitedDone = 0;
		let leasesHeld = 0;
		for (let seed = 1; seed <= runs; seed++) {
			const checker = runSeed(seed, size, 6_500);
			committed += checker.committedIndex;
			reads += checker.readsDone;
			acknowledged += checker.acknowledgementsDone;
			sync += checker.syncDone;
			syncWithFollower += checker.syncWithFollower;
			awaitedDone += checker.awaitedDone;
			leasesHeld += checker.leasesHeld;
		}
		if (!areAllRandomRuns()) return;
		// A schedule in which nothing happens would show nothing.
		expect(committed).toBeGreaterThan(runs * 20);
		expect(reads).toBeGreaterThan(runs * 20);
		expect(acknowledged).toBeGreaterThan(runs * 10);
		expect(sync).toBeGreaterThan(runs * 2);
		expect(awaitedDone).toBeGreaterThan(runs / 4);
		if (size > 1) {
			expect(syncWithFollower).toBeGreaterThan(runs);
			expect(leasesHeld).toBeGreaterThan(runs * 100);
		}
	});
}

const chainRuns = ofRandomRuns(20);

for (const size of [2, 3, 4, 5]) {
	test(`${size} nodes that read by themselves in a chain keep every invariant, also while members change`, () => {
		let chain = 0;
		let byTail = 0;
		let byOthers = 0;
		for (let seed = 1; seed <= chainRuns; seed++) {
			const checker = runSeed(seed, size, 6_500, { changes: seed % 2 === 0 ? 0.02 : 0, isChain: true });
			chain += checker.chainDone;
			byTail += checker.readsByTail;
			byOthers += checker.readsByOthers;
		}
		if (!areAllRandomRuns()) return;
		expect(chain).toBeGreaterThan(chainRuns * 2);
		expect(byTail).toBeGreaterThan(chainRuns * 100);
		expect(byOthers).toBeGreaterThan(chainRuns * 100);
	});
}
