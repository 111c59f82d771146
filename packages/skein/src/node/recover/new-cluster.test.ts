/** From a survivor's disk to a new cluster, with a crash at each boundary between two operations of the disk. */
import { expect, test } from "vitest";
import {
	decodeConfiguration,
	encodeConfiguration,
	initialConfiguration,
} from "../../consensus/configuration.ts";
import type { Entry, Position } from "../../consensus/types.ts";
import type { DatabaseState } from "../../database/database.ts";
import { openLog } from "../../log/segmented-log.ts";
import type { Disk } from "../../world/disk.ts";
import type { Random } from "../../world/random.ts";
import { createMemoryDisk, DiskStoppedError, type MemoryDisk } from "../../world/testing/memory-disk.ts";
import { seeded } from "../testing/seeded.ts";
import { beginRecovery, finishRecovery, inspect } from "./new-cluster.ts";
import { givenUp, readRecovered, readRecovering, refuseUnfit } from "./recovery-files.ts";

const members = ["n1", "n2", "n3"].map((id) => ({ id, peer: `${id}:1` }));
const bootstrap = initialConfiguration(members);
const opened: DatabaseState = {
	applied: { term: 3, index: 8 },
	configuration: { index: 1, value: bootstrap },
	acknowledgement: null,
};
/** Else each log begins with 16 MiB of zeros. */
const logSettings = { segmentBytes: 300 };
const identity = { clusterId: "old", nodeId: "n3", incarnation: "00".repeat(16) };

function randomOf(seed: number): Random {
	const chance = seeded(seed);
	const below = (bound: number): number => Math.floor(chance() * bound);
	return { below, bytes: (length) => Uint8Array.from({ length }, () => below(256)) };
}

/** Entries 1 … 12, the last in term 3; 8 are applied; the last is a piece of a transaction without an end. */
async function survivorDisk(seed: number): Promise<MemoryDisk> {
	const disk = createMemoryDisk(seeded(seed));
	const log = await openLog({
		disk,
		directory: "log",
		create: identity,
		bootstrap: [{ index: 1, term: 1, kind: "configuration", payload: encodeConfiguration(bootstrap) }],
		settings: logSettings,
	});
	const entries = Array.from({ length: 11 }, (_, place): Entry => {
		const index = place + 2;
		const kind = index === 12 ? "fragment" : "command";
		return { index, term: index < 6 ? 1 : 3, kind, payload: new Uint8Array([index]) };
	});
	await log.writePromise({ term: 5, votedFor: "n1" });
	await log.append({ truncateFrom: null, entries });
	await log.close();
	return disk;
}

/** What `skein recover` does, however often it was begun. */
async function recover(disk: Disk, random: Random): Promise<void> {
	const node = { disk, opened, logSettings };
	const begun = await readRecovering(disk);
	if (begun !== null) return await finishRecovery(node, begun);
	const survivor = await inspect(node);
	if (survivor.identity.clusterId !== "old") return;
	const before = givenUp(await readRecovered(disk));
	await finishRecovery(node, await beginRecovery({ disk, random, survivor, peer: "n3:1", before }));
}

async function allOf(disk: Disk, directory = "log") {
	const log = await openLog({ disk, directory, create: null, settings: logSettings });
	const { recovered } = log;
	const entries: Entry[] = [];
	const last = recovered.base.index + recovered.headers.length;
	while (recovered.base.index + entries.length < last) {
		entries.push(...(await log.read(recovered.base.index + entries.length + 1, last, 1_000)));
	}
	await log.close();
	return { identity: recovered.identity, promise: recovered.promise, base: recovered.base, entries };
}

async function expectWhole(disk: MemoryDisk): Promise<void> {
	const recovery = await readRecovered(disk);
	const { identity: found, promise, entries } = await allOf(disk);
	expect(recovery).toMatchObject({ from: "old", to: found.clusterId, last: { term: 3, index: 12 } });
	expect(found.clusterId).not.toBe("old");
	expect(found.incarnation).not.toBe(identity.incarnation);
	expect(promise).toEqual({ term: recovery?.term, votedFor: "n3" });
	expect(promise.term).toBeGreaterThan(2 ** 20);
	expect(entries.map(({ index }) => index)).toEqual(Array.from({ length: 14 }, (_, place) => place + 1));
	const [barrier, configuration] = entries.slice(12);
	expect(barrier).toMatchObject({ kind: "barrier", term: promise.term });
	expect(configuration).toMatchObject({ kind: "configuration", term: promise.term });
	const { voters, members: now, retired } = decodeConfiguration(configuration?.payload ?? new Uint8Array(0));
	expect({ voters, now, retired }).toEqual({
		voters: ["n3"],
		now: [{ id: "n3", peer: "n3:1" }],
		retired: ["n1", "n2"],
	});
	// The old log is still there, as it was.
	const old = await allOf(disk, `log.before-${found.clusterId}`);
	expect(old).toMatchObject({ identity, promise: { term: 5, votedFor: "n1" } });
	expect(entries.slice(0, 12)).toEqual(old.entries);
	await refuseUnfit(disk, "data", "n3");
}

test("all that the survivor has is kept, behind it a new term and this member alone", async () => {
	const disk = await survivorDisk(1);
	await recover(disk, randomOf(1));
	await expectWhole(disk);
});

test("a crash at any operation, and again while it is repeated, leaves the old or the new, and no start between", async () => {
	const probe = await survivorDisk(1);
	const before = probe.operations;
	await recover(probe, randomOf(1));
	const steps = probe.operations - before;
	expect(steps).toBeGreaterThan(40);
	for (let step = 0; step < steps; step++) {
		const disk = await survivorDisk(step + 2);
		const random = randomOf(step);
		for (const again of [step, Math.floor(step / 2)]) {
			disk.faults.stopAt = disk.operations + again;
			await recover(disk, random).catch((error: unknown) => {
				if (!(error instanceof DiskStoppedError)) throw error;
			});
			if (random.below(2) === 0) disk.crash();
			else disk.kill();
			const begun = await readRecovering(disk);
			if (begun !== null)
				await expect(refuseUnfit(disk, "data", "n3")).rejects.toThrow("skein recover --data data");
			// Where it may start, it starts with a log: the old one or the new one, whole.
			else expect([12, 14]).toContain((await allOf(disk)).entries.length);
		}
		await recover(disk, random);
		disk.crash();
		await recover(disk, random);
		await expectWhole(disk);
	}
}, 60_000);

test("a log that begins behind an index keeps its beginning, and the elector that was chosen", async () => {
	const disk = createMemoryDisk(seeded(1));
	const log = await openLog({ disk, directory: "log", create: identity, settings: logSettings });
	await log.reset({ term: 3, index: 100 });
	await log.append({
		truncateFrom: null,
		entries: [{ index: 101, term: 3, kind: "command", payload: new Uint8Array([1]) }],
	});
	await log.close();
	const applied: Position = { term: 3, index: 100 };
	const node = {
		disk,
		opened: {
			applied,
			configuration: { index: 90, value: { ...bootstrap, elector: "manual" as const } },
			acknowledgement: null,
		},
		logSettings,
	};
	const survivor = await inspect(node);
	expect(survivor).toMatchObject({ last: { term: 3, index: 101 }, applied: 100, base: applied });
	await finishRecovery(
		node,
		await beginRecovery({ disk, random: randomOf(1), survivor, peer: "n3:9", before: ["older"] }),
	);
	const { base, entries } = await allOf(disk);
	expect(base).toEqual(applied);
	expect(entries.map(({ kind }) => kind)).toEqual(["command", "barrier", "configuration"]);
	expect(decodeConfiguration(entries.at(-1)?.payload ?? new Uint8Array(0))).toMatchObject({
		voters: ["n3"],
		elector: "manual",
	});
	expect(givenUp(await readRecovered(disk))).toEqual(["older", "old"]);
});
