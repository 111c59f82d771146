/**
 * SQLite's write-ahead file as bytes (https://sqlite.org/walformat.html §1): a header of 32 bytes, then frames, each a
 * header of 24 bytes and a page. A frame counts if it has the salts of the file's header and the sum over all before it
 * and itself; the last frame of a transaction tells the size of the database behind it.
 */

export const walHeaderBytes = 32;
export const frameHeaderBytes = 24;

/** SQLite's two running sums. */
export type Sum = readonly [number, number];

/** How SQLite opens this file: its sums are over words of little-endian. */
const magicLittleEndian = 0x377f0682;
const formatVersion = 3007000;

/** Where the n-th frame begins; they are counted from 1. */
export function frameOffset(frame: number, pageBytes: number): number {
	return walHeaderBytes + (frame - 1) * (frameHeaderBytes + pageBytes);
}

/** Of a multiple of eight bytes, that begin at a multiple of four. */
export function addToSum(sum: Sum, bytes: Uint8Array): Sum {
	let [one, other] = sum;
	const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
	for (let at = 0; at < words.length; at += 2) {
		one = (one + (words[at] ?? 0) + other) >>> 0;
		other = (other + (words[at + 1] ?? 0) + one) >>> 0;
	}
	return [one, other];
}

export interface WalHeader {
	readonly pageBytes: number;
	/** As they are in the file. */
	readonly salts: Uint8Array;
	readonly sum: Sum;
}

export function encodeWalHeader(pageBytes: number, salts: Uint8Array): { bytes: Uint8Array; sum: Sum } {
	const bytes = new Uint8Array(walHeaderBytes);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, magicLittleEndian);
	view.setUint32(4, formatVersion);
	view.setUint32(8, pageBytes);
	bytes.set(salts, 16);
	const sum = addToSum([0, 0], bytes.subarray(0, 24));
	view.setUint32(24, sum[0]);
	view.setUint32(28, sum[1]);
	return { bytes, sum };
}

/** Null: it is none, or one of another byte order. */
export function decodeWalHeader(bytes: Uint8Array): WalHeader | null {
	if (bytes.length < walHeaderBytes) return null;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const sum: Sum = [view.getUint32(24), view.getUint32(28)];
	const computed = addToSum([0, 0], bytes.slice(0, 24));
	if (view.getUint32(0) !== magicLittleEndian || computed[0] !== sum[0] || computed[1] !== sum[1])
		return null;
	return { pageBytes: view.getUint32(8), salts: bytes.slice(16, 24), sum };
}

export interface Frame {
	readonly page: number;
	/** Pages of the database behind the transaction that it ends; 0: it ends none. */
	readonly sizeAfter: number;
	readonly bytes: Uint8Array;
}

/** Writes a frame into `target` and returns the sum behind it. */
export function encodeFrame(target: Uint8Array, frame: Frame, salts: Uint8Array, before: Sum): Sum {
	const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
	view.setUint32(0, frame.page);
	view.setUint32(4, frame.sizeAfter);
	target.set(salts, 8);
	target.set(frame.bytes, frameHeaderBytes);
	const sum = addToSum(addToSum(before, target.subarray(0, 8)), target.subarray(frameHeaderBytes));
	view.setUint32(16, sum[0]);
	view.setUint32(20, sum[1]);
	return sum;
}

/** Null: the file's valid part ends before it. `sum` is that behind the frame. */
export function decodeFrame(
	bytes: Uint8Array,
	salts: Uint8Array,
	before: Sum,
): { readonly frame: Frame; readonly sum: Sum } | null {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const page = view.getUint32(0);
	if (page === 0 || salts.some((salt, at) => bytes[8 + at] !== salt)) return null;
	const sum = addToSum(addToSum(before, bytes.subarray(0, 8)), bytes.subarray(frameHeaderBytes));
	if (view.getUint32(16) !== sum[0] || view.getUint32(20) !== sum[1]) return null;
	return { frame: { page, sizeAfter: view.getUint32(4), bytes: bytes.subarray(frameHeaderBytes) }, sum };
}
