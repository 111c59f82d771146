/**
 * Disk on real files, below one root directory. Small writes are one system call on this thread: a
 * copy into the page cache takes microseconds, a trip through the thread pool takes tens of them.
 * Everything that can wait for the device (sync, reads, large writes) goes through the thread pool.
 */
import fs from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import type { Disk, DiskFile } from "./disk.ts";

const maxSynchronousBytes = 64 * 1024;
/** The least that every system takes in one writev (IOV_MAX). */
const maxChunksPerCall = 1024;

const fdatasync = promisify(fs.fdatasync);
const ftruncate = promisify(fs.ftruncate);
const closeDescriptor = promisify(fs.close);

export function createFileDisk(rootDirectory: string): Disk {
	const resolve = (path: string) => join(rootDirectory, path);
	return {
		async list(directory) {
			try {
				return await fs.promises.readdir(resolve(directory));
			} catch (error) {
				if (isAbsent(error)) return [];
				throw error;
			}
		},
		async makeDirectory(directory) {
			await fs.promises.mkdir(resolve(directory), { recursive: true });
		},
		async open(path, { create }) {
			const flags = fs.constants.O_RDWR | (create ? fs.constants.O_CREAT : 0);
			const descriptor = await promisify(fs.open)(resolve(path), flags, 0o600);
			return createFile(descriptor);
		},
		async rename(from, to) {
			await fs.promises.rename(resolve(from), resolve(to));
		},
		async remove(path) {
			await fs.promises.rm(resolve(path), { force: true });
		},
		async syncDirectory(directory) {
			const handle = await fs.promises.open(resolve(directory), "r");
			try {
				await handle.sync();
			} finally {
				await handle.close();
			}
		},
		checksum: (bytes, seed = 0) => crc32(bytes, seed),
	};
}

function createFile(descriptor: number): DiskFile {
	return {
		read: (offset, length) => readFully(descriptor, offset, length),
		async write(offset, chunks) {
			let sizeBytes = 0;
			for (const chunk of chunks) sizeBytes += chunk.length;
			if (sizeBytes <= maxSynchronousBytes) writeSynchronously(descriptor, offset, chunks);
			else await writeInBackground(descriptor, offset, chunks);
		},
		sync: () => fdatasync(descriptor),
		size: async () => (await promisify(fs.fstat)(descriptor)).size,
		truncate: (size) => ftruncate(descriptor, size),
		close: () => closeDescriptor(descriptor),
	};
}

async function readFully(descriptor: number, offset: number, length: number): Promise<Uint8Array> {
	const bytes = new Uint8Array(length);
	let filled = 0;
	while (filled < length) {
		const count = await new Promise<number>((resolve, reject) => {
			fs.read(descriptor, bytes, filled, length - filled, offset + filled, (error, bytesRead) =>
				error ? reject(error) : resolve(bytesRead),
			);
		});
		if (count === 0) break;
		filled += count;
	}
	return filled === length ? bytes : bytes.slice(0, filled);
}

function writeSynchronously(descriptor: number, offset: number, chunks: readonly Uint8Array[]): void {
	let rest = chunks;
	let place = offset;
	while (rest.length > 0) {
		const [first] = rest;
		const count =
			rest.length === 1 && first !== undefined
				? fs.writeSync(descriptor, first, 0, first.length, place)
				: fs.writevSync(descriptor, rest.slice(0, maxChunksPerCall), place);
		place += count;
		rest = without(rest, count);
	}
}

async function writeInBackground(
	descriptor: number,
	offset: number,
	chunks: readonly Uint8Array[],
): Promise<void> {
	let rest = chunks;
	let place = offset;
	while (rest.length > 0) {
		const part = rest.slice(0, maxChunksPerCall);
		const count = await new Promise<number>((resolve, reject) => {
			fs.writev(descriptor, part, place, (error, written) => (error ? reject(error) : resolve(written)));
		});
		place += count;
		rest = without(rest, count);
	}
}

/** What a write of `count` bytes has left over: the system may write less than asked. */
export function without(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
	let left = count;
	let position = 0;
	for (const chunk of chunks) {
		if (left < chunk.length) break;
		left -= chunk.length;
		position++;
	}
	const partial = chunks[position];
	if (partial === undefined) return [];
	// A zero answer for bytes that were there would otherwise turn in a circle for ever.
	if (count === 0) throw new Error("the system wrote nothing and reported no error");
	return left === 0 ? chunks.slice(position) : [partial.subarray(left), ...chunks.slice(position + 1)];
}

function isAbsent(error: unknown): boolean {
	return error instanceof Error && "code" in error && error.code === "ENOENT";
}
