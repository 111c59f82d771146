/** A member whose disk was damaged where no start may miss it must not run, and the nemesis says which those are. */
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { createCluster } from "../cluster/cluster.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import { connect } from "../load/connection.ts";
import { programOf, statementOf } from "../machine/statements.ts";
import { registersProfile } from "../machine/store.ts";
import { calmDisk } from "../world/disk-settings.ts";
import type { AtlasProfile } from "../world/fault-atlas.ts";
import { calmNetwork } from "../world/network-settings.ts";
import { drawFaults, type FaultKind } from "./faults.ts";
import { startNemesis } from "./nemesis.ts";
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

function start(seed: number, atlas: AtlasProfile, everyMs: Partial<Record<FaultKind, number>>) {
	const scheduler = createScheduler(settle);
	const chance = createChance(seed);
	const settings = drawSettings(chance.fork("settings"), 3);
	const cluster = createCluster({
		size: 3,
		scheduler,
		chance: chance.fork("cluster"),
		profile: registersProfile(settle, crc32),
		settings: { ...settings, logSegmentBytes: 1_024, compactLogBytes: 16_384 },
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
	const none = drawFaults(chance.fork("faults"), 3, settings.consensus.electionTimeoutMs);
	const never = Object.fromEntries(
		Object.keys(none.everyMs).map((kind) => [kind, Number.POSITIVE_INFINITY]),
	) as typeof none.everyMs;
	const nemesis = startNemesis({
		cluster,
		scheduler,
		chance: chance.fork("nemesis"),
		tell: () => {},
		settings: { ...none, atlas, everyMs: { ...never, ...everyMs } },
		visit: fail,
		onOutrage: fail,
	});
	return { scheduler, chance, cluster, nemesis };
}

test("who must refuse does, and others run again after a damage that is harmless", async () => {
	let mustRefuse = 0;
	let refused = 0;
	let ran = 0;
	for (let seed = 1; seed <= 5; seed++) {
		const { scheduler, chance, cluster, nemesis } = start(seed, "beyond", {
			power: 2_000,
			"disk-rot": 2_000,
		});
		const write = (number: number): void => {
			const member = chance.pick(cluster.members);
			const connection = connect({
				member,
				scheduler,
				chance,
				delayMs: 0.1,
				isLetIn: false,
				onOutrage: fail,
			});
			const program = programOf([statementOf({ kind: "write", key: "a", value: `${number}` })]);
			connection.send(program, options, 2_000).then(() => connection.close(), fail);
			scheduler.after(150, () => write(number + 1));
		};
		write(0);
		const seen = new Set<string>();
		await scheduler.runUntil(20_000, () => {
			for (const { id, state } of cluster.look()) {
				if (nemesis.mustRefuse(id)) {
					if (!seen.has(id)) mustRefuse++;
					seen.add(id);
					expect(state).not.toBe("running");
					if (state === "refused") refused++;
				} else if (state === "running") ran++;
			}
		});
	}
	expect(mustRefuse).toBeGreaterThan(2);
	expect(refused).toBeGreaterThanOrEqual(mustRefuse);
	expect(ran).toBeGreaterThan(500);
});

test("what a disk refused explains no end of a member that was healed and lives on", async () => {
	const { scheduler, cluster, nemesis } = start(1, "covered", { "disk-full": 200 });
	const ids = cluster.members.map(({ id }) => id);
	const refused = new Error("EIO: a disk that refuses");
	const explained = (): string[] => ids.filter((id) => nemesis.explains(id, refused));
	await scheduler.runUntil(10_000, () => cluster.look());
	expect(explained()).toEqual(ids);
	nemesis.stop();
	nemesis.heal(new Set(ids));
	expect(explained()).toEqual(ids);
	await scheduler.runUntil(15_000, () => cluster.look());
	expect(cluster.members.map(({ state }) => state)).toEqual(["running", "running", "running"]);
	expect(explained()).toEqual([]);
});

test("no member counts as damaged where the atlas allowed nothing", async () => {
	const { scheduler, cluster, nemesis } = start(2, "covered", { "disk-misdirect": 100 });
	await scheduler.runUntil(10_000, () => cluster.look());
	// One of three may be: the others were drawn as well, and refused.
	expect(cluster.members.filter(({ id }) => nemesis.hasDamaged(id)).length).toBe(1);
});
