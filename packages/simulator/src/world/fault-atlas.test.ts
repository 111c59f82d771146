/** The atlas lets damage happen only where the promise covers it: held against what production's recovery really does. */
import { expect, test } from "vitest";
import type { Entry } from "../../../skein/src/consensus/types.ts";
import { LogCorruptionError } from "../../../skein/src/log/errors.ts";
import type { Log } from "../../../skein/src/log/log.ts";
import { openLog } from "../../../skein/src/log/segmented-log.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import { createSimulatedDisk, type SimulatedDisk } from "./disk.ts";
import { calmDisk } from "./disk-settings.ts";
import { type AtlasProfile, createFaultAtlas } from "./fault-atlas.ts";
import { type DamageVerdict, judgeDamage, judgeStart } from "./log-damage.ts";

const nodes = ["n1", "n2", "n3", "n4", "n5"];

async function world(seed: number, entryCount: number) {
	const scheduler = createScheduler(() => new Promise((resolve) => setImmediate(resolve)));
	const chance = createChance(seed);
	const disk = createSimulatedDisk({
		node: "n1",
		scheduler,
		chance: chance.fork("disk"),
		settings: calmDisk,
		tell: () => {},
	});
	let log: Log = await open();
	let last = 0;

	async function open(): Promise<Log> {
		const outcome = openLog({
			disk,
			directory: "log",
			create: { clusterId: "c", nodeId: "n1", incarnation: "00" },
			settings: { segmentBytes: 2_048, cacheBytes: 0 },
		}).then(
			(opened) => ({ opened }),
			(error: unknown) => ({ error }),
		);
		await scheduler.runUntil(scheduler.now + 200);
		const done = await outcome;
		if ("error" in done) throw done.error;
		return done.opened;
	}

	/** One group, one sync. */
	async function append(count: number): Promise<void> {
		const entries: Entry[] = Array.from({ length: count }, () => ({
			index: ++last,
			term: 1,
			kind: "command",
			payload: chance.bytes(chance.integer(1, 200)),
		}));
		void log.append({ truncateFrom: null, entries });
		await scheduler.runUntil(scheduler.now + 50);
	}

	while (last < entryCount) await append(Math.min(entryCount - last, chance.integer(1, 3)));
	return {
		disk,
		chance,
		append,
		/** To the position behind the last entry, killed before the n-th operation of the disk. */
		resetKilledAt: async (operation: number): Promise<void> => {
			disk.atOperation(operation, "before", () => disk.crash("kill"));
			void log.reset({ index: last, term: 1 });
			await scheduler.runUntil(scheduler.now + 50);
		},
		/** Kills it, and what the next life makes of its disk: how far its log goes, or a refusal. */
		restart: async (): Promise<number | "refused"> => {
			disk.crash("kill");
			try {
				log = await open();
				return log.recovered.headers.at(-1)?.index ?? 0;
			} catch (error) {
				if (error instanceof LogCorruptionError) return "refused";
				throw error;
			}
		},
		get last() {
			return last;
		},
	};
}

function atlasOf(profile: AtlasProfile, seed = 1, members: readonly string[] = nodes) {
	return createFaultAtlas({ voters: () => [members], profile, chance: createChance(seed), tell: () => {} });
}

test("what is called detected is refused, what is called harmless loses nothing, and nothing silent is left", async () => {
	const seen = new Map<DamageVerdict | null, number>();
	for (let seed = 1; seed <= 150; seed++) {
		const { disk, restart, last } = await world(seed, 5 + (seed % 15));
		const atlas = atlasOf("covered", seed);
		const isDown = seed % 2 === 0;
		if (isDown) disk.crash("kill");
		const verdict = atlas.rot({ node: "n1", disk, isDown });
		seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
		expect(judgeDamage(disk.files())).toBe(verdict ?? "none");
		expect(atlas.mayStart("n1", disk)).toBe(true);
		expect(await restart()).toBe(verdict === "detected" ? "refused" : last);
		if (verdict === "detected") expect(atlas.mayRefuse("n1")).toBe(true);
	}
	expect(seen.get("detected")).toBeGreaterThan(30);
	expect(seen.get("harmless")).toBeGreaterThan(10);
}, 60_000);

test("damage that a restart takes for a torn write is judged so, and only such", async () => {
	const seen = { silent: 0, refused: 0, whole: 0 };
	for (let seed = 1; seed <= 150; seed++) {
		const { disk, chance, restart, last } = await world(seed, 8 + (seed % 30));
		// Half of the time in the last segment, where alone a write can be torn.
		const segments = [...disk.files().keys()].filter((path) => path.endsWith(".segment")).toSorted();
		const segment = (seed % 2 === 0 ? segments.at(-1) : chance.pick(segments)) ?? "";
		disk.rotAt(segment, chance.integer(64, 2_040), 1 << chance.below(8));
		const verdict = judgeDamage(disk.files());
		const found = await restart();
		if (found === "refused") seen.refused++;
		else if (found < last) seen.silent++;
		else seen.whole++;
		const expected = found === "refused" ? "detected" : found < last ? "silent" : "harmless";
		expect(verdict).toBe(expected);
	}
	for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5);
}, 60_000);

test("a misdirected write may be silent at first and shows itself once more was synced", async () => {
	const seen = new Map<DamageVerdict, number>();
	for (let seed = 1; seed <= 100; seed++) {
		const { disk, append, restart, last: before } = await world(seed, 8);
		const atlas = atlasOf("covered", seed);
		expect(atlas.misdirect({ node: "n1", disk, isDown: false })).toBe(true);
		await append(1);
		if (seed % 2 === 0) for (let group = 0; group < 3; group++) await append(1);
		const verdict = judgeDamage(disk.files());
		seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
		const mayStart = atlas.mayStart("n1", disk);
		expect(mayStart).toBe(verdict !== "silent");
		const found = await restart();
		if (verdict === "detected") expect(found).toBe("refused");
		if (verdict === "silent") expect(found).not.toBe("refused");
		if (mayStart && found !== "refused") expect(found).toBeGreaterThan(before);
	}
	expect(seen.get("silent")).toBeGreaterThan(5);
	expect(seen.get("detected")).toBeGreaterThan(20);
}, 60_000);

test("damage in segments that a reset replaces counts until `reset` has its name, and not from then on", async () => {
	const seen = { refused: 0, goesOn: 0 };
	for (let operation = 1; operation <= 12; operation++) {
		const { disk, resetKilledAt, restart } = await world(operation, 20);
		// A header: no start goes on from such a segment.
		disk.rotAt("log/0000000000000001.segment", 5, 1);
		expect(judgeStart(disk.files())).toBe("detected");
		await resetKilledAt(operation);
		const verdict = judgeStart(disk.files());
		const found = await restart();
		// Nothing is behind the position of the reset.
		expect(found).toBe(verdict === "detected" ? "refused" : 0);
		if (found === "refused") seen.refused++;
		else seen.goesOn++;
	}
	expect(seen.refused).toBeGreaterThan(2);
	expect(seen.goesOn).toBeGreaterThan(2);
}, 60_000);

test("what a start would refuse saves nobody from silent damage while the page cache hides it", async () => {
	const { disk } = await world(4, 5);
	const atlas = atlasOf("covered");
	expect(atlas.mayLose("n1")).toBe(true);
	const segment = [...disk.files().keys()].filter((path) => path.endsWith(".segment")).at(-1) ?? "";
	const state = disk.files().get("log/state");
	const good = state?.read(0, state.sizeBytes) ?? new Uint8Array();
	const { bytes, size } = disk.files().get(segment)?.device ?? { bytes: new Uint8Array(), size: 0 };
	const lastByte = bytes.subarray(0, size).findLastIndex((byte) => byte !== 0);
	disk.rotAt(segment, lastByte, 1);
	expect(judgeStart(disk.files())).toBe("silent");
	expect(atlas.mayStart("n1", disk)).toBe(false);
	for (const slot of [0, 4_096]) disk.rotAt("log/state", slot + 100, 1);
	expect(judgeStart(disk.files())).toBe("detected");
	expect(atlas.mayStart("n1", disk)).toBe(true);
	state?.write(0, good);
	expect(judgeStart(disk.files())).toBe("silent");
	expect(atlas.mayStart("n1", disk)).toBe(false);
});

test("at most a minority is ever spent, over the whole run; beyond, all may be", async () => {
	for (const [profile, size, budget] of [
		["covered", 1, 0],
		["covered", 2, 0],
		["covered", 3, 1],
		["covered", 4, 1],
		["covered", 5, 2],
		["beyond", 5, 5],
	] as const) {
		const members = nodes.slice(0, size);
		const atlas = atlasOf(profile, 1, members);
		for (let round = 0; round < 3; round++) for (const node of members) atlas.mayLose(node);
		expect(atlas.spent.size).toBe(budget);
		for (const node of members) expect(atlas.mayRefuse(node)).toBe(atlas.spent.has(node));
	}
});

test("a member that may not be spent is damaged only where it loses nothing, or not at all", async () => {
	const { disk, restart, last } = await world(3, 12);
	const atlas = atlasOf("covered", 3);
	expect(atlas.mayLose("n4")).toBe(true);
	expect(atlas.mayLose("n5")).toBe(true);
	expect(atlas.misdirect({ node: "n1", disk, isDown: false })).toBe(false);
	const state = () => bytesOf(disk, "log/state");
	const before = state();
	let harmless = 0;
	for (let round = 0; round < 30; round++) {
		if (atlas.rot({ node: "n1", disk, isDown: false }) === "harmless") harmless++;
	}
	expect(harmless).toBeGreaterThan(0);
	expect(state()).toEqual(before);
	expect(atlas.spent.has("n1")).toBe(false);
	expect(await restart()).toBe(last);
});

function bytesOf(disk: SimulatedDisk, path: string): Uint8Array | undefined {
	const file = disk.files().get(path);
	return file?.read(0, file.sizeBytes);
}
