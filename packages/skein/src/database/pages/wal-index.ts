/**
 * The index of SQLite's write-ahead file, `-shm` (https://sqlite.org/walformat.html §2): which frames count, and in which
 * frame a page is. SQLite maps it into memory; what is written to the file is seen there. Written here only while the
 * writing connection holds SQLite's lock for writers, in the order in which SQLite does it: entries first, which nobody
 * looks at, then the second copy of the header, then the first.
 */
import { readSync, writeSync } from "node:fs";
import { addToSum, type Sum } from "./wal-frames.ts";

/** What counts. Everything but the frames themselves. */
export interface IndexHeader {
	/** Goes up with each change, so that connections see that there was one. */
	readonly change: number;
	readonly pageBytes: number;
	/** Frames that count. */
	readonly frames: number;
	/** Pages of the database. */
	readonly pages: number;
	/** Behind the last frame that counts; of the file's header, if there is none. */
	readonly sum: Sum;
	readonly salts: Uint8Array;
}

const version = 3007000;
const headerBytes = 48;
/** Both copies of the header, and what readers and checkpoints write. */
const firstEntryAt = 136;
const copiedFramesAt = 96;
const blockBytes = 32_768;
const hashAt = 16_384;
const entriesInBlock = 4_096;
const entriesInFirst = entriesInBlock - firstEntryAt / 4;
const slots = 8_192;

export function readIndexHeader(descriptor: number): IndexHeader {
	const bytes = new Uint8Array(2 * headerBytes);
	if (readSync(descriptor, bytes, 0, bytes.length, 0) !== bytes.length)
		throw new Error("the index of SQLite's write-ahead file is too short");
	const view = new DataView(bytes.buffer);
	const sum = addToSum([0, 0], bytes.subarray(0, 40));
	const isSame = bytes.subarray(0, headerBytes).every((byte, at) => byte === bytes[headerBytes + at]);
	if (!isSame || view.getUint32(40, true) !== sum[0] || view.getUint32(44, true) !== sum[1])
		throw new Error("the index of SQLite's write-ahead file is not whole");
	if (view.getUint32(0, true) !== version || view.getUint8(13) !== 0)
		throw new Error("the index of SQLite's write-ahead file has another version or byte order");
	const size = view.getUint16(14, true);
	return {
		change: view.getUint32(8, true),
		pageBytes: (size & 0xfe00) + ((size & 1) << 16),
		frames: view.getUint32(16, true),
		pages: view.getUint32(20, true),
		sum: [view.getUint32(24, true), view.getUint32(28, true)],
		salts: bytes.slice(32, 40),
	};
}

export function writeIndexHeader(descriptor: number, header: IndexHeader): void {
	const bytes = new Uint8Array(headerBytes);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, version, true);
	view.setUint32(8, header.change, true);
	view.setUint8(12, 1);
	view.setUint16(14, (header.pageBytes & 0xff00) | (header.pageBytes >>> 16), true);
	view.setUint32(16, header.frames, true);
	view.setUint32(20, header.pages, true);
	view.setUint32(24, header.sum[0], true);
	view.setUint32(28, header.sum[1], true);
	bytes.set(header.salts, 32);
	const sum = addToSum([0, 0], bytes.subarray(0, 40));
	view.setUint32(40, sum[0], true);
	view.setUint32(44, sum[1], true);
	writeSync(descriptor, bytes, 0, headerBytes, headerBytes);
	writeSync(descriptor, bytes, 0, headerBytes, 0);
}

/** Frames that a checkpoint has copied into the main file. */
export function copiedFrames(descriptor: number): number {
	const bytes = new Uint8Array(4);
	readSync(descriptor, bytes, 0, 4, copiedFramesAt);
	return new DataView(bytes.buffer).getUint32(0, true);
}

interface Place {
	readonly block: number;
	/** Frames before this block. */
	readonly before: number;
	/** Where the block's entries begin. */
	readonly entriesAt: number;
}

function placeOf(frame: number): Place {
	if (frame <= entriesInFirst) return { block: 0, before: 0, entriesAt: firstEntryAt };
	const block = 1 + Math.floor((frame - entriesInFirst - 1) / entriesInBlock);
	const before = entriesInFirst + (block - 1) * entriesInBlock;
	return { block, before, entriesAt: block * blockBytes };
}

/**
 * Enters frames behind `last`, the last one that counts. Entries of frames behind it that do not count any more are
 * cleared first. Nothing that is there and counts is written again: others read it meanwhile.
 */
export function enterFrames(descriptor: number, last: number, pages: readonly number[]): void {
	for (let from = 0; from < pages.length; ) {
		const place = placeOf(last + from + 1);
		const first = last + from + 1 - place.before;
		const room = (place.block === 0 ? entriesInFirst : entriesInBlock) - first + 1;
		const some = pages.slice(from, from + room);
		enterInBlock(descriptor, place, first, some);
		from += some.length;
	}
}

function enterInBlock(descriptor: number, place: Place, first: number, pages: readonly number[]): void {
	const { block, entriesAt } = place;
	const hashOffset = block * blockBytes + hashAt;
	if (first === 1) {
		// Nobody looks into a block whose frames do not count.
		const size = (block + 1) * blockBytes - entriesAt;
		writeSync(descriptor, new Uint8Array(size), 0, size, entriesAt);
	}
	const bytes = new Uint8Array(slots * 2);
	readSync(descriptor, bytes, 0, bytes.length, hashOffset);
	const hash = new DataView(bytes.buffer);
	const put = (slot: number, entry: number): void => {
		hash.setUint16(slot * 2, entry, true);
		writeSync(descriptor, bytes, slot * 2, 2, hashOffset + slot * 2);
	};
	for (let slot = 0; slot < slots; slot++) if (hash.getUint16(slot * 2, true) >= first) put(slot, 0);
	const entries = new Uint8Array(pages.length * 4);
	const view = new DataView(entries.buffer);
	for (const [at, page] of pages.entries()) view.setUint32(at * 4, page, true);
	writeSync(descriptor, entries, 0, entries.length, entriesAt + (first - 1) * 4);
	for (const [at, page] of pages.entries()) {
		let slot = Math.imul(page, 383) & (slots - 1);
		while (hash.getUint16(slot * 2, true) !== 0) slot = (slot + 1) & (slots - 1);
		put(slot, first + at);
	}
}
