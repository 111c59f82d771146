/**
 * Makes a log where there is none. All of it is built and synced in a directory beside its place,
 * which then takes its name: after a crash at any step there is no log, or a whole one.
 */
import type { Entry, Position } from "../consensus/types.ts";
import type { Disk } from "../world/disk.ts";
import type { Identity } from "./log.ts";
import { encodeBatch } from "./record-batch.ts";
import { encodeSegmentHeader, newSegment, segmentName } from "./segment.ts";
import { createStateFile } from "./state-file.ts";

export const stateName = "state";
const beforeFirst: Position = { index: 0, term: 0 };

export function parentOf(directory: string): string {
	return directory.includes("/") ? directory.slice(0, directory.lastIndexOf("/")) : "";
}

/** An empty directory is no log either: nothing is ever removed from one down to nothing. */
export async function isLogAbsent(disk: Disk, directory: string): Promise<boolean> {
	return (await disk.list(directory)).length === 0;
}

export async function createLogFiles(options: {
	readonly disk: Disk;
	readonly directory: string;
	readonly identity: Identity;
	readonly bootstrap: readonly Entry[];
}): Promise<void> {
	const { disk, directory, identity, bootstrap } = options;
	for (const [position, { index, term }] of bootstrap.entries()) {
		if (index !== position + 1 || term !== 1) throw new RangeError("a log begins at index 1, term 1");
	}
	const draft = `${directory}.new`;
	for (const name of await disk.list(draft)) await disk.remove(`${draft}/${name}`);
	await disk.makeDirectory(draft);
	const promise = { term: 1, votedFor: null };
	await createStateFile(disk, `${draft}/${stateName}`, { identity, promise });
	await createFirstSegment(disk, draft, identity, bootstrap);
	await disk.syncDirectory(draft);
	await disk.rename(draft, directory);
	await disk.syncDirectory(parentOf(directory));
}

async function createFirstSegment(
	disk: Disk,
	directory: string,
	identity: Identity,
	bootstrap: readonly Entry[],
): Promise<void> {
	const file = await disk.open(`${directory}/${segmentName(1)}`, { create: true });
	try {
		const header = encodeSegmentHeader(disk.checksum, identity, beforeFirst);
		await file.write(0, [header.bytes]);
		if (bootstrap.length > 0) {
			const segment = newSegment(file, header);
			const batch = encodeBatch(disk.checksum, segment, bootstrap, 0, Number.POSITIVE_INFINITY);
			if (batch.count !== bootstrap.length) throw new RangeError("the first entries are too large");
			await file.write(segment.end, batch.chunks);
		}
		await file.sync();
	} finally {
		await file.close();
	}
}
