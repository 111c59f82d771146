/**
 * A start is cut at each of the operations of its disk in turn, before and after it, by the end of the process and by
 * a loss of power, until one is over before its turn comes: whatever the cut left, the next start goes on from it, and
 * what was acknowledged is there. Sweeps (crash-sweep.ts) take samples of this under load and other faults.
 */
import { expect, test } from "vitest";
import { type Cluster, createCluster } from "../cluster/cluster.ts";
import type { CrashKind, Member } from "../cluster/member.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler, type Scheduler } from "../engine/scheduler.ts";
import { programOf, readStatement, statementOf } from "../machine/statements.ts";
import { registersProfile } from "../machine/store.ts";
import { createWatch } from "../properties/watch.ts";
import { calmDisk } from "../world/disk-settings.ts";
import { calmNetwork } from "../world/network-settings.ts";
import { drawSettings } from "./swarm.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const options = {
	consistency: { level: "linearizable" },
	idempotencyKey: null,
	acknowledgement: null,
	timeoutMs: 5_000,
} as const;
const most = 200;

interface World {
	readonly cluster: Cluster;
	readonly scheduler: Scheduler;
	until(what: string, holds: () => boolean): Promise<void>;
	/** What the register held before. */
	swap(value: string): Promise<unknown>;
	/** Ends in the middle of a write: of its entry, its sync, or what follows. */
	crashInWrite(member: Member, value: string, kind: CrashKind, afterMs: number): Promise<void>;
}

function world(size: number, seed: number): World {
	const scheduler = createScheduler(settle);
	const chance = createChance(seed);
	const watch = createWatch();
	const drawn = drawSettings(chance.fork("settings"), size);
	const cluster = createCluster({
		size,
		scheduler,
		chance: chance.fork("cluster"),
		profile: registersProfile(settle),
		settings: {
			...drawn,
			consensus: { ...drawn.consensus, heartbeatIntervalMs: 20, electionTimeoutMs: 100 },
			tickIntervalMs: 10,
			// Starts with several segments, a snapshot's base, and one that was prepared.
			logSegmentBytes: 512,
			compactLogBytes: 2_048,
			logTailEntries: 5,
			checkpointBytes: 1_024,
			compactionIntervalMs: 100,
		},
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
		observe: (observation) => watch.observe(observation),
	});
	const look = (): void => {
		cluster.look();
		if (cluster.broken !== null) throw cluster.broken;
		for (const { failure } of cluster.members) if (failure !== null) throw failure;
	};
	const until: World["until"] = async (what, holds) => {
		const end = scheduler.now + 20_000;
		while (!holds()) {
			if (scheduler.now > end) throw new Error(`not in time: ${what}`);
			await scheduler.runUntil(scheduler.now + 2, look);
		}
	};
	return {
		cluster,
		scheduler,
		until,
		async crashInWrite(member, value, kind, afterMs) {
			const program = programOf([statementOf({ kind: "write", key: "a", value })]);
			// Nobody waits for its answer.
			member.server?.service
				.openStream()
				.run(program, options)
				.catch(() => {});
			await scheduler.runUntil(scheduler.now + afterMs, look);
			member.crash(kind);
		},
		async swap(value) {
			const leader = () => cluster.members.find(({ core }) => core?.established === true);
			await until("a leader", () => leader() !== undefined);
			const program = programOf([readStatement("a"), statementOf({ kind: "write", key: "a", value })]);
			let seen: unknown;
			let isDone = false;
			void leader()
				?.server?.service.openStream()
				.run(program, options)
				.then(({ outcome }) => {
					expect(outcome.errors).toEqual([null, null]);
					seen = outcome.results[0]?.rows[0]?.[0];
					isDone = true;
				});
			await until("an answer", () => isDone);
			return seen;
		},
	};
}

/** False: the start was over before its turn came. */
async function cutStart(
	place: World,
	member: Member,
	operation: number,
	when: "before" | "after",
	kind: CrashKind,
): Promise<boolean> {
	let isCut = false;
	member.start();
	member.disk.atOperation(operation, when, () => {
		isCut = true;
		member.crash(kind);
	});
	await place.until("a cut or a start", () => isCut || member.state === "running");
	member.disk.atOperation(Number.POSITIVE_INFINITY, when, () => {});
	return isCut;
}

const cuts = (["before", "after"] as const).flatMap((when) =>
	(["kill", "power"] as const).map((kind) => ({ when, kind })),
);

test.for(cuts)("a member alone, $when each operation, $kind", async ({ when, kind }) => {
	const alone = world(1, 1);
	const [member] = alone.cluster.members;
	if (member === undefined) throw new Error("a member");
	member.start();
	for (let number = 0; number < 10; number++) await alone.swap(`first ${number}`);
	let possible: unknown[] = ["first 9"];
	for (let operation = 1; ; operation++) {
		expect(operation).toBeLessThan(most);
		await alone.crashInWrite(member, `torn ${operation}`, kind, (operation % 10) * 0.3);
		possible.push(`torn ${operation}`);
		const isCut = await cutStart(alone, member, operation, when, kind);
		if (isCut) member.start();
		await alone.until("a start", () => member.state === "running");
		// What it found it must have made durable before it relied on it.
		member.crash("power");
		member.start();
		expect(possible).toContain(await alone.swap(`${operation}`));
		possible = [`${operation}`];
		if (isCut) continue;
		expect(operation).toBeGreaterThan(10);
		break;
	}
	alone.cluster.dispose();
});

test.for(cuts)(
	"a member alone, the first start of all, $when each operation, $kind",
	async ({ when, kind }) => {
		for (let operation = 1, isCut = true; isCut; operation++) {
			expect(operation).toBeLessThan(most);
			const alone = world(1, operation);
			const [member] = alone.cluster.members;
			if (member === undefined) throw new Error("a member");
			isCut = await cutStart(alone, member, operation, when, kind);
			if (isCut) member.start();
			expect(await alone.swap("one")).toBe(undefined);
			member.crash("power");
			member.start();
			expect(await alone.swap("two")).toBe("one");
			alone.cluster.dispose();
			if (!isCut) expect(operation).toBeGreaterThan(5);
		}
	},
);

test.for(cuts)(
	"one of three, each cut going on from what the one before left: $when each operation, $kind",
	async ({ when, kind }) => {
		const three = world(3, 2);
		const { cluster } = three;
		for (const member of cluster.members) member.start();
		for (let number = 0; number < 10; number++) await three.swap(`first ${number}`);
		const member = cluster.members.find(({ core }) => core?.established === true);
		if (member === undefined) throw new Error("a leader");
		member.crash(kind);
		let operation = 1;
		while (await cutStart(three, member, operation, when, kind)) operation++;
		expect(operation).toBeGreaterThan(10);
		expect(await three.swap("then")).toBe("first 9");
		const applied = () => cluster.members.map(({ store }) => store.registers().get("a"));
		await three.until("the same everywhere", () => applied().every((value) => value === "then"));
		cluster.dispose();
	},
);
