/** The transactions that end in a part of the log, one after the other, read before that part is cut. */
import type { Entry, LogIndex, Position } from "../consensus/types.ts";
import { EntryAbsentError } from "../log/errors.ts";
import type { Log } from "../log/log.ts";

/** Of a larger transaction only the beginning is given. */
const maxPayloadBytes = 4 * 1024 * 1024;
const readBytes = 4 * 1024 * 1024;

export interface CutTransaction {
	/** Of its last entry. */
	readonly position: Position;
	readonly payload: Uint8Array;
	/** False: the payload is its beginning only. */
	readonly isWhole: boolean;
}

export async function* readTransactions(
	log: Log,
	first: LogIndex,
	last: LogIndex,
): AsyncGenerator<CutTransaction> {
	let pieces: Uint8Array[] = [];
	let isWhole = true;
	let size = 0;
	for (let next = await beginningOf(log, first); next <= last; ) {
		let entries: readonly Entry[];
		try {
			entries = await log.read(next, last, readBytes);
		} catch (error) {
			// It was to be appended, and never was, for want of room: nobody was told of it.
			if (error instanceof EntryAbsentError) return;
			throw error;
		}
		// As said there: the log ends before `last`.
		if (entries.length === 0) return;
		for (const entry of entries) {
			next = entry.index + 1;
			if (entry.kind !== "command" && entry.kind !== "fragment") continue;
			// The first piece says so (fragments.ts).
			if (entry.payload[0] === 1) {
				pieces = [];
				isWhole = true;
				size = 0;
			}
			if (size < maxPayloadBytes) pieces.push(entry.payload.subarray(1));
			else isWhole = false;
			size += entry.payload.length;
			if (entry.kind !== "command") continue;
			const { term, index } = entry;
			yield { position: { term, index }, payload: joined(pieces), isWhole };
			pieces = [];
		}
	}
}

/** Where the transaction begins that has a piece at `index`. */
async function beginningOf(log: Log, index: LogIndex): Promise<LogIndex> {
	let first = index;
	for (;;) {
		let before: Entry | undefined;
		try {
			[before] = first > 1 ? await log.read(first - 1, first - 1, 1) : [];
		} catch (error) {
			// Compacted: then it was committed, and the transaction has ended.
			if (!(error instanceof EntryAbsentError)) throw error;
		}
		if (before?.kind !== "fragment") return first;
		first--;
	}
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
	const [only] = pieces;
	if (only !== undefined && pieces.length === 1) return only;
	const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
	let offset = 0;
	for (const piece of pieces) {
		whole.set(piece, offset);
		offset += piece.length;
	}
	return whole;
}
