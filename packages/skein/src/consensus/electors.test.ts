/** As core.test.ts, under every elector, and with members that have different ones at the same time. */
import { expect, test } from "vitest";
import { areAllRandomRuns, ofRandomRuns } from "../world/testing/random-share.ts";
import { runSeed } from "./testing/random-run.ts";
import { type ElectorName, electorNames } from "./types.ts";

const runs = ofRandomRuns(12);
const groups: readonly (readonly ElectorName[])[] = [
	...electorNames.filter((name) => name !== "raft").map((name) => [name]),
	electorNames,
];

test.each(groups.map((electors) => [electors.join(", "), electors] as const))(
	"%s: every invariant holds under random faults, also while members change",
	(_, electors) => {
		let committed = 0;
		for (let seed = 1; seed <= runs; seed++) {
			const size = [2, 3, 3, 4, 5][seed % 5] ?? 3;
			committed += runSeed(seed, size, 6_500, {
				changes: seed % 2 === 0 ? 0.01 : 0,
				electors,
			}).committedIndex;
		}
		if (areAllRandomRuns()) expect(committed).toBeGreaterThan(runs * 20);
	},
);
