/**
 * Reads the segments after a start: what is valid, what a crash tore, what is damaged. The cases,
 * each with what it means, are a table in DESIGN.md; the letters here point to it.
 */
import type { Entry, LogIndex, Position } from "../consensus/types.ts";
import type { Disk } from "../world/disk.ts";
import { viewOf } from "./binary.ts";
import { LogCorruptionError } from "./errors.ts";
import type { EntryHeader, Identity } from "./log.ts";
import { type DecodedRecord, decodeRecord, payloadAt, recordBytes } from "./record.ts";
import type { Segment } from "./segment.ts";
import {
	decodeSegmentHeader,
	firstIndexOf,
	lastIndexOf,
	newSegment,
	noteRecord,
	offsetOf,
	segmentHeaderBytes,
} from "./segment.ts";

export interface RecoveredSegments {
	/** Oldest first; at least one. */
	readonly segments: Segment[];
	readonly base: Position;
	/** Made anew at each call: numbers are what stays in memory of millions of entries, objects are not. */
	readonly headers: () => EntryHeader[];
	readonly configurations: Entry[];
	readonly tornBytes: number;
}

interface Scan {
	readonly segment: Segment;
	readonly records: readonly DecodedRecord[];
	readonly configurations: readonly Entry[];
	readonly bytes: Uint8Array;
}

export async function recoverSegments(
	disk: Disk,
	directory: string,
	identity: Identity,
): Promise<RecoveredSegments> {
	const names = (await disk.list(directory)).filter((name) => firstIndexOf(name) !== null).sort();
	const terms: number[] = [];
	const sizes: number[] = [];
	const configurations: Entry[] = [];
	const segments: Segment[] = [];
	let base: Position | null = null;
	let tornBytes = 0;
	try {
		for (const [position, name] of names.entries()) {
			const path = `${directory}/${name}`;
			const begin: Position = await beginOf(disk, identity, path, firstIndexOf(name), segments.at(-1));
			base ??= begin;
			const scan = await scanSegment(disk, identity, path, segments);
			if (position === names.length - 1) {
				refuseIfDamaged(disk.checksum, scan, path);
				tornBytes = await cleanTail(scan);
			}
			for (const { term, payloadBytes } of scan.records) {
				terms.push(term);
				sizes.push(payloadBytes);
			}
			configurations.push(...scan.configurations);
		}
		if (base === null) throw new LogCorruptionError(directory, 0, "there is no segment (case G)");
		const first = base.index + 1;
		const headers = () =>
			terms.map((term, place) => ({ index: first + place, term, sizeBytes: sizes[place] ?? 0 }));
		return { segments, base, headers, configurations, tornBytes };
	} catch (error) {
		for (const segment of segments) await segment.file.close().catch(() => {});
		throw error;
	}
}

/** Where a segment says that it begins; it must be where the one before ends (cases D, E, F). */
async function beginOf(
	disk: Disk,
	identity: Identity,
	path: string,
	firstIndex: LogIndex | null,
	before: Segment | undefined,
): Promise<Position> {
	const file = await disk.open(path, { create: false });
	try {
		const { base } = decodeSegmentHeader(
			disk.checksum,
			identity,
			await file.read(0, segmentHeaderBytes),
			path,
		);
		if (base.index + 1 !== firstIndex) {
			throw new LogCorruptionError(path, 16, `its header says that it begins at ${base.index + 1}`);
		}
		if (before === undefined) return base;
		const last = lastIndexOf(before);
		// A segment gets its name only after everything in the one before was synced: a record that is
		// not there, or is bad, was acknowledged.
		if (base.index > last) {
			const reason = `entries ${last + 1} to ${base.index} are missing or damaged`;
			throw new LogCorruptionError(path.replace(/[^/]*$/, before.name), before.end, reason);
		}
		if (base.index !== last || base.term !== before.lastTerm) {
			const reason = `it follows (term ${base.term}, index ${base.index}), the segment before ends at (${before.lastTerm}, ${last})`;
			throw new LogCorruptionError(path, 16, reason);
		}
		return base;
	} finally {
		await file.close();
	}
}

/** Reads records as long as each is valid and follows the one before; adds the segment to `segments`. */
async function scanSegment(disk: Disk, identity: Identity, path: string, segments: Segment[]): Promise<Scan> {
	const file = await disk.open(path, { create: false });
	const bytes = await file.read(0, await file.size());
	const segment = newSegment(file, decodeSegmentHeader(disk.checksum, identity, bytes, path));
	segments.push(segment);
	const view = viewOf(bytes);
	const records: DecodedRecord[] = [];
	const configurations: Entry[] = [];
	for (;;) {
		const record = decodeRecord(disk.checksum, bytes, view, segment.end, segment.salt);
		if (record === null || !follows(segment, record)) break;
		records.push(record);
		if (record.kind === "configuration") {
			const { index, term, kind } = record;
			configurations.push({ index, term, kind, payload: payloadAt(bytes, segment.end, record) });
		}
		noteRecord(segment, segment.end);
		segment.end += recordBytes(record.payloadBytes);
		segment.lastTerm = record.term;
		segment.lastCrc = record.crc;
	}
	return { segment, records, configurations, bytes };
}

function follows(segment: Segment, record: DecodedRecord): boolean {
	return (
		record.index === lastIndexOf(segment) + 1 &&
		record.term >= segment.lastTerm &&
		record.previousCrc === segment.lastCrc
	);
}

/**
 * Case C. What ends the valid run may be a write that a crash tore: nobody was told that it is there.
 * Or it was durable and is damaged. A record further on decides: it says up to which index the log
 * was synced before it was written. If that reaches the first record we cannot read, that record had
 * been durable. If no record says so, then all that lies behind was written after the last sync that
 * we can know of, together with the unreadable one.
 */
function refuseIfDamaged(checksum: Disk["checksum"], { segment, bytes }: Scan, path: string): void {
	const view = viewOf(bytes);
	const unreadable = lastIndexOf(segment) + 1;
	for (let offset = segment.end; offset < bytes.length; offset += 8) {
		const record = decodeRecord(checksum, bytes, view, offset, segment.salt);
		if (record === null || record.durableIndex < unreadable) continue;
		throw new LogCorruptionError(
			path,
			segment.end,
			`entry ${unreadable} cannot be read, but it was durable when entry ${record.index} was written at byte ${offset}`,
		);
	}
}

/** Each record says up to which index the log was synced when it was written: where the first lies that none speaks of. */
function firstUnproven(segment: Segment, records: readonly DecodedRecord[]): number {
	let proven = segment.firstIndex - 1;
	for (const { durableIndex } of records) proven = Math.max(proven, durableIndex);
	return proven >= lastIndexOf(segment) ? segment.end : offsetOf(segment, proven + 1);
}

/**
 * Leaves nothing behind the last record, and all of it durable: a killed process leaves records in the page
 * cache that nobody has synced, and we are about to count them as durable (reference bug 31).
 *
 * What no record proves to have been synced is written anew, not only synced: after a sync that failed
 * in the life before, the cache may hold it as clean, and no sync would ever write it (bug 40,
 * https://lwn.net/Articles/752063/). Nobody was told of these entries, or they are there already: a crash
 * here may tear them.
 *
 * So is the end of the file, though it may look as it should: a cut, or the zeros behind the last record,
 * may be in the cache only, and the device may have a tail there that was cut. After a loss of power it would
 * be back, as entries or, behind others, as damage. The file is made longer first, since to set the length
 * that it seems to have might do nothing.
 */
async function cleanTail({ segment, records, bytes }: Scan): Promise<number> {
	const { file, end } = segment;
	let last = bytes.length;
	while (last > end && bytes[last - 1] === 0) last--;
	await file.truncate(end + 8);
	await file.truncate(end);
	const unproven = firstUnproven(segment, records);
	if (unproven < end) await file.write(unproven, [bytes.subarray(unproven, end)]);
	await file.sync();
	return last - end;
}
