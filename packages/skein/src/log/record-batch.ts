/** A run of entries as the bytes of one write into one segment. */
import type { Entry, LogIndex } from "../consensus/types.ts";
import type { Disk } from "../world/disk.ts";
import { encodeHeader, recordBytes, recordHeaderBytes } from "./record.ts";
import type { Segment } from "./segment.ts";
import { noteRecord } from "./segment.ts";

/** Payloads below this are copied beside their headers: one buffer is cheaper to write than many. */
const maxCopiedBytes = 16 * 1024;
/** One write never holds more, so that one sync never has more to do. */
const maxBatchBytes = 8 * 1024 * 1024;

export interface RecordBatch {
	readonly chunks: Uint8Array[];
	/** How many of the entries fit: at least one. */
	readonly count: number;
	/** Notes the records in the segment, once the bytes are written. */
	commit(): void;
}

export function encodeBatch(
	checksum: Disk["checksum"],
	segment: Segment,
	entries: readonly Entry[],
	durableIndex: LogIndex,
	segmentBytes: number,
): RecordBatch {
	const count = countThatFit(entries, segmentBytes - segment.end);
	const taken = entries.slice(0, count);
	// Zeroed: what is not set is padding.
	const buffer = new Uint8Array(taken.reduce((sum, entry) => sum + bufferedBytes(entry), 0));
	const chunks: Uint8Array[] = [];
	const offsets: number[] = [];
	let previousCrc = segment.lastCrc;
	let place = 0;
	let sent = 0;
	let offset = segment.end;
	let lastTerm = segment.lastTerm;
	for (const entry of taken) {
		// Recovery takes a falling term for damage.
		if (entry.term < lastTerm)
			throw new RangeError(`entry ${entry.index} of term ${entry.term} after ${lastTerm}`);
		lastTerm = entry.term;
		previousCrc = encodeHeader(
			checksum,
			entry,
			{ salt: segment.salt, previousCrc, durableIndex },
			buffer,
			place,
		);
		if (entry.payload.length <= maxCopiedBytes) {
			buffer.set(entry.payload, place + recordHeaderBytes);
		} else {
			chunks.push(buffer.subarray(sent, place + recordHeaderBytes), entry.payload);
			sent = place + recordHeaderBytes;
		}
		place += bufferedBytes(entry);
		offsets.push(offset);
		offset += recordBytes(entry.payload.length);
	}
	if (sent < place) chunks.push(buffer.subarray(sent, place));
	return {
		chunks,
		count,
		commit() {
			for (const one of offsets) noteRecord(segment, one);
			segment.end = offset;
			segment.lastTerm = lastTerm;
			segment.lastCrc = previousCrc;
		},
	};
}

/** What of a record goes through the buffer: all but a large payload. */
function bufferedBytes({ payload }: Entry): number {
	const all = recordBytes(payload.length);
	return payload.length <= maxCopiedBytes ? all : all - payload.length;
}

function countThatFit(entries: readonly Entry[], room: number): number {
	let count = 0;
	let sizeBytes = 0;
	for (const { payload } of entries) {
		sizeBytes += recordBytes(payload.length);
		if (count > 0 && (sizeBytes > room || sizeBytes > maxBatchBytes)) break;
		count++;
	}
	return count;
}
