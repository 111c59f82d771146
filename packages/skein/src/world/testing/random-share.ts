/**
 * How many of a test's random runs there are: all of them, or a part where the same tests judge thousands of changed
 * copies of the code (`npm run mutants`): SKEIN_RANDOM_SHARE, above 0 and at most 1.
 */
import { env } from "node:process";

export function ofRandomRuns(all: number): number {
	return Math.ceil(all * share());
}

/** How much happens in a few of them is chance: only all of them can be asked for enough of it. */
export function areAllRandomRuns(): boolean {
	return share() === 1;
}

function share(): number {
	const set = Number(env["SKEIN_RANDOM_SHARE"] ?? "1");
	if (!(set > 0 && set <= 1)) throw new RangeError(`SKEIN_RANDOM_SHARE is ${set}: above 0, at most 1`);
	return set;
}
