/**
 * Reading and writing a database by its pages, beside SQLite: `node:sqlite` has no way to the pages, so its write-ahead
 * file is read and written itself (docs/decisions/wal-format.md). What SQLite committed can be taken back, as if it had
 * never been; pages can be written as one transaction of SQLite's. Readers stay open, and keep the state that they hold.
 *
 * The caller owns the one writing connection. While something is changed here, that connection holds SQLite's lock for
 * writers, and gives it back by COMMIT: after ROLLBACK it would believe that its cache is as new as the file.
 */

import { randomBytes } from "node:crypto";
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, statSync, writeSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import {
	decodeFrame,
	decodeWalHeader,
	encodeFrame,
	encodeWalHeader,
	frameHeaderBytes,
	frameOffset,
	type Sum,
	walHeaderBytes,
} from "./wal-frames.ts";
import {
	copiedFrames,
	enterFrames,
	type IndexHeader,
	readIndexHeader,
	writeIndexHeader,
} from "./wal-index.ts";

/** Pages, by their numbers, and of how many the database is with them. Read as they are asked for: all of them may be many. */
export interface Pages {
	readonly pageBytes: number;
	readonly size: number;
	/** In the order in which `read` gives them. */
	readonly numbers: readonly number[];
	read(): Iterable<readonly [page: number, bytes: Uint8Array]>;
}

/** Pages that are in memory. */
export function pagesInMemory(
	pageBytes: number,
	size: number,
	pages: ReadonlyMap<number, Uint8Array>,
): Pages {
	return { pageBytes, size, numbers: [...pages.keys()], read: () => pages };
}

/** A transaction that is written as its pages come. Nobody sees it, and any other that is written ends it. */
export interface PageTransaction {
	append(pages: Iterable<readonly [page: number, bytes: Uint8Array]>): void;
	/** With the last of its pages: from now on it counts. */
	publish(size: number, last: ReadonlyMap<number, Uint8Array>): void;
}

export interface PageStore {
	/** What counts now, for `takeBack`. Inside the transaction that it will take back. */
	mark(): IndexHeader;
	/** What SQLite has committed since the mark, which is taken back. Its pages stay where they are until the next is written. */
	takeBack(connection: DatabaseSync, mark: IndexHeader): Pages;
	/** `isTaken`: its pages are those that were taken back, which lie where they go to. */
	begin(connection: DatabaseSync, pageBytes: number, isTaken: boolean): PageTransaction;
	/** Takes back the last transaction in the write-ahead file. False: there is none in it. */
	takeBackLast(connection: DatabaseSync): boolean;
	close(): void;
}

/** Frames that are read or written at once. */
export const framesAtOnce = 256;

type NumberedPage = readonly [page: number, bytes: Uint8Array];

/** Where the next frame of a transaction goes. */
interface Behind {
	/** What counted when it began. */
	readonly found: IndexHeader;
	/** The same, but that a file in which nothing counts has a header of its own now. */
	readonly header: IndexHeader;
	readonly frames: number;
	readonly sum: Sum;
}

export function createPageStore(path: string): PageStore {
	const wal = heldFile(`${path}-wal`);
	const index = heldFile(`${path}-shm`);
	/** Goes up when what was taken back is not there any more. */
	const counted = { taken: 0 };

	/** Nobody may wait here for readers: it is done another time. */
	function startAgain(connection: DatabaseSync): void {
		const { frames } = readIndexHeader(index.descriptor());
		if (frames === 0 || copiedFrames(index.descriptor()) !== frames) return;
		const before = connection.prepare("PRAGMA busy_timeout").get()?.["timeout"];
		connection.exec("PRAGMA busy_timeout = 0");
		connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
		connection.exec(`PRAGMA busy_timeout = ${Number(before)}`);
	}

	function locked<T>(connection: DatabaseSync, work: () => T): T {
		connection.exec("BEGIN IMMEDIATE");
		try {
			return work();
		} finally {
			// Nothing was changed through SQLite: see above.
			connection.exec("COMMIT");
		}
	}

	/** Where the frames go: a file in which none counts gets a header first. */
	function beginning(now: IndexHeader, pageBytes: number): IndexHeader {
		if (now.frames > 0) return now;
		// Others than those of any frame that is still in the file.
		const salts = new Uint8Array(randomBytes(8));
		const { bytes, sum } = encodeWalHeader(pageBytes, salts);
		writeAll(wal.descriptor(), bytes, 0);
		// As SQLite does: after a loss of power an old header must not bring back old frames.
		fdatasyncSync(wal.descriptor());
		return { ...now, pageBytes, salts, sum };
	}

	/** `sizeAfter`: the last of them ends the transaction. */
	function appendFrames(behind: Behind, some: readonly NumberedPage[], sizeAfter: number): Sum {
		const { pageBytes, salts } = behind.header;
		const frameBytes = frameHeaderBytes + pageBytes;
		const buffer = new Uint8Array(some.length * frameBytes);
		let { sum } = behind;
		for (const [at, [page, bytes]] of some.entries()) {
			const target = buffer.subarray(at * frameBytes, (at + 1) * frameBytes);
			sum = encodeFrame(
				target,
				{ page, sizeAfter: at === some.length - 1 ? sizeAfter : 0, bytes },
				salts,
				sum,
			);
		}
		writeAll(wal.descriptor(), buffer, frameOffset(behind.frames + 1, pageBytes));
		return sum;
	}

	/** In which frame each page is as it is in the end, in the order of the frames. */
	function framesOf(from: IndexHeader, to: IndexHeader): Map<number, number> {
		const frames = new Map<number, number>();
		const descriptor = wal.descriptor();
		for (let frame = from.frames + 1; frame <= to.frames; frame++) {
			const start = readAll(descriptor, frameOffset(frame, to.pageBytes), 4);
			const page = new DataView(start.buffer).getUint32(0);
			frames.delete(page);
			frames.set(page, frame);
		}
		return frames;
	}

	function* readFrames(frames: ReadonlyMap<number, number>, to: IndexHeader): Generator<NumberedPage> {
		const frameBytes = frameHeaderBytes + to.pageBytes;
		const { taken } = counted;
		let read: { readonly from: number; readonly bytes: Uint8Array } = { from: 0, bytes: new Uint8Array(0) };
		for (const [page, frame] of frames) {
			if (counted.taken !== taken) throw new Error("what was taken back is overwritten");
			if ((frame - read.from) * frameBytes >= read.bytes.length) {
				const count = Math.min(framesAtOnce, to.frames - frame + 1);
				const offset = frameOffset(frame, to.pageBytes);
				read = { from: frame, bytes: readAll(wal.descriptor(), offset, count * frameBytes) };
			}
			const at = (frame - read.from) * frameBytes;
			yield [page, read.bytes.subarray(at + frameHeaderBytes, at + frameBytes)];
		}
	}

	/** First in the file, which a start after a crash goes by; then in the index. */
	function endAt(header: IndexHeader, now: IndexHeader): void {
		writeAll(
			wal.descriptor(),
			new Uint8Array(frameHeaderBytes),
			frameOffset(header.frames + 1, now.pageBytes),
		);
		writeIndexHeader(index.descriptor(), header);
	}

	/** SQLite may have begun the file anew with that very transaction. */
	function whereItBegan(mark: IndexHeader, now: IndexHeader): IndexHeader {
		if (mark.frames > 0 && sameBytes(mark.salts, now.salts)) return mark;
		const header = decodeWalHeader(readAll(wal.descriptor(), 0, walHeaderBytes));
		if (header === null || !sameBytes(header.salts, now.salts))
			throw new Error("SQLite's write-ahead file does not fit its index");
		return { ...mark, frames: 0, salts: now.salts, sum: header.sum, pageBytes: now.pageBytes };
	}

	/** The last two transactions that are whole: where the one before the last ends. Null: there is none. */
	function beforeLast(now: IndexHeader): IndexHeader | null {
		const start = decodeWalHeader(readAll(wal.descriptor(), 0, walHeaderBytes));
		if (start === null || now.frames === 0) return null;
		let end: IndexHeader = { ...now, frames: 0, pages: 0, sum: start.sum };
		let { sum } = start;
		const frameBytes = frameHeaderBytes + now.pageBytes;
		for (let number = 1; number < now.frames; number++) {
			const bytes = readAll(wal.descriptor(), frameOffset(number, now.pageBytes), frameBytes);
			const decoded = decodeFrame(bytes, now.salts, sum);
			if (decoded === null) throw new Error("SQLite's write-ahead file does not fit its index");
			({ sum } = decoded);
			const { sizeAfter } = decoded.frame;
			if (sizeAfter > 0) end = { ...now, frames: number, pages: sizeAfter, sum };
		}
		return end;
	}

	return {
		mark: () => readIndexHeader(index.descriptor()),
		takeBack(connection, mark) {
			return locked(connection, () => {
				const now = readIndexHeader(index.descriptor());
				const from = whereItBegan(mark, now);
				const frames = framesOf(from, now);
				endAt(from, now);
				counted.taken++;
				const { taken } = counted;
				return {
					pageBytes: now.pageBytes,
					size: now.pages,
					numbers: [...frames.keys()],
					read() {
						if (counted.taken !== taken) throw new Error("what was taken back is overwritten");
						return readFrames(frames, now);
					},
				};
			});
		},
		begin: (connection, pageBytes, isTaken) => {
			const numbers: number[] = [];
			let behind: Behind | null = null;

			function start(): Behind {
				const found = readIndexHeader(index.descriptor());
				if (found.frames > 0 && found.pageBytes !== pageBytes)
					throw new Error(`pages of ${pageBytes} bytes, and the database has ${found.pageBytes}`);
				const header = beginning(found, pageBytes);
				return { found, header, frames: header.frames, sum: header.sum };
			}

			function put(some: readonly NumberedPage[], sizeAfter: number): Behind {
				behind ??= start();
				if (!isSameHeader(readIndexHeader(index.descriptor()), behind.found))
					throw new Error("another transaction was written between the pages of one");
				const sum = appendFrames(behind, some, sizeAfter);
				behind = { ...behind, frames: behind.frames + some.length, sum };
				for (const [page] of some) numbers.push(page);
				return behind;
			}

			// What was taken back would go with the file that it lies in.
			if (!isTaken) {
				counted.taken++;
				startAgain(connection);
			}
			return {
				append(pages) {
					for (const some of inGroups(pages, framesAtOnce)) locked(connection, () => put(some, 0));
				},
				publish(size, last) {
					if (last.size === 0) throw new Error("a transaction that ends without a page");
					locked(connection, () => {
						const { found, header, frames, sum } = put([...last], size);
						enterFrames(index.descriptor(), found.frames, numbers);
						writeIndexHeader(index.descriptor(), {
							...header,
							change: found.change + 1,
							frames,
							pages: size,
							sum,
						});
					});
				},
			};
		},
		takeBackLast(connection) {
			return locked(connection, () => {
				const now = readIndexHeader(index.descriptor());
				const end = beforeLast(now);
				if (end === null) return false;
				endAt(end, now);
				return true;
			});
		},
		close() {
			wal.close();
			index.close();
		},
	};
}

/**
 * A file that SQLite makes and removes. Its descriptor is kept: to close one of the index would take SQLite's locks on
 * that file from the whole process (https://sqlite.org/howtocorrupt.html §2.2). When the name stands for another file,
 * nobody has the old one open.
 */
function heldFile(path: string) {
	let held: { readonly descriptor: number; readonly inode: bigint } | null = null;

	function close(): void {
		if (held !== null) closeSync(held.descriptor);
		held = null;
	}

	return {
		descriptor(): number {
			const { ino } = statSync(path, { bigint: true });
			if (held?.inode === ino) return held.descriptor;
			close();
			const descriptor = openSync(path, "r+");
			held = { descriptor, inode: fstatSync(descriptor, { bigint: true }).ino };
			return descriptor;
		},
		close,
	};
}

function readAll(descriptor: number, offset: number, length: number): Uint8Array {
	const bytes = new Uint8Array(length);
	for (let at = 0; at < length; ) {
		const count = readSync(descriptor, bytes, at, length - at, offset + at);
		if (count === 0) throw new Error("SQLite's write-ahead file ends too early");
		at += count;
	}
	return bytes;
}

function writeAll(descriptor: number, bytes: Uint8Array, offset: number): void {
	for (let at = 0; at < bytes.length; )
		at += writeSync(descriptor, bytes, at, bytes.length - at, offset + at);
}

function isSameHeader(one: IndexHeader, other: IndexHeader): boolean {
	return (
		one.change === other.change &&
		one.frames === other.frames &&
		one.sum[0] === other.sum[0] &&
		one.sum[1] === other.sum[1] &&
		sameBytes(one.salts, other.salts)
	);
}

function* inGroups<T>(all: Iterable<T>, size: number): Generator<T[]> {
	let group: T[] = [];
	for (const one of all) {
		group.push(one);
		if (group.length < size) continue;
		yield group;
		group = [];
	}
	if (group.length > 0) yield group;
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
	return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
