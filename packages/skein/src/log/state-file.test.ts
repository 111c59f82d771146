/** Which of two slots counts, which is written first, and what is refused. */
import { expect, test } from "vitest";
import { crc32 } from "../world/crc32.ts";
import { createMemoryDisk, type MemoryDisk } from "../world/testing/memory-disk.ts";
import { viewOf } from "./binary.ts";
import { encodeSlot, openStateFile, slotBytes } from "./state-file.ts";
import {
	append,
	entries,
	fileBytes,
	filledDisk,
	identity,
	openSmallLog,
	putFile,
} from "./testing/small-log.ts";
import { watchDisk } from "./testing/watched-disk.ts";

const path = "log/state";

/** The sequence of each slot; its term is ten times that. Null: it cannot be read. */
async function diskWith(...sequences: (number | null)[]): Promise<MemoryDisk> {
	const disk = createMemoryDisk(() => 0);
	const bytes = new Uint8Array(2 * slotBytes).fill(1);
	for (const [place, sequence] of sequences.entries()) {
		if (sequence === null) continue;
		const promise = { term: sequence * 10, votedFor: "n2" };
		bytes.set(encodeSlot(crc32, { identity, promise }, sequence), place * slotBytes);
	}
	await putFile(disk, path, bytes);
	return disk;
}

test.each<[number | null, number | null, number, number]>([
	[5, 6, 60, 1],
	[7, 6, 70, 0],
	[8, 3, 80, 0],
	[null, 6, 60, 0],
	[5, null, 50, 1],
])("of the slots %s and %s term %i counts, and slot %i is written first", async (one, other, term, slot) => {
	const disk = watchDisk(await diskWith(one, other));
	const file = await openStateFile(disk, path);
	expect(file.state).toEqual({ identity, promise: { term, votedFor: "n2" } });
	await file.write({ term: 100, votedFor: null });
	await file.close();
	const writes = disk.steps.filter(({ type }) => type === "write").map(({ offset }) => offset / slotBytes);
	expect(writes).toEqual([slot, 1 - slot, 1 - slot, slot]);
	const again = await openStateFile(disk, path);
	expect(again.state.promise).toEqual({ term: 100, votedFor: null });
	await again.close();
	expect(disk.openPaths).toEqual([]);
});

test("a slot of a later version is refused", async () => {
	const disk = await diskWith(5, 6);
	const bytes = fileBytes(disk, path);
	viewOf(bytes).setUint32(8, 2, true);
	viewOf(bytes).setUint32(4, crc32(bytes.subarray(8, slotBytes)), true);
	await putFile(disk, path, bytes);
	const watched = watchDisk(disk);
	await expect(openStateFile(watched, path)).rejects.toMatchObject({
		name: "LogCorruptionError",
		offset: 8,
		message: expect.stringContaining("format version 2, this program knows 1"),
	});
	expect(watched.openPaths).toEqual([]);
});

test.each([
	[0, false],
	[slotBytes - 1, false],
	[slotBytes, true],
	[slotBytes + 20, true],
])("of a file of %i bytes a whole slot counts: %s", async (size, isReadable) => {
	const disk = await diskWith(5, 6);
	await putFile(disk, path, fileBytes(disk, path).subarray(0, size));
	const opened = openStateFile(disk, path);
	if (isReadable) expect((await opened).state.promise.term).toBe(50);
	else await expect(opened).rejects.toMatchObject({ name: "LogCorruptionError" });
});

test("slots without their mark are refused", async () => {
	const disk = await diskWith(5, 6);
	disk.flip(path, 1, 1);
	disk.flip(path, slotBytes + 1, 1);
	await expect(openStateFile(disk, path)).rejects.toMatchObject({ name: "LogCorruptionError" });
});

test("where there is a log and no state a start makes none", async () => {
	const disk = await filledDisk(3);
	await disk.remove(path);
	const files = disk.files();
	await expect(openSmallLog(disk)).rejects.toThrow();
	expect(disk.files()).toEqual(files);
});

test("an id has 255 bytes at most", async () => {
	const [longest, tooLong] = ["n".repeat(255), "é".repeat(128)];
	const disk = createMemoryDisk(() => 0);
	const create = { clusterId: longest, nodeId: longest, incarnation: longest };
	for (const part of ["clusterId", "nodeId", "incarnation"]) {
		const made = openSmallLog(disk, { create: { ...create, [part]: tooLong } });
		await expect(made).rejects.toThrow("an id of 256 bytes");
	}
	const log = await openSmallLog(disk, { create });
	await log.writePromise({ term: 2, votedFor: longest });
	await append(log, entries(1, 1));
	await log.close();
	const again = await openSmallLog(disk, { create });
	expect(again.recovered.identity).toEqual(create);
	expect(again.recovered.promise).toEqual({ term: 2, votedFor: longest });
	await again.close();
});
