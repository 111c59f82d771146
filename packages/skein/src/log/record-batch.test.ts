/** How many entries go into one write, and that what is written is what is read, whatever the sizes. */
import { expect, test } from "vitest";
import type { Entry } from "../consensus/types.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import { encodeBatch } from "./record-batch.ts";
import { encodeSegmentHeader, newSegment, type Segment, segmentHeaderBytes } from "./segment.ts";
import { append, entries, identity, openSmallLog } from "./testing/small-log.ts";

const noChecksum = () => 0;
const headerBytes = 40;
const mebibyte = 1024 * 1024;

async function emptySegment(): Promise<Segment> {
	const file = await createMemoryDisk(() => 0).open("segment", { create: true });
	return newSegment(file, encodeSegmentHeader(noChecksum, identity, { index: 0, term: 0 }));
}

const ofSizes = (sizes: readonly number[]): Entry[] =>
	sizes.flatMap((size, place) => entries(place + 1, place + 1, 2, size));

test.each([
	["all", 3, 40, segmentHeaderBytes + 10_000, 3],
	["what fills the segment to its last byte", 13, 40, segmentHeaderBytes + 12 * 80, 12],
	["no more than the segment has room for", 13, 40, segmentHeaderBytes + 12 * 80 - 8, 11],
	["one, however large", 2, 400, segmentHeaderBytes + 80, 1],
	["eight mebibytes", 9, mebibyte - headerBytes, Number.POSITIVE_INFINITY, 8],
	["no more than eight mebibytes", 9, mebibyte, Number.POSITIVE_INFINITY, 7],
])("a write takes %s", async (_what, count, sizeBytes, segmentBytes, expected) => {
	const batch = encodeBatch(
		noChecksum,
		await emptySegment(),
		ofSizes(Array<number>(count).fill(sizeBytes)),
		0,
		segmentBytes,
	);
	expect(batch.count).toBe(expected);
});

test("small payloads lie beside their headers in one piece, large ones are not copied", async () => {
	const some = ofSizes([40, 16_384, 16_385, 40]);
	const { chunks } = encodeBatch(noChecksum, await emptySegment(), some, 0, Number.POSITIVE_INFINITY);
	const beside = [80 + 16_384 + headerBytes + headerBytes, 16_385, 7 + 80];
	expect(chunks.map(({ length }) => length)).toEqual(beside);
	expect(chunks[1]).toBe(some[2]?.payload);
});

test("entries of all sizes are read as they were written, and so after a restart", async () => {
	const disk = createMemoryDisk(() => 0);
	const settings = { segmentBytes: 500_000, cacheBytes: 0 };
	const written = ofSizes([0, 1, 7, 8, 16_383, 16_384, 16_385, 16_392, 100_003, 20_000, 3, 40_000]);
	const log = await openSmallLog(disk, { settings });
	await append(log, written);
	expect(await log.read(1, written.length, 1e9)).toEqual(written);
	await log.close();
	const again = await openSmallLog(disk, { settings });
	expect(again.recovered.headers.length).toBe(written.length);
	expect(await again.read(1, written.length, 1e9)).toEqual(written);
	await again.close();
});

test("an entry whose term is below the one before is refused: a start would take it for damage", async () => {
	const segment = await emptySegment();
	const falling = [...entries(1, 1, 3), ...entries(2, 2, 2)];
	expect(() => encodeBatch(noChecksum, segment, falling, 0, 10_000)).toThrow("entry 2 of term 2 after 3");
});
