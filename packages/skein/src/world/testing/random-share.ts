/**
 * How many of a test's random runs there are: all of them, or a part where the same tests judge thousands of changed
 * copies of the code (`npm run mutants`): SKEIN_RANDOM_SHARE, above 0 and at most 1.
 */
import { env } from "node:process";

export function ofRandomRuns(all: number): number {
	const share = Number(env["SKEIN_RANDOM_SHARE"] ?? "1");
	if (!(share > 0 && share <= 1)) throw new RangeError(`SKEIN_RANDOM_SHARE is ${share}: above 0, at most 1`);
	return Math.ceil(all * share);
}
