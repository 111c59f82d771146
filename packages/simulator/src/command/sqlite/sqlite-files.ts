/**
 * What a member's SQLite leaves on disk, and what a crash makes of it. The files are real and lie in a
 * directory in memory; a crash moves the member to a copy of them, so that connections of the life that
 * is over cannot touch what the next one opens, and their closing (which may copy the write-ahead file
 * back) leaves no trace.
 *
 * A killed process loses nothing, the operating system has it. A power loss takes of the write-ahead file
 * what was written after its last sync: any pieces of it. SQLite syncs it when a checkpoint begins, and
 * its header when it starts anew; the main file changes in checkpoints only, and is synced in them
 * (synchronous = NORMAL, database/checkpoint.ts).
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { databaseFileName } from "../../../../skein/src/database/connection.ts";
import type { Chance } from "../../engine/chance.ts";

export interface SqliteFiles {
	/** Of the database of this life. */
	readonly path: string;
	/** `close` is called when the life ends, unless it was forgotten before. Returns what forgets it. */
	hold(close: () => void): () => void;
	/** `make` makes a checkpoint. If it copied anything, the write-ahead file is durable as it is. */
	checkpoint<T>(make: () => T): T;
	/** The database was closed or replaced: there is no write-ahead file, or a new one. */
	synced(): void;
	crash(kind: "kill" | "power"): void;
	/** Another directory, empty. */
	wipe(): void;
	dispose(): void;
}

const pieceBytes = 512;
const walHeaderBytes = 32;

export function createSqliteFiles(directory: string, chance: Chance): SqliteFiles {
	let generation = 0;
	let path = pathOf(generation);
	let durableWal: Uint8Array = new Uint8Array(0);
	const open = new Set<() => void>();
	mkdirSync(dirname(path), { recursive: true });

	function pathOf(number: number): string {
		return join(directory, String(number), databaseFileName);
	}

	/** Frames that are copied back, from the index of the write-ahead file (nBackfill, https://sqlite.org/walformat.html §2.1). */
	function copiedFrames(): number {
		const index = readIfThere(`${path}-shm`);
		return index.length < 100 ? 0 : new DataView(index.buffer, index.byteOffset).getUint32(96, true);
	}

	function synced(): void {
		durableWal = readIfThere(`${path}-wal`);
	}

	function closeAll(): void {
		for (const close of open) close();
		open.clear();
	}

	/** Returns where the files were. */
	function move(): string {
		const old = path;
		path = pathOf(++generation);
		mkdirSync(dirname(path), { recursive: true });
		return old;
	}

	function leave(old: string): void {
		closeAll();
		rmSync(dirname(old), { recursive: true, force: true });
	}

	return {
		get path() {
			return path;
		},
		hold(close) {
			open.add(close);
			return () => open.delete(close);
		},
		checkpoint(make) {
			const before = copiedFrames();
			const result = make();
			if (copiedFrames() !== before) synced();
			return result;
		},
		synced,
		crash(kind) {
			const old = move();
			for (const suffix of ["", ".install"])
				if (existsSync(old + suffix)) writeFileSync(path + suffix, readFileSync(old + suffix));
			const wal = readIfThere(`${old}-wal`);
			const left = kind === "power" ? losePower(wal, durableWal, chance) : wal;
			if (left.length > 0) writeFileSync(`${path}-wal`, left);
			if (kind === "power") durableWal = left;
			leave(old);
		},
		wipe() {
			leave(move());
			durableWal = new Uint8Array(0);
		},
		dispose() {
			closeAll();
			rmSync(directory, { recursive: true, force: true });
		},
	};
}

/** Half of the time a beginning stays, as when the file was written in order; else any pieces. */
export function losePower(written: Uint8Array, durable: Uint8Array, chance: Chance): Uint8Array {
	if (written.length <= walHeaderBytes) return written;
	const cut = chance.integer(walHeaderBytes, written.length);
	const keptShare = chance.happens(0.5) ? 0 : chance.next();
	const left = new Uint8Array(written.length);
	left.set(durable.subarray(0, written.length));
	left.set(written.subarray(0, cut));
	let length = Math.max(cut, Math.min(durable.length, written.length));
	for (let at = cut; at < written.length; at = (Math.floor(at / pieceBytes) + 1) * pieceBytes) {
		if (!chance.happens(keptShare)) continue;
		const end = Math.min(written.length, (Math.floor(at / pieceBytes) + 1) * pieceBytes);
		left.set(written.subarray(at, end), at);
		length = Math.max(length, end);
	}
	return left.subarray(0, length);
}

function readIfThere(path: string): Uint8Array {
	return existsSync(path) ? readFileSync(path) : new Uint8Array(0);
}
