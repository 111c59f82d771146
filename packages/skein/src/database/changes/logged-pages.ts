/**
 * The pages of a payload (numbers of 4 bytes, big-endian): bytes of a page, pages of the database behind the transaction, how
 * many pages skein_state has, and which they are; then each page that changed: its number, its bytes. skein_state's own are
 * not among them: every member writes them by itself, since only the log knows the index of the entry
 * (pages/state-pages.ts). They are named only where the whole database is here, whatever it was before.
 */
import { type Pages, pagesInMemory } from "../pages/page-store.ts";

export interface LoggedPages extends Pages {
	/** Not empty: the whole database is here. The format wal was chosen by it. */
	readonly statePages: readonly number[];
}

/** Of the head, without the numbers of skein_state's pages. */
const headBytes = 12;

export function loggedBytes({ pageBytes, statePages, numbers }: LoggedPages): number {
	return headBytes + 4 * statePages.length + numbers.length * (4 + pageBytes);
}

/** Into a buffer of `loggedBytes`. */
export function encodePages(logged: LoggedPages, bytes: Uint8Array): void {
	const { pageBytes, size, statePages } = logged;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	view.setUint32(0, pageBytes);
	view.setUint32(4, size);
	view.setUint32(8, statePages.length);
	for (const [place, number] of statePages.entries()) view.setUint32(headBytes + 4 * place, number);
	let at = headBytes + 4 * statePages.length;
	for (const [page, content] of logged.read()) {
		view.setUint32(at, page);
		bytes.set(content, at + 4);
		at += 4 + pageBytes;
	}
	if (at !== bytes.length) throw new Error("another number of pages than was said");
}

export interface PagesHead {
	readonly pageBytes: number;
	readonly size: number;
	readonly statePages: readonly number[];
	/** The pages begin there. */
	readonly bytes: number;
}

/** Null: more of it is needed. */
export function decodeHead(bytes: Uint8Array): PagesHead | null {
	if (bytes.length < headBytes) return null;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const count = view.getUint32(8);
	const end = headBytes + 4 * count;
	if (bytes.length < end) return null;
	const statePages = Array.from({ length: count }, (_, at) => view.getUint32(headBytes + 4 * at));
	return { pageBytes: view.getUint32(0), size: view.getUint32(4), statePages, bytes: end };
}

/** Whole pages, one behind the other. */
export function* decodeItems(
	bytes: Uint8Array,
	pageBytes: number,
): Generator<readonly [page: number, bytes: Uint8Array]> {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const itemBytes = 4 + pageBytes;
	for (let at = 0; at < bytes.length; at += itemBytes)
		yield [view.getUint32(at), bytes.subarray(at + 4, at + itemBytes)];
}

export function decodePages(bytes: Uint8Array): LoggedPages {
	const head = decodeHead(bytes);
	if (head === null) throw new Error("logged pages end too early");
	const { pageBytes, size, statePages } = head;
	if ((bytes.length - head.bytes) % (4 + pageBytes) !== 0) throw new Error("logged pages end inside a page");
	const pages = new Map(decodeItems(bytes.subarray(head.bytes), pageBytes));
	return { ...pagesInMemory(pageBytes, size, pages), statePages };
}
