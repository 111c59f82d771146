import { expect, test } from "vitest";
import { createCrew } from "./crew.ts";
import type { Outcome } from "./run-one.ts";

test("runs of which no outcome is heard are failures with their seeds, and others take their place", async () => {
	const outcomes: Outcome[] = [];
	let seed = 0;
	const crew = createCrew({
		thread: new URL("./testing/bad-thread.ts", import.meta.url),
		threads: 1,
		nextOrder: () => (seed === 4 ? null : { seed: ++seed, profile: "registers", seconds: 1 }),
		note: (outcome) => outcomes.push(outcome),
		limitMs: (order) => (order.seed === 4 ? 100 : 60_000),
	});
	await crew.done;
	expect(
		outcomes.map(({ order, failure }) => [order.seed, failure?.kind, failure?.what.split("\n")[0]]),
	).toEqual([
		[1, "crash", "Error: nobody handles this"],
		[2, "crash", "Error: nobody catches this"],
		[3, "crash", "its thread ended with 7"],
		[4, "liveness", "nothing was heard of the run for 0.1 s: it hangs"],
	]);
	expect(crew.underWay()).toEqual([]);
});

test("a crew that is stopped says which runs were under way, and blames none", async () => {
	const outcomes: Outcome[] = [];
	const crew = createCrew({
		thread: new URL("./testing/bad-thread.ts", import.meta.url),
		threads: 1,
		nextOrder: () => ({ seed: 4, profile: "registers", seconds: 1 }),
		note: (outcome) => outcomes.push(outcome),
	});
	expect(crew.underWay().map(({ order }) => order.seed)).toEqual([4]);
	crew.stop();
	await crew.done;
	expect(outcomes).toEqual([]);
});
