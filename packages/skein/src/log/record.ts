/**
 * One entry as bytes. Little endian:
 *
 *    0 u32 CRC-32 of bytes 4 … 40 + length, begun with the segment's salt
 *    4 u32 length of the payload
 *    8 u64 index
 *   16 u64 term
 *   24 u64 durable index: everything up to it had been synced before this record was written
 *   32 u32 CRC of the record before (of the segment's header, for the first)
 *   36 u8  kind, then the bytes "SKR"
 *   40     payload, then zeros up to a multiple of 8
 */
import type { Entry, EntryKind, LogIndex, Term } from "../consensus/types.ts";
import type { Disk } from "../world/disk.ts";
import { alignUp, getUint64, putUint64, viewOf } from "./binary.ts";

export const recordHeaderBytes = 40;
export const maxPayloadBytes = 2 ** 30;
const recordMark = 0x524b53;

const kindCodes: Record<EntryKind, number> = {
	barrier: 1,
	configuration: 2,
	command: 3,
	fragment: 4,
	metadata: 5,
};
const kindsByCode: readonly (EntryKind | undefined)[] = [
	undefined,
	"barrier",
	"configuration",
	"command",
	"fragment",
	"metadata",
];

type Checksum = Disk["checksum"];

export function recordBytes(payloadBytes: number): number {
	return alignUp(recordHeaderBytes + payloadBytes);
}

/** What a record says beside its entry. */
export interface RecordFrame {
	readonly salt: number;
	readonly previousCrc: number;
	readonly durableIndex: LogIndex;
}

/** Writes the record's header into `target` at `offset` and returns the record's CRC. The payload is the caller's to place. */
export function encodeHeader(
	checksum: Checksum,
	entry: Entry,
	frame: RecordFrame,
	target: Uint8Array,
	offset: number,
): number {
	const view = viewOf(target);
	view.setUint32(offset + 4, entry.payload.length, true);
	putUint64(view, offset + 8, entry.index);
	putUint64(view, offset + 16, entry.term);
	putUint64(view, offset + 24, frame.durableIndex);
	view.setUint32(offset + 32, frame.previousCrc, true);
	view.setUint32(offset + 36, kindCodes[entry.kind] | (recordMark << 8), true);
	const crc = checksum(
		entry.payload,
		checksum(target.subarray(offset + 4, offset + recordHeaderBytes), frame.salt),
	);
	view.setUint32(offset, crc, true);
	return crc;
}

export interface DecodedRecord {
	readonly index: LogIndex;
	readonly term: Term;
	readonly kind: EntryKind;
	readonly durableIndex: LogIndex;
	readonly previousCrc: number;
	readonly crc: number;
	readonly payloadBytes: number;
}

/** The record at `offset`, whole and true to its CRC; or null. Says nothing about whether it belongs there. */
export function decodeRecord(
	checksum: Checksum,
	bytes: Uint8Array,
	view: DataView,
	offset: number,
	salt: number,
): DecodedRecord | null {
	if (offset + recordHeaderBytes > bytes.length) return null;
	const kindWord = view.getUint32(offset + 36, true);
	const kind = kindsByCode[kindWord & 0xff];
	if (kindWord >>> 8 !== recordMark || kind === undefined) return null;
	const payloadBytes = view.getUint32(offset + 4, true);
	const end = offset + recordHeaderBytes + payloadBytes;
	if (end > bytes.length) return null;
	const crc = view.getUint32(offset, true);
	if (checksum(bytes.subarray(offset + 4, end), salt) !== crc) return null;
	return {
		index: getUint64(view, offset + 8),
		term: getUint64(view, offset + 16),
		durableIndex: getUint64(view, offset + 24),
		previousCrc: view.getUint32(offset + 32, true),
		kind,
		crc,
		payloadBytes,
	};
}

export function payloadAt(bytes: Uint8Array, offset: number, record: DecodedRecord): Uint8Array {
	const begin = offset + recordHeaderBytes;
	// A copy: a view would hold on to the whole segment.
	return bytes.slice(begin, begin + record.payloadBytes);
}
