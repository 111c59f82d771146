/** What is on disk at which moment: sizes, whole segments, zeros ahead of time. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { isDiskFull } from "../world/disk.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import type { Log } from "./log.ts";
import {
	append,
	entries,
	fileBytes,
	filledDisk,
	indexesOf,
	openSmallLog,
	segmentBytes,
	segmentPath,
} from "./testing/small-log.ts";
import { watchDisk } from "./testing/watched-disk.ts";

test("the size is that of the records", async () => {
	const log = await openSmallLog(await filledDisk(35));
	expect(log.sizeBytes()).toBe(35 * 80);
	await log.append({ truncateFrom: 31, entries: entries(31, 31) });
	expect(log.sizeBytes()).toBe(31 * 80);
	await log.compact(24);
	expect(log.sizeBytes()).toBe(7 * 80);
	await log.close();
});

test("a cut reads the record before it, and no more", async () => {
	const disk = watchDisk(await filledDisk(35));
	const log = await openSmallLog(disk);
	disk.steps.length = 0;
	await log.append({ truncateFrom: 30, entries: [] });
	const reads = disk.steps.filter(({ type }) => type === "read");
	expect(reads).toMatchObject([{ path: segmentPath(25), offset: 64 + 4 * 80, sizeBytes: 80 }]);
	await log.close();
});

test.each([
	[11, 0],
	[12, 12],
	[13, 12],
	[23, 12],
	[24, 24],
	[35, 24],
])("compaction up to %i leaves what is behind %i", async (index, base) => {
	const disk = await filledDisk(35);
	const log = await openSmallLog(disk);
	expect(await log.compact(index)).toBe(base);
	await log.close();
	const again = await openSmallLog(disk);
	expect(again.recovered.base.index).toBe(base);
	await again.close();
});

test("compaction leaves the segment in which a batch under way begins: it may be taken back to there", async () => {
	const disk = await filledDisk(11);
	const log = await openSmallLog(disk);
	// Room for the next segment, and not for all of the one after it.
	disk.faults.capacityBytes = 8192 + 3 * segmentBytes + 200;
	let isOver = false;
	const refused = append(log, entries(12, 60)).finally(() => {
		isOver = true;
	});
	const isRefused = expect(refused).rejects.toSatisfy(isDiskFull);
	while (!isOver) await log.compact(60);
	await isRefused;
	await log.close();
	const again = await openSmallLog(disk);
	expect(again.recovered.base.index).toBe(0);
	expect(again.recovered.headers.length).toBe(11);
	await again.close();
});

test("an entry larger than a segment may be the first after a reset", async () => {
	const disk = createMemoryDisk(() => 0);
	const log = await openSmallLog(disk);
	await log.reset({ index: 100, term: 2 });
	await append(log, entries(101, 101, 3, 2_000));
	await append(log, entries(102, 102, 3, 2_000));
	expect(await log.compact(100)).toBe(100);
	await log.close();
	const again = await openSmallLog(disk);
	expect(indexesOf(await again.read(101, 101, 1))).toEqual([101]);
	expect(indexesOf(await again.read(102, 102, 1))).toEqual([102]);
	await again.close();
});

/** Records of 64 bytes: seven fill half of a segment, to the byte. */
const half = (first: number, last: number) => entries(first, last, 2, 24);
const prepared = "log/prepared";

async function appendEach(log: Log, first: number, last: number): Promise<void> {
	for (const entry of half(first, last)) await append(log, [entry]);
	await nextTurn();
}

test("the next segment is written with zeros once the present one is half full, and once only", async () => {
	const memory = createMemoryDisk(() => 0);
	const disk = watchDisk(memory);
	const log = await openSmallLog(disk);
	await appendEach(log, 1, 6);
	expect(memory.files().has(prepared)).toBe(false);
	await appendEach(log, 7, 7);
	expect(fileBytes(memory, prepared).length).toBe(segmentBytes);
	await appendEach(log, 8, 15);
	expect(disk.steps.filter(({ type, path }) => type === "open" && path === prepared).length).toBe(1);
	await appendEach(log, 16, 16);
	expect(memory.files().has(prepared)).toBe(false);
	expect(fileBytes(memory, segmentPath(16)).length).toBe(segmentBytes);
	await appendEach(log, 17, 22);
	expect(fileBytes(memory, prepared).length).toBe(segmentBytes);
	await log.close();
	expect(disk.openPaths).toEqual([]);
});

test("who closes the log does not wait for all the zeros", async () => {
	const memory = createMemoryDisk(() => 0);
	const disk = watchDisk(memory);
	const log = await openSmallLog(disk, { settings: { segmentBytes: 1_000_000, cacheBytes: 0 } });
	await append(log, entries(1, 1, 2, 600_000));
	await log.close();
	expect(fileBytes(memory, prepared).length).toBeLessThan(1_000_000);
	expect(disk.openPaths).toEqual([]);
});

test.each(["open", "write"] as const)(
	"no room to prepare a segment (%s) only makes the log slower",
	async (type) => {
		const disk = watchDisk(createMemoryDisk(() => 0));
		const log = await openSmallLog(disk);
		let isFull = true;
		disk.before = (step) => {
			if (isFull && step.path === prepared && step.type === type)
				throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
		};
		await appendEach(log, 1, 12);
		expect(disk.openPaths).not.toContain(prepared);
		isFull = false;
		await appendEach(log, 13, 20);
		expect(await log.read(16, 20, 1e9)).toEqual(half(16, 20));
		await log.close();
		expect(disk.openPaths).toEqual([]);
	},
);

test("any other failure to prepare a segment ends the log when it is needed", async () => {
	const disk = watchDisk(createMemoryDisk(() => 0));
	const log = await openSmallLog(disk);
	disk.before = ({ type, path }) => {
		if (path === prepared && type === "write") throw Object.assign(new Error("broken"), { code: "EIO" });
	};
	await appendEach(log, 1, 15);
	disk.before = () => {};
	await expect(append(log, half(16, 16))).rejects.toMatchObject({
		name: "LogFailedError",
		cause: expect.objectContaining({ code: "EIO" }),
	});
	await log.close();
	expect(disk.openPaths).toEqual([]);
});
