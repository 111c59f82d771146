/**
 * The payload of a large transaction of the format wal, in pieces as the log has them: a page is handed on when it is whole,
 * so that a follower never holds more than a piece, and part of a page.
 */
import { decodeHead, decodeItems, type PagesHead } from "./logged-pages.ts";
import { formatOf, partHeader } from "./payload.ts";

export interface IncomingPages {
	/** The next piece; the pages that are whole with it, if the payload has told of them yet. */
	add(piece: Uint8Array): Iterable<readonly [page: number, bytes: Uint8Array]>;
	/** Null: it has not come yet. */
	readonly head: PagesHead | null;
	/** All of the payload has come, and ended with a page. */
	readonly isWhole: boolean;
}

export function createIncomingPages(): IncomingPages {
	/** What is of no use before more of it comes. */
	let rest: Uint8Array = new Uint8Array(0);
	let begun = false;
	/** Of a part that is for the report of a loss. */
	let skip = 0;
	let inPages = false;
	let left = 0;
	let head: PagesHead | null = null;

	function take(bytes: number): Uint8Array {
		const taken = rest.subarray(0, bytes);
		rest = rest.subarray(bytes);
		return taken;
	}

	/** False: more must come first. */
	function findPages(): boolean {
		if (!begun) {
			if (rest.length === 0) return false;
			if (formatOf(take(1)) !== "wal") throw new Error("pieces of a payload that holds no pages");
			begun = true;
		}
		for (;;) {
			skip -= take(Math.min(skip, rest.length)).length;
			if (skip > 0) return false;
			const part = partHeader(rest);
			if (part === null) return false;
			take(part.headerBytes);
			if (part.type === "pages") {
				inPages = true;
				left = part.bytes;
				return true;
			}
			skip = part.bytes;
		}
	}

	return {
		add(piece) {
			rest = rest.length === 0 ? piece : joined(rest, piece);
			if (!inPages && !findPages()) return [];
			if (head === null) {
				head = decodeHead(rest);
				if (head === null) return [];
				take(head.bytes);
				left -= head.bytes;
			}
			const itemBytes = 4 + head.pageBytes;
			const whole = take(Math.floor(rest.length / itemBytes) * itemBytes);
			left -= whole.length;
			// A copy: what is left would keep the whole piece.
			rest = rest.slice();
			return decodeItems(whole, head.pageBytes);
		},
		get head() {
			return head;
		},
		get isWhole() {
			return head !== null && left === 0 && rest.length === 0;
		},
	};
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(one.length + other.length);
	bytes.set(one);
	bytes.set(other, one.length);
	return bytes;
}
