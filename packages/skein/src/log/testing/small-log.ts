/** A log whose segments and cache are small: twelve entries of the usual size (80 bytes each) fill a segment. */
import type { Entry, LogIndex, Term } from "../../consensus/types.ts";
import type { Disk } from "../../world/disk.ts";
import { createMemoryDisk, type MemoryDisk } from "../../world/testing/memory-disk.ts";
import type { Log } from "../log.ts";
import { segmentName } from "../segment.ts";
import { type OpenLogOptions, openLog } from "../segmented-log.ts";

export const identity = { clusterId: "c", nodeId: "n1", incarnation: "i" };
export const segmentBytes = 1024;

export function openSmallLog(disk: Disk, options: Partial<OpenLogOptions> = {}): Promise<Log> {
	const settings = { segmentBytes, cacheBytes: 100 };
	return openLog({ disk, directory: "log", create: identity, settings, ...options });
}

export function entries(first: LogIndex, last: LogIndex, term: Term = 2, sizeBytes = 40): Entry[] {
	return Array.from({ length: last - first + 1 }, (_, place) => {
		const index = first + place;
		return { index, term, kind: "command", payload: new Uint8Array(sizeBytes).fill(index) };
	});
}

export const append = (log: Log, some: readonly Entry[]) => log.append({ truncateFrom: null, entries: some });

/** Entries 1 … last on a disk, each synced on its own, and the log closed. */
export async function filledDisk(last: LogIndex, term: Term = 2, sizeBytes = 40): Promise<MemoryDisk> {
	const disk = createMemoryDisk(() => 0);
	const log = await openSmallLog(disk);
	for (const entry of entries(1, last, term, sizeBytes)) await append(log, [entry]);
	await log.close();
	return disk;
}

export const segmentPath = (firstIndex: LogIndex) => `log/${segmentName(firstIndex)}`;

export const indexesOf = (some: readonly Entry[] | null) => some?.map(({ index }) => index);

/** Replaces the file, or makes it. */
export async function putFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
	await disk.remove(path);
	const file = await disk.open(path, { create: true });
	await file.write(0, [bytes]);
	await file.sync();
	await file.close();
}

export function fileBytes(disk: MemoryDisk, path: string): Uint8Array {
	const bytes = disk.files().get(path);
	if (bytes === undefined) throw new Error(`${path} is absent`);
	return bytes;
}
