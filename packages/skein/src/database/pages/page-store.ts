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

/** Pages, by their numbers, and of how many the database is with them. */
export interface Pages {
	readonly pageBytes: number;
	readonly size: number;
	readonly pages: ReadonlyMap<number, Uint8Array>;
}

export interface PageStore {
	/** What counts now, for `takeBack`. Inside the transaction that it will take back. */
	mark(): IndexHeader;
	/** What SQLite has committed since the mark, which is taken back. */
	takeBack(connection: DatabaseSync, mark: IndexHeader): Pages;
	/** As one transaction of SQLite's. */
	write(connection: DatabaseSync, written: Pages): void;
	/** Takes back the last transaction in the write-ahead file. False: there is none in it. */
	takeBackLast(connection: DatabaseSync): boolean;
	close(): void;
}

/** Frames that are written at once. */
const framesAtOnce = 256;

export function createPageStore(path: string): PageStore {
	const wal = heldFile(`${path}-wal`);
	const index = heldFile(`${path}-shm`);

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

	function appendFrames(header: IndexHeader, { pageBytes, size, pages }: Pages): Sum {
		const frameBytes = frameHeaderBytes + pageBytes;
		const all = [...pages];
		let { sum } = header;
		for (let from = 0; from < all.length; from += framesAtOnce) {
			const some = all.slice(from, from + framesAtOnce);
			const buffer = new Uint8Array(some.length * frameBytes);
			for (const [at, [page, bytes]] of some.entries()) {
				const sizeAfter = from + at === all.length - 1 ? size : 0;
				const target = buffer.subarray(at * frameBytes, (at + 1) * frameBytes);
				sum = encodeFrame(target, { page, sizeAfter, bytes }, header.salts, sum);
			}
			writeAll(wal.descriptor(), buffer, frameOffset(header.frames + from + 1, pageBytes));
		}
		return sum;
	}

	function readPages(from: IndexHeader, to: IndexHeader): Map<number, Uint8Array> {
		const pages = new Map<number, Uint8Array>();
		const { pageBytes } = to;
		const frameBytes = frameHeaderBytes + pageBytes;
		for (let frame = from.frames + 1; frame <= to.frames; frame += framesAtOnce) {
			const count = Math.min(framesAtOnce, to.frames - frame + 1);
			const buffer = readAll(wal.descriptor(), frameOffset(frame, pageBytes), count * frameBytes);
			for (let at = 0; at < buffer.length; at += frameBytes) {
				const page = new DataView(buffer.buffer).getUint32(at);
				pages.set(page, buffer.subarray(at + frameHeaderBytes, at + frameBytes));
			}
		}
		return pages;
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
				const pages = readPages(from, now);
				endAt(from, now);
				return { pageBytes: now.pageBytes, size: now.pages, pages };
			});
		},
		write(connection, written) {
			if (written.pages.size === 0) throw new Error("a transaction of no page");
			startAgain(connection);
			locked(connection, () => {
				const now = beginning(readIndexHeader(index.descriptor()), written.pageBytes);
				if (now.pageBytes !== written.pageBytes)
					throw new Error(`pages of ${written.pageBytes} bytes, and the database has ${now.pageBytes}`);
				const sum = appendFrames(now, written);
				enterFrames(index.descriptor(), now.frames, [...written.pages.keys()]);
				writeIndexHeader(index.descriptor(), {
					...now,
					change: now.change + 1,
					frames: now.frames + written.pages.size,
					pages: written.size,
					sum,
				});
			});
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

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
	return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
