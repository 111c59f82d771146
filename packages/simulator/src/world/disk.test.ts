/** What the simulated disk keeps, loses and damages, against the contract of Disk. */
import { expect, test } from "vitest";
import { isDiskFull } from "../../../skein/src/world/disk.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import type { TraceEvent } from "../trace/event.ts";
import { createSimulatedDisk } from "./disk.ts";
import { calmDisk, type DiskSettings } from "./disk-settings.ts";

function world(seed = 1, settings: Partial<DiskSettings> = {}) {
	const scheduler = createScheduler(() => new Promise((resolve) => setImmediate(resolve)));
	const events: TraceEvent[] = [];
	const disk = createSimulatedDisk({
		node: "n1",
		scheduler,
		chance: createChance(seed),
		settings: { ...calmDisk, ...settings },
		tell: (event) => events.push(event),
	});
	/** Lets time pass until it is done. */
	async function done<T>(work: Promise<T>, limitMs = 1_000): Promise<T> {
		let isDone = false;
		const settled = work.finally(() => {
			isDone = true;
		});
		settled.catch(() => {});
		const until = scheduler.now + limitMs;
		while (!isDone && scheduler.now < until) await scheduler.runUntil(scheduler.now + 1);
		if (!isDone) throw new Error("it does not end");
		return await settled;
	}
	async function fileWith(path: string, bytes: Uint8Array) {
		const file = await done(disk.open(path, { create: true }));
		await done(file.write(0, [bytes]));
		await done(file.sync());
		await done(disk.syncDirectory(""));
		return file;
	}
	const content = (path: string) => {
		const file = disk.files().get(path);
		return file === undefined ? null : file.read(0, file.sizeBytes);
	};
	return { scheduler, disk, events, done, fileWith, content };
}

const bytesOf = (length: number, value: number) => new Uint8Array(length).fill(value);

test("operations take time, agree with the contract, and are seen by readers when they resolve", async () => {
	const { scheduler, disk, done } = world();
	await expect(done(disk.open("log/a", { create: false }))).rejects.toMatchObject({ code: "ENOENT" });
	const file = await done(disk.open("log/a", { create: true }));
	const begun = scheduler.now;
	await done(file.write(3, [bytesOf(2, 1), bytesOf(3, 2)]));
	expect(scheduler.now).toBeGreaterThan(begun);
	expect(await done(file.read(0, 100))).toEqual(Uint8Array.of(0, 0, 0, 1, 1, 2, 2, 2));
	expect(await done(file.read(6, 1))).toEqual(Uint8Array.of(2));
	expect(await done(file.read(50, 1))).toEqual(new Uint8Array());
	await done(file.truncate(4));
	await done(file.truncate(6));
	expect(await done(file.read(0, 100))).toEqual(Uint8Array.of(0, 0, 0, 1, 0, 0));
	expect(await done(file.size())).toBe(6);
	await done(disk.rename("log", "other"));
	expect(await done(disk.list(""))).toEqual(["other"]);
	expect(await done(disk.list("other"))).toEqual(["a"]);
	await done(disk.remove("other/a"));
	await done(disk.remove("other/a"));
	expect(await done(disk.list("other"))).toEqual([]);
	await expect(done(disk.rename("other", "log"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("what was synced survives a power loss; of the rest any sectors do, in any order", async () => {
	const seen = { all: 0, none: 0, laterOnly: 0, names: 0 };
	for (let seed = 1; seed <= 300; seed++) {
		const { disk, done, fileWith, content } = world(seed);
		const file = await fileWith("a", bytesOf(4_096, 1));
		await done(file.write(0, [bytesOf(1_024, 2)]));
		await done(file.write(3_072, [bytesOf(1_024, 3)]));
		await done(disk.open("b", { create: true }));
		disk.crash("power");
		const bytes = content("a") ?? new Uint8Array();
		expect(bytes.length).toBe(4_096);
		expect(new Set(bytes.subarray(1_024, 3_072))).toEqual(new Set([1]));
		const kept = (begin: number, end: number, value: number) =>
			bytes.subarray(begin, end).filter((byte) => byte === value).length;
		const first = kept(0, 1_024, 2);
		const second = kept(3_072, 4_096, 3);
		if (first + second === 2_048) seen.all++;
		if (first + second === 0) seen.none++;
		if (first < 1_024 && second === 1_024) seen.laterOnly++;
		if (content("b") !== null) seen.names++;
	}
	expect(seen.all).toBeGreaterThan(50);
	expect(seen.none).toBeGreaterThan(50);
	expect(seen.laterOnly).toBeGreaterThan(10);
	expect(Math.abs(seen.names - 150)).toBeLessThan(40);
});

test("a killed process leaves what it wrote, unsynced, and part of what it was writing", async () => {
	const torn = new Set<number>();
	for (let seed = 1; seed <= 60; seed++) {
		const { disk, done, content } = world(seed);
		const file = await done(disk.open("a", { create: true }));
		await done(file.write(0, [bytesOf(1_000, 1)]));
		void file.write(1_000, [bytesOf(5_000, 2)]);
		disk.crash("kill");
		const bytes = content("a") ?? new Uint8Array();
		expect(bytes.subarray(0, 1_000)).toEqual(bytesOf(1_000, 1));
		expect(bytes.subarray(1_000)).toEqual(bytesOf(bytes.length - 1_000, 2));
		torn.add(bytes.length);
	}
	expect(torn.has(1_000)).toBe(true);
	expect(torn.has(6_000)).toBe(true);
	expect(torn.size).toBeGreaterThan(4);
});

test("a life that is over does nothing more and hears nothing more", async () => {
	const { scheduler, disk, done, fileWith, content } = world();
	const file = await fileWith("a", bytesOf(10, 1));
	let heard = 0;
	const note = () => heard++;
	file.sync().then(note, note);
	disk.crash("kill");
	file.write(0, [bytesOf(10, 9)]).then(note, note);
	// Not even in part, when the next life ends too.
	for (let round = 0; round < 20; round++) {
		file.write(0, [bytesOf(10, 9)]).then(note, note);
		disk.crash("kill");
	}
	await scheduler.runUntil(scheduler.now + 1_000);
	expect(heard).toBe(0);
	expect(content("a")).toEqual(bytesOf(10, 1));
	const again = await done(disk.open("a", { create: false }));
	expect(await done(again.read(0, 10))).toEqual(bytesOf(10, 1));
});

test("after a failed sync a later one says that all is well, and it is not", async () => {
	let lost = 0;
	for (let seed = 1; seed <= 50; seed++) {
		const { disk, done, fileWith, content } = world(seed, { cacheAfterFailedSync: "kept" });
		const file = await fileWith("a", bytesOf(1_024, 1));
		await done(file.write(0, [bytesOf(1_024, 2)]));
		disk.fail("sync", "once");
		await expect(done(file.sync())).rejects.toMatchObject({ code: "EIO" });
		await done(file.sync());
		// Also for the next process, as long as the machine stands.
		disk.crash("kill");
		expect(content("a")).toEqual(bytesOf(1_024, 2));
		const hasGhosts = (disk.files().get("a")?.ghosts().length ?? 0) > 0;
		disk.crash("power");
		const isLost = content("a")?.some((byte) => byte === 1) === true;
		expect(isLost).toBe(hasGhosts);
		if (isLost) lost++;
	}
	expect(lost).toBeGreaterThan(15);
});

test("a failed sync may also take back what readers saw; a sticky error stays until the disk is healed", async () => {
	const { disk, done, fileWith, content } = world(4, { cacheAfterFailedSync: "reverted" });
	const file = await fileWith("a", bytesOf(1_024, 1));
	await done(file.write(0, [bytesOf(1_024, 2)]));
	disk.fail("sync", "sticky");
	for (let round = 0; round < 3; round++) {
		await expect(done(file.sync())).rejects.toMatchObject({ code: "EIO" });
		await expect(done(disk.syncDirectory(""))).rejects.toMatchObject({ code: "EIO" });
	}
	expect(disk.files().get("a")?.ghosts()).toEqual([]);
	const before = content("a");
	disk.crash("power");
	expect(content("a")).toEqual(before);
	disk.heal();
	const again = await done(disk.open("a", { create: false }));
	await done(again.sync());
	disk.fail("sync", "sticky");
	await done(again.sync());
});

test("reads and writes fail when told to, a write in part", async () => {
	const { disk, done, fileWith } = world();
	const file = await fileWith("a", bytesOf(10, 1));
	disk.fail("read", "once");
	await expect(done(file.read(0, 1))).rejects.toMatchObject({ code: "EIO" });
	expect(await done(file.read(0, 1))).toEqual(Uint8Array.of(1));
	disk.fail("write", "once");
	await expect(done(file.write(10, [bytesOf(1_000, 2)]))).rejects.toMatchObject({ code: "EIO" });
	expect(await done(file.size())).toBeLessThan(1_010);
});

test("a full disk takes what there is room for, overwrites what is there, and takes the rest later", async () => {
	const { disk, done, fileWith } = world();
	const file = await fileWith("a", bytesOf(1_000, 1));
	disk.full(100);
	const refused: unknown = await done(file.write(900, [bytesOf(500, 2)])).catch((error: unknown) => error);
	expect(isDiskFull(refused)).toBe(true);
	expect(await done(file.size())).toBe(1_100);
	await done(file.write(0, [bytesOf(1_100, 3)]));
	await done(file.sync());
	disk.room();
	await done(file.write(900, [bytesOf(500, 2)]));
	expect(await done(file.size())).toBe(1_400);
});

test("a full disk has room when a file is removed, unless somebody else takes it", async () => {
	for (const freed of ["kept", "taken"] as const) {
		const { disk, done, fileWith } = world();
		const file = await fileWith("a", bytesOf(1_000, 1));
		await fileWith("b", bytesOf(1_000, 1));
		disk.full(0, freed);
		await done(disk.remove("b"));
		const refused: unknown = await done(file.write(900, [bytesOf(500, 2)])).catch((error: unknown) => error);
		expect(isDiskFull(refused)).toBe(freed === "taken");
		disk.room();
		await done(file.write(900, [bytesOf(500, 2)]));
	}
});

test("while a disk hangs nothing happens on it; then everything does", async () => {
	const { scheduler, disk, fileWith, content, events } = world();
	const file = await fileWith("a", bytesOf(10, 1));
	const heard: string[] = [];
	void file.write(0, [bytesOf(10, 2)]).then(() => heard.push("write"));
	disk.hang();
	void file.sync().then(() => heard.push("sync"));
	await scheduler.runUntil(scheduler.now + 60_000);
	expect(heard).toEqual([]);
	expect(content("a")).toEqual(bytesOf(10, 1));
	disk.resume();
	await scheduler.runUntil(scheduler.now + 10);
	expect(heard.toSorted()).toEqual(["sync", "write"]);
	expect(content("a")).toEqual(bytesOf(10, 2));
	expect(events.map(({ type }) => type)).toEqual(["disk-hangs", "disk-resumes"]);
});

test("a slow disk is slow by its factor, and latencies have a long tail", async () => {
	const { scheduler, disk, fileWith } = world(1, { spikeProbability: 0.02, meanSpikeMs: 500 });
	const file = await fileWith("a", bytesOf(10, 1));
	const measure = async () => {
		const begun = scheduler.now;
		const took: number[] = [];
		for (let number = 0; number < 400; number++) {
			void file.sync().then(() => took.push(scheduler.now - begun));
		}
		await scheduler.runUntil(scheduler.now + 20_000);
		expect(took.length).toBe(400);
		return took.toSorted((one, other) => one - other);
	};
	const usual = await measure();
	disk.slow(50);
	const slow = await measure();
	expect(usual[0]).toBeGreaterThanOrEqual(0.15);
	expect((slow[200] ?? 0) / (usual[200] ?? 1)).toBeGreaterThan(35);
	expect((slow[200] ?? 0) / (usual[200] ?? 1)).toBeLessThan(65);
	expect(usual.at(-1)).toBeGreaterThan(100);
});

test("what was begun on a slow disk goes on as on a good one when it is healed", async () => {
	const { scheduler, disk, fileWith } = world();
	const file = await fileWith("a", bytesOf(10, 1));
	disk.slow(1_000_000);
	const heard: string[] = [];
	void file.sync().then(() => heard.push("file"));
	disk.device.whenHealed(() => heard.push("database"));
	await scheduler.runUntil(scheduler.now + 60_000);
	expect(heard).toEqual([]);
	disk.heal();
	await scheduler.runUntil(scheduler.now + 10);
	expect(heard).toEqual(["database", "file"]);
	await scheduler.runUntil(scheduler.now + 10_000_000);
	expect(heard).toEqual(["database", "file"]);
});

test("rot and misdirected writes are on the device, and what it should hold is still known", async () => {
	const { disk, done, fileWith, content } = world();
	const file = await fileWith("a", bytesOf(2_048, 1));
	disk.rotAt("a", 7, 0x80);
	expect(content("a")?.[7]).toBe(0x81);
	expect(disk.files().get("a")?.intended.bytes[7]).toBe(1);
	disk.misdirectNextWrite((path) => path === "a");
	await done(file.write(512, [bytesOf(512, 5)]));
	expect((await done(file.read(512, 512)))[0]).toBe(5);
	await done(file.sync());
	const bytes = content("a") ?? new Uint8Array();
	expect(bytes.subarray(512, 1_024)).toEqual(bytesOf(512, 1));
	expect(bytes.filter((byte) => byte === 5).length).toBe(512);
	disk.crash("power");
	expect(content("a")).toEqual(bytes);
	// Written again, the place is well again.
	const again = await done(disk.open("a", { create: false }));
	await done(again.write(0, [bytesOf(2_048, 6)]));
	await done(again.sync());
	const after = disk.files().get("a");
	expect(after?.device.bytes.subarray(0, 2_048)).toEqual(after?.intended.bytes.subarray(0, 2_048));
});

test("a wiped disk is empty and works", async () => {
	const { disk, done, fileWith } = world();
	await fileWith("a", bytesOf(10, 1));
	disk.wipe();
	expect(await done(disk.list(""))).toEqual([]);
	await done(disk.open("a", { create: true }));
});

test("a boundary calls before the operation has happened, or after it and before the process hears", async () => {
	for (const when of ["before", "after"] as const) {
		const { scheduler, disk, done } = world();
		const file = await done(disk.open("a", { create: true }));
		const heard: string[] = [];
		let sizeThen = -1;
		disk.atOperation(2, when, () => {
			sizeThen = disk.files().get("a")?.sizeBytes ?? -1;
			disk.crash("kill");
		});
		void (async () => {
			await file.write(0, [bytesOf(5, 1)]);
			heard.push("first");
			await file.write(5, [bytesOf(5, 1)]);
			heard.push("second");
		})();
		await scheduler.runUntil(scheduler.now + 100);
		expect(heard).toEqual(["first"]);
		expect(sizeThen).toBe(when === "before" ? 5 : 10);
	}
});
