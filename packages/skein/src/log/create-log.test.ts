import { expect, test } from "vitest";
import type { Entry } from "../consensus/types.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import { append, entries, fileBytes, openSmallLog, segmentPath } from "./testing/small-log.ts";
import { watchDisk } from "./testing/watched-disk.ts";

/** Only how large the entries are matters here. */
const noChecksum = () => 0;

test.each<[string, Entry[], string]>([
	["begin later", entries(2, 3, 1), "begins at index 1"],
	["have a gap", [...entries(1, 1, 1), ...entries(3, 3, 1)], "begins at index 1"],
	["are of a later term", [...entries(1, 1, 1), ...entries(2, 2, 2)], "term 1"],
	["are too large for one write", entries(1, 2, 1, 5 * 1024 * 1024), "the first entries are too large"],
])("first entries that %s are refused, and there is no log then", async (_what, bootstrap, message) => {
	const memory = createMemoryDisk(() => 0);
	const disk = { ...watchDisk(memory), checksum: noChecksum };
	const made = openSmallLog(disk, { bootstrap });
	await expect(made).rejects.toThrow(RangeError);
	await expect(made).rejects.toThrow(message);
	const log = await openSmallLog(disk, { bootstrap: entries(1, 2, 1) });
	expect(await log.read(1, 9, 1e9)).toEqual(entries(1, 2, 1));
	await log.close();
});

test("a new log leaves no file open but those that it needs", async () => {
	const disk = watchDisk(createMemoryDisk(() => 0));
	const log = await openSmallLog(disk, { bootstrap: entries(1, 1, 1) });
	expect([...disk.openPaths].sort()).toEqual([segmentPath(1), "log/state"]);
	await log.close();
	expect(disk.openPaths).toEqual([]);
});

test.each(["log", "data/log"])("a new log in %s survives a loss of power", async (directory) => {
	// What is not durable is lost.
	const disk = createMemoryDisk(() => 0.99);
	const log = await openSmallLog(disk, { directory });
	await append(log, entries(1, 3));
	disk.crash();
	const again = await openSmallLog(disk, { directory, create: null });
	expect(again.recovered.headers.length).toBe(3);
	await again.close();
});

test("a segment is written with zeros in pieces, to its end and no further", async () => {
	const memory = createMemoryDisk(() => 0);
	const disk = watchDisk(memory);
	await (await openSmallLog(disk, { settings: { segmentBytes: 300_000, cacheBytes: 0 } })).close();
	expect(fileBytes(memory, segmentPath(1)).length).toBe(300_000);
	const zeros = disk.steps.filter(({ type, path }) => type === "write" && path === segmentPath(1));
	expect(zeros).toMatchObject([
		{ offset: 64, sizeBytes: 256 * 1024 },
		{ offset: 64 + 256 * 1024, sizeBytes: 300_000 - 64 - 256 * 1024 },
	]);
});

test("what is not set has its usual size", async () => {
	const disk = watchDisk(createMemoryDisk(() => 0));
	const zeroPieces: number[] = [];
	disk.before = ({ type, path, sizeBytes }) => {
		if (type !== "write" || path !== segmentPath(1) || zeroPieces.length > 0) return;
		// Sixteen mebibytes would take their time here.
		zeroPieces.push(sizeBytes);
		throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
	};
	const log = await openSmallLog(disk, { settings: {} });
	expect(zeroPieces).toEqual([256 * 1024]);
	await append(log, entries(1, 4, 2, 100_000));
	expect(log.readCached(1, 4, 1e9)?.length).toBe(4);
	await log.close();
});
