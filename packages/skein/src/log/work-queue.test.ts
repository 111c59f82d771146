/** In which order what was asked for reaches the disk, and what goes together. */
import { expect, test } from "vitest";
import type { Disk } from "../world/disk.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import { append, entries, openSmallLog, segmentPath } from "./testing/small-log.ts";
import { watchDisk } from "./testing/watched-disk.ts";

/** Only how large the entries are matters here. */
const noChecksum = () => 0;
const mebibyte = 1024 * 1024;

async function openWatched() {
	const disk = watchDisk(createMemoryDisk(() => 0));
	// So large that nothing is prepared ahead.
	const log = await openSmallLog(disk, { settings: { segmentBytes: 4096, cacheBytes: 100 } });
	await append(log, entries(1, 3));
	disk.steps.length = 0;
	const nameOf = (path: string) => (path === segmentPath(1) ? "log" : "state");
	return { disk, log, changes: () => disk.steps.map(({ type, path }) => `${type} ${nameOf(path)}`) };
}

const stateChanges = ["write state", "sync state", "write state", "sync state"];

test("appends that come together share a write and a sync", async () => {
	const { log, changes } = await openWatched();
	await Promise.all([4, 5, 6].map((index) => append(log, entries(index, index))));
	expect(changes()).toEqual(["write log", "sync log"]);
	await log.close();
});

test("of promises that come together the last one is written", async () => {
	const { disk, log, changes } = await openWatched();
	const promises = [5, 6, 7].map((term) => log.writePromise({ term, votedFor: "n2" }));
	await Promise.all(promises);
	expect(changes()).toEqual(stateChanges);
	await log.close();
	const again = await openSmallLog(disk);
	expect(again.recovered.promise).toEqual({ term: 7, votedFor: "n2" });
	await again.close();
});

test("a promise is written after what came before it, and before what came after it", async () => {
	const { log, changes } = await openWatched();
	await Promise.all([
		append(log, entries(4, 4)),
		log.writePromise({ term: 5, votedFor: null }),
		append(log, entries(5, 5)),
		append(log, entries(6, 6)),
	]);
	expect(changes()).toEqual(["write log", "sync log", ...stateChanges, "write log", "sync log"]);
	await log.close();
});

test("a cut is synced before what replaces it is written, and after what came before it", async () => {
	const { log, changes } = await openWatched();
	await Promise.all([
		append(log, entries(4, 5)),
		log.append({ truncateFrom: 5, entries: entries(5, 5, 3) }),
		append(log, entries(6, 6, 3)),
		log.append({ truncateFrom: 6, entries: [] }),
	]);
	const cut = ["read log", "truncate log", "sync log"];
	expect(changes()).toEqual(["write log", "sync log", ...cut, "write log", "sync log", ...cut]);
	await log.close();
});

test("a cut at the end leaves the file as it is", async () => {
	const { log, changes } = await openWatched();
	await log.append({ truncateFrom: 4, entries: entries(4, 4) });
	expect(changes()).toEqual(["write log", "sync log"]);
	await log.close();
});

test("what one sync takes along is bounded: no more than what reaches eight mebibytes, and one more", async () => {
	const disk: Disk = { ...createMemoryDisk(() => 0), checksum: noChecksum };
	const log = await openSmallLog(disk);
	const sizeBytes = 4 * mebibyte;
	const counts = entries(1, 5, 2, sizeBytes).map(async (entry) => {
		await append(log, [entry]);
		return Math.floor(log.sizeBytes() / sizeBytes);
	});
	expect(await Promise.all(counts)).toEqual([3, 3, 3, 5, 5]);
	await log.close();
});

test("who closes the log waits for what was asked for", async () => {
	const { disk, log } = await openWatched();
	const done = [append(log, entries(4, 4)), log.writePromise({ term: 5, votedFor: null })];
	await log.close();
	await Promise.all(done);
	expect(disk.openPaths).toEqual([]);
	const again = await openSmallLog(disk);
	expect(again.recovered.headers.length).toBe(4);
	expect(again.recovered.promise.term).toBe(5);
	await again.close();
});
