/**
 * The pages of a payload (numbers of 4 bytes, big-endian): bytes of a page, pages of the database behind the transaction, how
 * many pages skein_state has, and which they are; then each page that changed: its number, its bytes. skein_state's own are
 * not among them: every member writes them by itself, since only the log knows the index of the entry
 * (pages/state-pages.ts). They are named only where the whole database is here, whatever it was before.
 */
import type { Pages } from "../pages/page-store.ts";

export interface LoggedPages extends Pages {
	/** Not empty: the whole database is here. The format wal was chosen by it. */
	readonly statePages: readonly number[];
}

const headerBytes = 12;

export function encodePages({ pageBytes, size, statePages, pages }: LoggedPages): Uint8Array {
	const itemBytes = 4 + pageBytes;
	let at = headerBytes + 4 * statePages.length;
	const bytes = new Uint8Array(at + pages.size * itemBytes);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, pageBytes);
	view.setUint32(4, size);
	view.setUint32(8, statePages.length);
	for (const [place, number] of statePages.entries()) view.setUint32(headerBytes + 4 * place, number);
	for (const [page, content] of pages) {
		view.setUint32(at, page);
		bytes.set(content, at + 4);
		at += itemBytes;
	}
	return bytes;
}

export function decodePages(bytes: Uint8Array): LoggedPages {
	if (bytes.length < headerBytes) throw new Error("logged pages end too early");
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const pageBytes = view.getUint32(0);
	const itemBytes = 4 + pageBytes;
	const count = view.getUint32(8);
	const from = headerBytes + 4 * count;
	if (from > bytes.length || (bytes.length - from) % itemBytes !== 0)
		throw new Error("logged pages end inside a page");
	const pages = new Map<number, Uint8Array>();
	for (let at = from; at < bytes.length; at += itemBytes)
		pages.set(view.getUint32(at), bytes.subarray(at + 4, at + itemBytes));
	const statePages = Array.from({ length: count }, (_, at) => view.getUint32(headerBytes + 4 * at));
	return { pageBytes, size: view.getUint32(4), statePages, pages };
}
