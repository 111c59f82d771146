/** A full disk takes back what did not fit, while the other end of the log is cut off for want of room. */
import { expect, test } from "vitest";
import type { Entry, LogIndex } from "../consensus/types.ts";
import { isDiskFull } from "../world/disk.ts";
import { createMemoryDisk, type MemoryDisk } from "../world/testing/memory-disk.ts";
import { openLog } from "./segmented-log.ts";

const create = { clusterId: "c", nodeId: "n1", incarnation: "i" };
// Twelve entries of 80 bytes a segment.
const settings = { segmentBytes: 1024, cacheBytes: 100 };

function entries(first: LogIndex, last: LogIndex): Entry[] {
	return Array.from({ length: last - first + 1 }, (_, place) => {
		const index = first + place;
		return { index, term: 2, kind: "command", payload: new Uint8Array(40).fill(index) };
	});
}

const usedBytes = (disk: MemoryDisk) =>
	[...disk.files().values()].reduce((sum, { length }) => sum + length, 0);

test("compaction leaves what the disk has not confirmed: a batch that does not fit is taken back from there", async () => {
	const disk = createMemoryDisk(() => 0);
	const log = await openLog({ disk, directory: "log", create, settings });
	await log.append({ truncateFrom: null, entries: entries(1, 40) });
	expect(await log.compact(40)).toBe(36);
	// Room for two segments of five.
	disk.faults.capacityBytes = usedBytes(disk) + 2_500;
	let isOver = false;
	const appended = log.append({ truncateFrom: null, entries: entries(41, 100) }).finally(() => {
		isOver = true;
	});
	const refused = expect(appended).rejects.toSatisfy(isDiskFull);
	while (!isOver) {
		// Whoever has a snapshot of what is being written may allow it. What that frees others take at once.
		if ((await log.compact(90)) > 36) disk.faults.capacityBytes = usedBytes(disk);
	}
	await refused;
	expect(await log.compact(90)).toBe(36);
	disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
	await log.append({ truncateFrom: null, entries: entries(41, 100) });
	expect(await log.compact(90)).toBe(84);
	await log.close();
	const again = await openLog({ disk, directory: "log", create, settings });
	expect(again.recovered.base.index + again.recovered.headers.length).toBe(100);
	await again.close();
});
