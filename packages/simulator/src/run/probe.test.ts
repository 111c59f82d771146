/** Probes are operations like any other: what they saw, and at which position, is in the history for the checks. */
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { createCluster } from "../cluster/cluster.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import { createRecorder } from "../history/history.ts";
import { registersProfile } from "../machine/store.ts";
import { calmDisk } from "../world/disk-settings.ts";
import { calmNetwork } from "../world/network-settings.ts";
import { probe } from "./probe.ts";
import { drawSettings } from "./swarm.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function fail(error: unknown): never {
	throw error;
}

test("a probe notes what it saw and where", async () => {
	const scheduler = createScheduler(settle);
	const chance = createChance(1);
	const cluster = createCluster({
		size: 3,
		scheduler,
		chance: chance.fork("cluster"),
		profile: registersProfile(settle, crc32),
		settings: drawSettings(chance.fork("settings"), 3),
		networkSettings: calmNetwork,
		diskSettingsOf: () => calmDisk,
		storeSettings: {
			payloads: "group",
			executeMs: 0.05,
			readMs: 0.05,
			storedOutcomeAgeMs: 86_400_000,
			maxTransactionBytes: 1_000_000,
			format: { first: "row", changesEveryMs: null },
		},
		tell: () => {},
		observe: () => {},
	});
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
