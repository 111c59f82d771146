/** A member is ended at one boundary after the other of its starts, and lives in the end. */
import { expect, test } from "vitest";
import { createCluster } from "../cluster/cluster.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import { connect } from "../load/connection.ts";
import { programOf, statementOf } from "../machine/statements.ts";
import { registersProfile } from "../machine/store.ts";
import type { TraceEvent } from "../trace/event.ts";
import { calmDisk } from "../world/disk-settings.ts";
import { calmNetwork } from "../world/network-settings.ts";
import { createCrashSweeps } from "./crash-sweep.ts";
import { drawSettings } from "./swarm.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

const options = {
	consistency: { level: "linearizable" },
	idempotencyKey: null,
	acknowledgement: null,
	timeoutMs: 1_000,
} as const;

function fail(error: unknown): never {
	throw error;
}

async function sweepOf(seed: number) {
	const scheduler = createScheduler(settle);
	const chance = createChance(seed);
	const crashes: TraceEvent[] = [];
	const cluster = createCluster({
		size: 1,
		scheduler,
		chance: chance.fork("cluster"),
		profile: registersProfile(settle),
		settings: drawSettings(chance.fork("settings"), 1),
		networkSettings: calmNetwork,
		diskSettingsOf: () => calmDisk,
		storeSettings: {
			payloads: "group",
			executeMs: 0.05,
			readMs: 0.05,
			storedOutcomeAgeMs: 3_600_000,
			maxTransactionBytes: 1_000_000,
			format: { first: "row", changesEveryMs: null },
		},
		tell: () => {},
		observe: () => {},
	});
	const sweeps = createCrashSweeps({
		chance: chance.fork("sweeps"),
		tell: (event) => void crashes.push(event),
	});
	const member = cluster.member("n1");
	const start = (): void => {
		member.start();
		sweeps.onStart(member);
	};
	start();
	await scheduler.runUntil(5_000);
	sweeps.begin(member);
	// Entries to write, or it would never come to its operation.
	for (let round = 0; round < 40; round++) {
		const connection = connect({ member, scheduler, chance, delayMs: 0.1, isLetIn: false, onOutrage: fail });
		const program = programOf([statementOf({ kind: "write", key: "a", value: `${round}` })]);
		connection.send(program, options, 2_000).then(() => connection.close(), fail);
		await scheduler.runUntil(scheduler.now + 1_000);
		if (member.state === "down") start();
	}
	await scheduler.runUntil(scheduler.now + 10_000);
	return { crashes, member };
}

test("the first crash is of a member that runs, then each start is cut further on, and the last is not", async () => {
	const cutStarts: number[] = [];
	for (let seed = 1; seed <= 6; seed++) {
		const { crashes, member } = await sweepOf(seed);
		expect(member.state).toBe("running");
		const [first, ...starts] = crashes;
		expect(first).toMatchObject({ node: "n1", state: "running" });
		expect(starts.length).toBeLessThanOrEqual(15);
		const operations = starts.map((crash) => Number("operation" in crash ? crash.operation : 0));
		const steps = new Set(
			operations.slice(1).map((operation, place) => operation - (operations[place] ?? 0)),
		);
		expect(steps.size).toBeLessThanOrEqual(1);
		for (const step of steps) expect([1, 2, 3, 4]).toContain(step);
		cutStarts.push(starts.filter((crash) => "state" in crash && crash["state"] === "starting").length);
	}
	expect(Math.max(...cutStarts)).toBeGreaterThan(4);
	expect(Math.min(...cutStarts)).toBe(0);
});
