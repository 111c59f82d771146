/** What reads see: what was asked for, at once; as many entries as fit; and never anything that has left the log. */
import { expect, test } from "vitest";
import type { Entry } from "../consensus/types.ts";
import { isDiskFull } from "../world/disk.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import { EntryAbsentError } from "./errors.ts";
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

const settings = { segmentBytes, cacheBytes: 10_000 };

test.each([100, 10_000])("what is not on disk yet is read from a cache of %i bytes", async (cacheBytes) => {
	const log = await openSmallLog(
		createMemoryDisk(() => 0),
		{ settings: { segmentBytes, cacheBytes } },
	);
	const done = [append(log, entries(1, 3)), append(log, entries(4, 6))];
	expect(log.readCached(1, 100, 1e9)).toEqual(entries(1, 6));
	expect(log.readCached(2, 3, 1e9)).toEqual(entries(2, 3));
	expect(await log.read(2, 3, 1e9)).toEqual(entries(2, 3));
	done.push(log.append({ truncateFrom: 4, entries: entries(4, 5, 3) }));
	expect(log.readCached(1, 100, 1e9)).toEqual([...entries(1, 3), ...entries(4, 5, 3)]);
	await Promise.all(done);
	await log.close();
});

test("what waits is read, and can be followed, when what came before it is done", async () => {
	const log = await openSmallLog(createMemoryDisk(() => 0));
	const done = append(log, entries(1, 1));
	await Promise.resolve();
	const waiting = [append(log, entries(2, 3))];
	await done;
	expect(indexesOf(log.readCached(2, 9, 1e9))).toEqual([2, 3]);
	waiting.push(append(log, entries(4, 4)));
	await Promise.all(waiting);
	expect(await log.read(4, 4, 1)).toEqual(entries(4, 4));
	await log.close();
});

test("what is to be cut or forgotten is not read any more", async () => {
	const log = await openSmallLog(await filledDisk(6));
	const cut = log.append({ truncateFrom: 5, entries: [] });
	await expect(log.read(5, 5, 1)).rejects.toThrow(EntryAbsentError);
	expect(indexesOf(await log.read(4, 9, 1e9))).toEqual([4]);
	await cut;
	const reset = log.reset({ index: 500, term: 3 });
	await expect(log.read(200, 200, 1)).rejects.toThrow(EntryAbsentError);
	await reset;
	await log.close();
});

test("a reset forgets what is in memory, also where the log then ends as before", async () => {
	const log = await openSmallLog(
		createMemoryDisk(() => 0),
		{ settings },
	);
	await append(log, entries(1, 6));
	const reset = log.reset({ index: 6, term: 3 });
	expect(log.readCached(6, 6, 1)).toBe(null);
	await reset;
	await log.close();
});

test("what a full disk refuses is read as it was before", async () => {
	const disk = createMemoryDisk(() => 0);
	const log = await openSmallLog(disk, { settings });
	await append(log, entries(1, 4));
	disk.faults.capacityBytes = 0;
	const refused = [
		append(log, entries(5, 5, 2, 2_000)),
		log.append({ truncateFrom: 4, entries: entries(4, 4, 3) }),
	];
	expect(log.readCached(4, 9, 1e9)).toEqual(entries(4, 4, 3));
	for (const one of refused) await expect(one).rejects.toSatisfy(isDiskFull);
	expect(log.readCached(4, 9, 1e9) ?? (await log.read(4, 9, 1e9))).toEqual(entries(4, 4));
	await log.close();
});

test.each([
	[1, 12, 1, 1],
	[1, 12, 2 * 80 - 1, 1],
	[1, 12, 2 * 80, 2],
	[3, 12, 5 * 80, 5],
	[3, 5, 1e9, 3],
	[10, 30, 1e9, 3],
	[35, 35, 1, 1],
])("from disk, entries %i to %i within %i bytes are %i", async (first, last, maxBytes, count) => {
	const disk = watchDisk(await filledDisk(35));
	const log = await openSmallLog(disk);
	disk.steps.length = 0;
	expect(await log.read(first, last, maxBytes)).toEqual(entries(first, first + count - 1));
	expect(disk.steps).toMatchObject([{ type: "read", sizeBytes: count * 80 }]);
	await log.close();
});

test("an entry that cannot be read is named with its place", async () => {
	const disk = await filledDisk(6);
	const log = await openSmallLog(disk);
	disk.flip(segmentPath(1), 64 + 2 * 80 + 50, 1);
	const refusal = { name: "LogCorruptionError", file: segmentPath(1), offset: 64 + 2 * 80 };
	await expect(log.read(2, 6, 1e9)).rejects.toMatchObject(refusal);
	await log.close();
});

test("another entry in its place is damage", async () => {
	const disk = await filledDisk(6);
	const log = await openSmallLog(disk);
	const bytes = fileBytes(disk, segmentPath(1));
	const file = await disk.open(segmentPath(1), { create: false });
	await file.write(64 + 80, [bytes.subarray(64 + 2 * 80, 64 + 3 * 80)]);
	await expect(log.read(2, 2, 1)).rejects.toMatchObject({ name: "LogCorruptionError", offset: 64 + 80 });
	await log.close();
});

const empty: Entry[] = [];

test.each<[string, number, (log: Log) => Promise<unknown>]>([
	["a cut", 35, (log) => log.append({ truncateFrom: 30, entries: empty })],
	["a cut of whole segments", 35, (log) => log.append({ truncateFrom: 5, entries: empty })],
	["compaction", 5, (log) => log.compact(12)],
	["a reset", 35, (log) => log.reset({ index: 90, term: 3 })],
])("an entry that %s takes away while it is read is absent, not damaged", async (_what, index, takeAway) => {
	const watched = watchDisk(await filledDisk(35));
	const log = await openSmallLog(watched);
	const gate = Promise.withResolvers<void>();
	watched.before = ({ type }) => (type === "read" ? gate.promise : undefined);
	const read = log.read(index, index, 1);
	// It has begun, and waits; what takes the entry away does not.
	watched.before = () => {};
	await takeAway(log);
	gate.resolve();
	await expect(read).rejects.toMatchObject({
		name: "EntryAbsentError",
		cause: expect.any(Error),
	});
	await log.close();
});
