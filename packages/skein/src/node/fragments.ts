/**
 * Large payloads travel as several entries: `fragment`s, then the `command` with the last piece.
 * Each piece begins with one byte that says whether a transaction begins here, so that pieces
 * without an end (their leader was deposed) are told from the pieces of the next transaction.
 */
import type { ProposedEntry } from "../consensus/input.ts";
import type { Entry } from "../consensus/types.ts";

const firstPiece = 1;
const laterPiece = 0;

/** One at a time, as they are asked for: cutting up a large payload at once would hold up the heartbeats. */
export function* splitPayload(payload: Uint8Array, fragmentBytes: number): Generator<ProposedEntry> {
	let offset = 0;
	do {
		const end = Math.min(offset + fragmentBytes, payload.length);
		const piece = new Uint8Array(1 + end - offset);
		piece[0] = offset === 0 ? firstPiece : laterPiece;
		piece.set(payload.subarray(offset, end), 1);
		yield { kind: end === payload.length ? "command" : "fragment", payload: piece };
		offset = end;
	} while (offset < payload.length);
}

export function isFirstPiece(entry: Entry): boolean {
	return entry.payload[0] === firstPiece;
}

export function pieceOf(entry: Entry): Uint8Array {
	return entry.payload.subarray(1);
}

export interface FragmentJoiner {
	/** Takes the next `fragment` or `command` entry; returns the whole payload when it is complete. */
	add(entry: Entry): Uint8Array | null;
	/** A barrier of a new term, or a fresh start: pieces without an end are dropped. */
	reset(): void;
}

/** The pieces so far: the first `length` bytes. */
interface Joined {
	readonly buffer: ArrayBuffer;
	readonly length: number;
}

export function createFragmentJoiner(): FragmentJoiner {
	let whole: Joined | null = null;

	return {
		add(entry) {
			const piece = pieceOf(entry);
			const isEnd = entry.kind !== "fragment";
			if (isFirstPiece(entry)) {
				whole = null;
				if (isEnd) return piece;
			} else if (whole === null)
				throw new Error(`entry ${entry.index} continues a transaction that never began`);
			whole = grow(whole, piece);
			if (!isEnd) return null;
			const payload = new Uint8Array(whole.buffer, 0, whole.length);
			whole = null;
			return payload;
		},
		reset() {
			whole = null;
		},
	};
}

/** What stays below this moves as it doubles: to reserve address space costs more. */
const smallBytes = 1024 * 1024;
/** Address space, no memory: a payload that is larger moves once into twice as much. */
const reservedBytes = 512 * 1024 * 1024;

/**
 * Puts the pieces together as they come: 200 MB joined at the end would hold up the event loop, and
 * with it the heartbeats, for longer than an election timeout.
 */
function grow(before: Joined | null, piece: Uint8Array): Joined {
	const offset = before?.length ?? 0;
	const length = offset + piece.length;
	const buffer = before !== null && makeRoom(before.buffer, length) ? before.buffer : bufferFor(length);
	if (before !== null && buffer !== before.buffer) {
		new Uint8Array(buffer).set(new Uint8Array(before.buffer, 0, offset));
	}
	new Uint8Array(buffer, offset, piece.length).set(piece);
	return { buffer, length };
}

/** False: there is none in this buffer. */
function makeRoom(buffer: ArrayBuffer, length: number): boolean {
	if (length <= buffer.byteLength) return true;
	if (!buffer.resizable || length > buffer.maxByteLength) return false;
	buffer.resize(length);
	return true;
}

function bufferFor(length: number): ArrayBuffer {
	const doubled = length * 2;
	if (doubled <= smallBytes) return new ArrayBuffer(doubled);
	return new ArrayBuffer(length, { maxByteLength: Math.max(reservedBytes, doubled) });
}
