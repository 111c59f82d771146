/** Probes are operations like any other: what they saw, and at which position, is in the history for the checks. */
import { expect, test } from "vitest";
import { createRecorder } from "../history/history.ts";
import { probe } from "./probe.ts";
import { createCalmWorld, fail } from "./testing/calm-world.ts";

test("a probe notes what it saw and where", async () => {
	const { scheduler, chance, cluster } = createCalmWorld({ seed: 1, size: 3 });
	for (const member of cluster.members) member.start();
	const recorder = createRecorder(() => scheduler.now);
	const { members } = cluster;
	const served = probe({
		members,
		mustServe: () => true,
		scheduler,
		chance,
		recorder,
		tell: () => {},
		onOutrage: fail,
	});
	await scheduler.runUntil(20_000, () => cluster.look());
	expect(served.all()).toBe(true);
	const done = recorder.history.operations.filter(({ outcome }) => outcome === "ok");
	expect(done.length).toBe(6);
	for (const { level, seen, position, steps } of done) {
		expect(position?.index).toBeGreaterThan(0);
		// The register of each member is its own: nothing, or what was written to it.
		if (level !== null) expect(seen).not.toEqual(steps.map(() => undefined));
	}
	cluster.dispose();
});
