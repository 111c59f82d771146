/**
 * The pages of a payload: bytes of a page, pages of the database behind the transaction, the number of skein_state's page
 * (4 bytes each, big-endian), then each page: its number, its bytes. skein_state's own page is not among them: every
 * member writes it by itself, since only the log knows the index of the entry (pages/state-page.ts).
 */
import type { Pages } from "../pages/page-store.ts";

export interface LoggedPages extends Pages {
	readonly statePage: number;
}

const headerBytes = 12;

export function encodePages({ pageBytes, size, statePage, pages }: LoggedPages): Uint8Array {
	const itemBytes = 4 + pageBytes;
	const bytes = new Uint8Array(headerBytes + pages.size * itemBytes);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, pageBytes);
	view.setUint32(4, size);
	view.setUint32(8, statePage);
	let at = headerBytes;
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
	if ((bytes.length - headerBytes) % itemBytes !== 0) throw new Error("logged pages end inside a page");
	const pages = new Map<number, Uint8Array>();
	for (let at = headerBytes; at < bytes.length; at += itemBytes)
		pages.set(view.getUint32(at), bytes.subarray(at + 4, at + itemBytes));
	return { pageBytes, size: view.getUint32(4), statePage: view.getUint32(8), pages };
}
