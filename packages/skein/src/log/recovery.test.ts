/** Files whose checksums hold and which are not this log's, or not at their place; what a start makes of them. */
import { expect, test } from "vitest";
import type { Entry, EntryKind } from "../consensus/types.ts";
import { crc32 } from "../world/crc32.ts";
import { createMemoryDisk, type MemoryDisk } from "../world/testing/memory-disk.ts";
import { viewOf } from "./binary.ts";
import { encodeHeader } from "./record.ts";
import {
	append,
	entries,
	fileBytes,
	filledDisk,
	identity,
	indexesOf,
	openSmallLog,
	putFile,
	segmentPath,
} from "./testing/small-log.ts";
import { watchDisk } from "./testing/watched-disk.ts";

const first = segmentPath(1);

async function expectRefusal(disk: MemoryDisk, refusal: object): Promise<void> {
	const watched = watchDisk(disk);
	await expect(openSmallLog(watched)).rejects.toMatchObject({ name: "LogCorruptionError", ...refusal });
	expect(watched.openPaths).toEqual([]);
}

/** Changes the segment's header and gives it the checksum that it then has. */
async function changeHeader(disk: MemoryDisk, change: (view: DataView) => void): Promise<void> {
	const bytes = fileBytes(disk, first);
	const view = viewOf(bytes);
	change(view);
	view.setUint32(12, 0, true);
	view.setUint32(12, crc32(bytes.subarray(0, 64)), true);
	await putFile(disk, first, bytes);
}

test.each<[string, number, number, object]>([
	["another mark", 0, 1, { offset: 0, message: expect.stringContaining("not a segment of a log") }],
	[
		"a later version",
		8,
		2,
		{ offset: 8, message: expect.stringContaining("format version 2, this program knows 1") },
	],
	["another first index", 16, 3, { offset: 32, message: expect.stringContaining("another node") }],
	["another term before it", 24, 1, { offset: 32, message: expect.stringContaining("another node") }],
])("a header with %s is refused, though its checksum holds", async (_what, offset, value, refusal) => {
	const disk = await filledDisk(3);
	await changeHeader(disk, (view) => view.setUint8(offset, value));
	await expectRefusal(disk, { file: first, ...refusal });
});

test.each([0, 20, 63])("a segment of %i bytes is refused", async (size) => {
	const disk = await filledDisk(3);
	await putFile(disk, first, fileBytes(disk, first).subarray(0, size));
	await expectRefusal(disk, { file: first, offset: 0, message: expect.stringContaining("shorter") });
});

test.each(["clusterId", "nodeId", "incarnation"])("a segment of another %s is refused", async (part) => {
	const other = createMemoryDisk(() => 0);
	const log = await openSmallLog(other, { create: { ...identity, [part]: "other" } });
	await append(log, entries(1, 3));
	await log.close();
	const disk = await filledDisk(3);
	await putFile(disk, first, fileBytes(other, first));
	await expectRefusal(disk, { file: first, offset: 32 });
});

test("a segment under another name is refused", async () => {
	const disk = await filledDisk(3);
	await disk.rename(first, segmentPath(2));
	const message = expect.stringContaining("its header says that it begins at 1");
	await expectRefusal(disk, { file: segmentPath(2), offset: 16, message });
});

test("a segment that is missing is named by its entries", async () => {
	const disk = await filledDisk(35);
	await disk.remove(segmentPath(13));
	const message = expect.stringContaining("entries 13 to 24 are missing or damaged");
	await expectRefusal(disk, { file: first, offset: 1024, message });
});

test.each([
	["begins before the end of the one before", await filledDisk(7, 2, 100), 7, "(term 2, index 6)"],
	["follows another term", await filledDisk(13, 3), 13, "(term 3, index 12)"],
])("a segment that %s is refused", async (_what, other, firstIndex, follows) => {
	const disk = await filledDisk(12);
	await putFile(disk, segmentPath(firstIndex), fileBytes(other, segmentPath(firstIndex)));
	const message = expect.stringContaining(`it follows ${follows}, the segment before ends at (2, 12)`);
	await expectRefusal(disk, { file: segmentPath(firstIndex), offset: 16, message });
});

test("files of other names are left alone", async () => {
	const disk = await filledDisk(12);
	const other = fileBytes(await filledDisk(13, 3), segmentPath(13));
	const names = ["log/0000000000000013.segment.old", "log/of-0000000000000013.segment", "log/notes"];
	for (const name of names) await putFile(disk, name, other);
	const log = await openSmallLog(disk);
	expect(log.recovered.headers.length).toBe(12);
	await log.close();
	for (const name of names) expect(fileBytes(disk, name)).toEqual(other);
});

test.each([
	["the one that follows", { index: 3, term: 2 }, 0, 3],
	["a gap in the indexes", { index: 4, term: 2 }, 0, 2],
	["the same index again", { index: 2, term: 2 }, 0, 2],
	["a term that falls", { index: 3, term: 1 }, 0, 2],
	["another record before it", { index: 3, term: 2 }, 1, 2],
])("a record whose checksum holds counts only where it belongs: %s", async (_what, place, mask, expected) => {
	const disk = await filledDisk(2);
	const bytes = fileBytes(disk, first);
	const view = viewOf(bytes);
	const entry: Entry = { ...place, kind: "command", payload: new Uint8Array() };
	const previousCrc = (view.getUint32(64 + 80, true) ^ mask) >>> 0;
	encodeHeader(
		crc32,
		entry,
		{ salt: view.getUint32(32, true), previousCrc, durableIndex: 2 },
		bytes,
		64 + 160,
	);
	await putFile(disk, first, bytes);
	const log = await openSmallLog(disk);
	expect(log.recovered.headers.length).toBe(expected);
	expect(log.recovered.tornBytes > 0).toBe(expected === 2);
	await log.close();
});

test("a start finds the configurations among the entries, and each entry of its kind", async () => {
	const disk = createMemoryDisk(() => 0);
	const kinds: EntryKind[] = ["barrier", "configuration", "command", "fragment", "metadata", "command"];
	const written = entries(1, 30).map((entry, place) => ({ ...entry, kind: kinds[place % 6] ?? "command" }));
	const log = await openSmallLog(disk);
	await append(log, written);
	await log.close();
	const again = await openSmallLog(disk);
	const { configurations } = again.recovered;
	expect(configurations).toEqual(written.filter(({ kind }) => kind === "configuration"));
	for (const entry of written) expect(await again.read(entry.index, entry.index, 1)).toEqual([entry]);
	await again.close();
});

test("a segment of hundreds of entries is read, cut, and found again", async () => {
	const disk = createMemoryDisk(() => 0);
	const settings = { segmentBytes: 64 * 1024, cacheBytes: 0 };
	const log = await openSmallLog(disk, { settings });
	await append(log, entries(1, 300));
	for (const index of [1, 64, 65, 128, 129, 300]) {
		expect(indexesOf(await log.read(index, index, 1))).toEqual([index]);
	}
	await log.append({ truncateFrom: 200, entries: [] });
	await log.close();
	const again = await openSmallLog(disk, { settings });
	expect(again.recovered.headers.length).toBe(199);
	expect(await again.read(1, 199, 1e9)).toEqual(entries(1, 199));
	await again.close();
});

test("a start writes again what no later record proves to be durable, and no more", async () => {
	const watched = watchDisk(await filledDisk(5));
	await (await openSmallLog(watched)).close();
	const writes = watched.steps.filter(({ type, path }) => type === "write" && path === first);
	expect(writes[0]).toMatchObject({ offset: 64 + 4 * 80, sizeBytes: 80 });
	// The rest are the zeros ahead.
	expect(writes.slice(1)).toMatchObject([{ offset: 64 + 5 * 80, sizeBytes: 1024 - 64 - 5 * 80 }]);
});
