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

export interface FragmentJoiner {
	/** Takes the next `fragment` or `command` entry; returns the whole payload when it is complete. */
	add(entry: Entry): Uint8Array | null;
	/** A barrier of a new term, or a fresh start: pieces without an end are dropped. */
	reset(): void;
}

export function createFragmentJoiner(): FragmentJoiner {
	let pieces: Uint8Array[] = [];

	return {
		add(entry) {
			const piece = entry.payload.subarray(1);
			if (entry.payload[0] === firstPiece) pieces = [];
			else if (pieces.length === 0)
				throw new Error(`entry ${entry.index} continues a transaction that never began`);
			pieces.push(piece);
			if (entry.kind === "fragment") return null;
			const whole = pieces.length === 1 ? piece : join(pieces);
			pieces = [];
			return whole;
		},
		reset() {
			pieces = [];
		},
	};
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
	const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
	let offset = 0;
	for (const piece of pieces) {
		whole.set(piece, offset);
		offset += piece.length;
	}
	return whole;
}
