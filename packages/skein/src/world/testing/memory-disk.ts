/**
 * A disk in memory that does the worst that the Disk contract allows: a crash keeps any part of what
 * was not synced, in any order, down to pieces of a sector, and any of the names not made durable. For
 * unit tests and the simulator. Directories themselves are always durable (not modelled).
 */
import { crc32 } from "../crc32.ts";
import type { Disk, DiskFile } from "../disk.ts";
import type { MemoryFile } from "./memory-file.ts";
import { createMemoryFile } from "./memory-file.ts";

export interface MemoryDisk extends Disk {
	/** The machine loses power: open files are dead, and chance decides what of the unsynced work survives. */
	crash(): void;
	/** The process is killed: open files are dead, and what it wrote is still there, unsynced. */
	kill(): void;
	readonly faults: DiskFaults;
	/** Operations so far: each is a place where a crash can happen before and after. */
	readonly operations: number;
	/** Names with the bytes a reader sees now. */
	files(): ReadonlyMap<string, Uint8Array>;
	/** Inverts bits of a byte, durably: damage, not a crash. */
	flip(path: string, offset: number, mask: number): void;
}

export interface DiskFaults {
	/** Operations from this number on never happen and reject: a crash at that boundary. */
	stopAt: number;
	/** This many more syncs (of files or directories) work; the next fails, and what it was to write is lost in part. */
	syncsLeft: number;
	/** No write may make the sum of file sizes larger than this; a write that would is done in part. */
	capacityBytes: number;
	/** While set, operations wait for it. */
	hang: Promise<void> | null;
}

/** Names that a directory does not hold durably yet. */
type NameChange =
	| { readonly type: "link"; readonly path: string; readonly file: MemoryFile }
	| { readonly type: "unlink"; readonly path: string }
	/** Moves these very files, old path to new: a directory entry points to a file, not to a name. */
	| {
			readonly type: "rename";
			readonly from: string;
			readonly to: string;
			readonly moved: ReadonlyMap<string, MemoryFile>;
	  };

export class DiskStoppedError extends Error {
	override readonly name = "DiskStoppedError";
}

/** `random` gives numbers in 0 … 1, not 1. */
export function createMemoryDisk(random: () => number): MemoryDisk {
	let names = new Map<string, MemoryFile>();
	const durableNames = new Map<string, MemoryFile>();
	let nameChanges: NameChange[] = [];
	let operations = 0;
	/** Grows with each crash: what was opened before is dead. */
	let life = 0;
	const faults: DiskFaults = {
		stopAt: Number.POSITIVE_INFINITY,
		syncsLeft: Number.POSITIVE_INFINITY,
		capacityBytes: Number.POSITIVE_INFINITY,
		hang: null,
	};

	async function operation<T>(work: () => T, bornIn = life): Promise<T> {
		if (faults.hang !== null) await faults.hang;
		if (bornIn !== life || operations >= faults.stopAt) throw new DiskStoppedError("the process has ended");
		operations++;
		const result = work();
		// Completions come later, in the order of the operations.
		await Promise.resolve();
		if (bornIn !== life) throw new DiskStoppedError("the process has ended");
		return result;
	}

	function countSync(): void {
		faults.syncsLeft--;
		if (faults.syncsLeft < 0) throw diskError("EIO", "sync failed");
	}

	function changeName(change: NameChange): void {
		applyChange(names, change);
		nameChanges.push(change);
	}

	function roomFor(file: MemoryFile, end: number): number {
		let used = 0;
		for (const one of new Set(names.values())) used += one.sizeBytes;
		const growth = Math.max(0, end - file.sizeBytes);
		return Math.min(end, end - growth + Math.max(0, Math.min(growth, faults.capacityBytes - used)));
	}

	function openFile(file: MemoryFile): DiskFile {
		const bornIn = life;
		return {
			read: (offset, length) => operation(() => file.read(offset, length), bornIn),
			write: (offset, chunks) =>
				operation(() => {
					const bytes = join(chunks);
					const room = roomFor(file, offset + bytes.length) - offset;
					file.write(offset, bytes.subarray(0, Math.max(0, room)));
					if (room < bytes.length) throw diskError("ENOSPC", "no space left on device");
				}, bornIn),
			sync: () =>
				operation(() => {
					if (faults.syncsLeft <= 0) file.failSync(random);
					countSync();
					file.sync();
				}, bornIn),
			size: () => operation(() => file.sizeBytes, bornIn),
			truncate: (size) => operation(() => file.truncate(size), bornIn),
			close: () => operation(() => {}, bornIn),
		};
	}

	return {
		faults,
		get operations() {
			return operations;
		},
		list: (directory) =>
			operation(() => {
				const prefix = directory === "" ? "" : `${directory}/`;
				const below = [...names.keys()].filter((path) => path.startsWith(prefix));
				return [...new Set(below.map((path) => path.slice(prefix.length).split("/")[0] ?? ""))];
			}),
		makeDirectory: () => operation(() => {}),
		open: (path, { create }) =>
			operation(() => {
				let file = names.get(path);
				if (file === undefined) {
					if (!create) throw diskError("ENOENT", `${path} is absent`);
					file = createMemoryFile();
					changeName({ type: "link", path, file });
				}
				return openFile(file);
			}),
		rename: (from, to) =>
			operation(() => {
				const isMoved = (path: string) => path === from || path.startsWith(`${from}/`);
				const moved = new Map([...names].filter(([path]) => isMoved(path)));
				if (moved.size === 0) throw diskError("ENOENT", `${from} is absent`);
				changeName({ type: "rename", from, to, moved });
			}),
		remove: (path) =>
			operation(() => {
				if (names.has(path)) changeName({ type: "unlink", path });
			}),
		syncDirectory: (directory) =>
			operation(() => {
				countSync();
				const isHere = (change: NameChange) => parentOf(pathOf(change)) === directory;
				for (const change of nameChanges) if (isHere(change)) applyChange(durableNames, change);
				nameChanges = nameChanges.filter((change) => !isHere(change));
			}),
		checksum: crc32,
		crash() {
			life++;
			for (const change of nameChanges) if (random() < 0.5) applyChange(durableNames, change);
			nameChanges = [];
			for (const file of new Set(durableNames.values())) file.crash(random);
			names = new Map(durableNames);
			faults.stopAt = Number.POSITIVE_INFINITY;
		},
		kill() {
			life++;
			faults.stopAt = Number.POSITIVE_INFINITY;
		},
		files: () => new Map([...names].map(([path, file]) => [path, file.read(0, file.sizeBytes)])),
		flip(path, offset, mask) {
			const file = names.get(path);
			if (file === undefined) throw new Error(`${path} is absent`);
			file.flip(offset, mask);
		},
	};
}

function applyChange(names: Map<string, MemoryFile>, change: NameChange): void {
	switch (change.type) {
		case "link":
			names.set(change.path, change.file);
			return;
		case "unlink":
			names.delete(change.path);
			return;
		case "rename": {
			const { from, to, moved } = change;
			for (const [path, file] of moved) {
				const isHere = names.get(path) === file;
				if (isHere) names.delete(path);
				// Below a directory that was renamed lies what it durably held, no more.
				else if (path !== from) continue;
				names.set(to + path.slice(from.length), file);
			}
			return;
		}
		default: {
			const never: never = change;
			throw new Error(`unknown change ${JSON.stringify(never)}`);
		}
	}
}

function pathOf(change: NameChange): string {
	return change.type === "rename" ? change.to : change.path;
}

function parentOf(path: string): string {
	return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
	const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
	let place = 0;
	for (const chunk of chunks) {
		bytes.set(chunk, place);
		place += chunk.length;
	}
	return bytes;
}

function diskError(code: string, text: string): Error {
	return Object.assign(new Error(`${code}: ${text}`), { code });
}
