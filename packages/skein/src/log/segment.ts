/**
 * One segment: its file, its header, and where each of its entries lies. Header, 64 bytes, little
 * endian: 0 "SKEINLOG" · 8 u32 version 1 · 12 u32 CRC-32 of the other bytes (these four as zero) ·
 * 16 u64 first index · 24 u64 previous term · 32 u32 salt · 36 zeros.
 */
import type { LogIndex, Position, Term } from "../consensus/types.ts";
import type { Disk, DiskFile } from "../world/disk.ts";
import { getUint64, putUint64, viewOf } from "./binary.ts";
import { LogCorruptionError } from "./errors.ts";
import type { Identity } from "./log.ts";

export const segmentHeaderBytes = 64;
const formatVersion = 1;
const magic = new TextEncoder().encode("SKEINLOG");
const namePattern = /^(\d{16})\.segment$/;

export interface Segment {
	readonly file: DiskFile;
	readonly name: string;
	readonly firstIndex: LogIndex;
	readonly salt: number;
	/** Where each record begins; the first `count` are in use. */
	offsets: Uint32Array;
	count: number;
	/** Where the next record goes. */
	end: number;
	/** Of the last record; of what is before the segment while it is empty. */
	lastTerm: Term;
	lastCrc: number;
}

export interface SegmentHeader {
	readonly bytes: Uint8Array;
	readonly base: Position;
	readonly salt: number;
	readonly crc: number;
}

export function segmentName(firstIndex: LogIndex): string {
	return `${String(firstIndex).padStart(16, "0")}.segment`;
}

/** Null: the name of something else. */
export function firstIndexOf(name: string): LogIndex | null {
	const digits = namePattern.exec(name)?.[1];
	return digits === undefined ? null : Number(digits);
}

/**
 * Records are checked with it, so that bytes of another node's log, or of another segment, are never
 * taken for records of this one.
 */
function saltOf(checksum: Disk["checksum"], identity: Identity, base: Position): number {
	const { clusterId, nodeId, incarnation } = identity;
	return checksum(
		new TextEncoder().encode([clusterId, nodeId, incarnation, base.index, base.term].join("\n")),
	);
}

export function encodeSegmentHeader(
	checksum: Disk["checksum"],
	identity: Identity,
	base: Position,
): SegmentHeader {
	const bytes = new Uint8Array(segmentHeaderBytes);
	const view = viewOf(bytes);
	const salt = saltOf(checksum, identity, base);
	bytes.set(magic);
	view.setUint32(8, formatVersion, true);
	putUint64(view, 16, base.index + 1);
	putUint64(view, 24, base.term);
	view.setUint32(32, salt, true);
	const crc = checksum(bytes);
	view.setUint32(12, crc, true);
	return { bytes, base, salt, crc };
}

/** Throws LogCorruptionError: a file gets its name only after its header is durable. */
export function decodeSegmentHeader(
	checksum: Disk["checksum"],
	identity: Identity,
	bytes: Uint8Array,
	path: string,
): SegmentHeader {
	const refuse = (offset: number, reason: string): never => {
		throw new LogCorruptionError(path, offset, reason);
	};
	if (bytes.length < segmentHeaderBytes) refuse(0, "the file is shorter than its header");
	const view = viewOf(bytes);
	if (magic.some((byte, place) => bytes[place] !== byte)) refuse(0, "not a segment of a log");
	const version = view.getUint32(8, true);
	if (version !== formatVersion) refuse(8, `format version ${version}, this program knows ${formatVersion}`);
	const crc = view.getUint32(12, true);
	const copy = bytes.slice(0, segmentHeaderBytes);
	viewOf(copy).setUint32(12, 0, true);
	if (checksum(copy) !== crc) refuse(0, "the header fails its checksum");
	const base = { index: getUint64(view, 16) - 1, term: getUint64(view, 24) };
	const salt = view.getUint32(32, true);
	if (salt !== saltOf(checksum, identity, base)) refuse(32, "the segment belongs to another node");
	return { bytes: copy, base, salt, crc };
}

export function newSegment(file: DiskFile, header: SegmentHeader): Segment {
	return {
		file,
		name: segmentName(header.base.index + 1),
		firstIndex: header.base.index + 1,
		salt: header.salt,
		offsets: new Uint32Array(64),
		count: 0,
		end: segmentHeaderBytes,
		lastTerm: header.base.term,
		lastCrc: header.crc,
	};
}

export function noteRecord(segment: Segment, offset: number): void {
	if (segment.count === segment.offsets.length) {
		const larger = new Uint32Array(segment.count * 2);
		larger.set(segment.offsets);
		segment.offsets = larger;
	}
	segment.offsets[segment.count] = offset;
	segment.count++;
}

/** Of an entry that the segment holds; for the one after the last, the end. */
export function offsetOf(segment: Segment, index: LogIndex): number {
	const place = index - segment.firstIndex;
	if (place === segment.count) return segment.end;
	const offset = place < segment.count ? segment.offsets[place] : undefined;
	if (offset === undefined) throw new Error(`entry ${index} is not in ${segment.name}`);
	return offset;
}

export function lastIndexOf(segment: Segment): LogIndex {
	return segment.firstIndex + segment.count - 1;
}
