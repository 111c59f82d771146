/**
 * The page of skein_state, made by hand: what a member writes by itself at every index must come out the same, byte for
 * byte, whatever was on the page before, and however many entries were applied at once. SQLite's own UPDATE leaves in the
 * free part of a page what its history was. One row, one page (https://sqlite.org/fileformat2.html §1.6, §2.1).
 */
import type { DatabaseState } from "../database.ts";

const leafOfTable = 13;
const pageHeaderBytes = 8;
/** Of a table's row that lies on its page as a whole: beyond it SQLite takes more pages. */
const roomBesideRow = 35;
const nothing = { type: 0, bytes: new Uint8Array(0) };

/** Null: the row does not fit. */
export function encodeStatePage(pageBytes: number, state: DatabaseState): Uint8Array | null {
	const { applied, configuration } = state;
	const text = configuration === null ? null : new TextEncoder().encode(JSON.stringify(configuration.value));
	// The first column is the rowid, and is kept there.
	const columns = [
		nothing,
		integer(applied.index),
		integer(applied.term),
		configuration === null ? nothing : integer(configuration.index),
		text === null ? nothing : { type: 13 + 2 * text.length, bytes: text },
	];
	const types = columns.flatMap(({ type }) => varint(type));
	const record = [varint(types.length + 1), types].flat();
	const bodyBytes = columns.reduce((sum, { bytes }) => sum + bytes.length, record.length);
	if (bodyBytes > pageBytes - roomBesideRow) return null;
	const head = [...varint(bodyBytes), ...varint(1), ...record];
	const page = new Uint8Array(pageBytes);
	const start = pageBytes - head.length - (bodyBytes - record.length);
	const view = new DataView(page.buffer);
	page[0] = leafOfTable;
	view.setUint16(3, 1);
	view.setUint16(5, start);
	view.setUint16(pageHeaderBytes, start);
	page.set(head, start);
	let at = start + head.length;
	for (const { bytes } of columns) {
		page.set(bytes, at);
		at += bytes.length;
	}
	return page;
}

/** SQLite's shortest form of a number that is no less than 0. */
function integer(value: number): { readonly type: number; readonly bytes: Uint8Array } {
	if (value === 0 || value === 1) return { type: 8 + value, bytes: new Uint8Array(0) };
	const sizes = [
		{ type: 1, size: 1 },
		{ type: 2, size: 2 },
		{ type: 3, size: 3 },
		{ type: 4, size: 4 },
		{ type: 5, size: 6 },
		{ type: 6, size: 8 },
	];
	const fit = sizes.find(({ size }) => value < 2 ** (8 * size - 1));
	if (fit === undefined || value < 0) throw new RangeError(`${value} is no index and no term`);
	const bytes = new Uint8Array(8);
	new DataView(bytes.buffer).setBigInt64(0, BigInt(value));
	return { type: fit.type, bytes: bytes.subarray(8 - fit.size) };
}

/** Seven bits a byte, the highest first. */
function varint(value: number): number[] {
	const bytes = [value % 128];
	for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
		bytes.unshift((rest % 128) | 128);
	return bytes;
}
