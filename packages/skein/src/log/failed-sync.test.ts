/**
 * A sync fails, and the process ends. What the next start sees may be in the page cache only, clean, so that no
 * sync writes it (fsyncgate): whatever that start goes by must be on the device before the next loss of power.
 */
import { expect, test } from "vitest";
import type { Entry, LogIndex, VotePromise } from "../consensus/types.ts";
import { createMemoryDisk, type MemoryDisk } from "../world/testing/memory-disk.ts";
import { LogFailedError } from "./errors.ts";
import type { Log } from "./log.ts";
import { openLog } from "./segmented-log.ts";

const create = { clusterId: "c", nodeId: "n1", incarnation: "i" };
const seeds = Array.from({ length: 40 }, (_, place) => place + 1);

/** Small numbers that look random: xorshift. */
function seeded(seed: number): () => number {
	let state = seed * 2_654_435_761;
	return () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) / 2 ** 32;
	};
}

function open(disk: MemoryDisk): Promise<Log> {
	return openLog({ disk, directory: "log", create, settings: { segmentBytes: 1024, cacheBytes: 100 } });
}

function entries(first: LogIndex, last: LogIndex, sizeBytes: number, term = 2): Entry[] {
	return Array.from({ length: last - first + 1 }, (_, place) => {
		const index = first + place;
		return { index, term, kind: "command", payload: new Uint8Array(sizeBytes).fill(index) };
	});
}

/** The last sync of the life fails; the process ends, and what the system shows stays. */
async function fail(disk: MemoryDisk, change: () => Promise<void>): Promise<void> {
	disk.faults.syncsLeft = 0;
	await expect(change()).rejects.toThrow(LogFailedError);
	disk.faults.syncsLeft = Number.POSITIVE_INFINITY;
	disk.kill();
}

test.each(seeds)("term and vote survive a crash at any step of the start after it (%i)", async (seed) => {
	// In the names of who was voted for, pieces of a slot differ.
	const before: VotePromise = { term: 7, votedFor: "b".repeat(90) };
	const next: VotePromise = { term: 8, votedFor: "d".repeat(90) };
	for (let step = 0; step < 8; step++) {
		const disk = createMemoryDisk(seeded(seed));
		const log = await open(disk);
		await log.writePromise(before);
		await fail(disk, () => log.writePromise(next));
		disk.faults.stopAt = disk.operations + step;
		await open(disk).catch(() => {});
		disk.crash();
		const { recovered } = await open(disk);
		expect([before, next]).toContainEqual(recovered.promise);
	}
});

test.each(seeds)("what was cut does not come back behind the end that a start found (%i)", async (seed) => {
	// The larger ones have a segment each, and reach beyond the size up to which zeros are written.
	for (const sizeBytes of [40, 2_000]) {
		const disk = createMemoryDisk(seeded(seed));
		const log = await open(disk);
		await log.append({ truncateFrom: null, entries: entries(1, 2, 40) });
		for (let index = 3; index <= 6; index++) {
			await log.append({ truncateFrom: null, entries: entries(index, index, sizeBytes) });
		}
		await fail(disk, () => log.append({ truncateFrom: 4, entries: [] }));
		// No room: the zeros that go behind the end at other times do not.
		disk.faults.capacityBytes = 0;
		const second = await open(disk);
		const found = second.recovered.headers.length;
		disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
		const isContinued = seed % 2 === 0;
		if (isContinued)
			await second.append({ truncateFrom: null, entries: entries(found + 1, found + 1, 8, 3) });
		disk.crash();
		const third = await open(disk);
		expect(third.recovered.headers.length).toBe(found + (isContinued ? 1 : 0));
	}
});
