/** A disk that says what is done to its files, and lets a test step in before each of these steps. */
import type { Disk, DiskFile } from "../../world/disk.ts";

export interface Step {
	readonly type: "open" | "read" | "write" | "sync" | "size" | "truncate" | "close";
	/** Under which the file was opened. */
	readonly path: string;
	readonly offset: number;
	readonly sizeBytes: number;
}

export interface WatchedDisk extends Disk {
	readonly steps: Step[];
	/** Paths of the files that are open now. */
	readonly openPaths: string[];
	/** The step waits for it, and fails with what it throws. */
	before: (step: Step) => Promise<void> | void;
}

export function watchDisk(disk: Disk): WatchedDisk {
	const open = new Map<DiskFile, string>();
	const watched: WatchedDisk = {
		steps: [],
		get openPaths() {
			return [...open.values()];
		},
		before() {},
		list: (directory) => disk.list(directory),
		makeDirectory: (directory) => disk.makeDirectory(directory),
		rename: (from, to) => disk.rename(from, to),
		remove: (path) => disk.remove(path),
		syncDirectory: (directory) => disk.syncDirectory(directory),
		checksum: disk.checksum,
		async open(path, options) {
			await begin({ type: "open", path, offset: 0, sizeBytes: 0 });
			const file = await disk.open(path, options);
			open.set(file, path);
			return watchFile(file, path);
		},
	};

	async function begin(step: Step): Promise<void> {
		watched.steps.push(step);
		await watched.before(step);
	}

	function watchFile(file: DiskFile, path: string): DiskFile {
		async function take(type: Step["type"], offset = 0, sizeBytes = 0): Promise<void> {
			await begin({ type, path, offset, sizeBytes });
			if (!open.has(file))
				throw Object.assign(new Error(`${type} of ${path}, which is closed`), { code: "EBADF" });
		}
		return {
			async read(offset, length) {
				await take("read", offset, length);
				return await file.read(offset, length);
			},
			async write(offset, chunks) {
				await take(
					"write",
					offset,
					chunks.reduce((sum, { length }) => sum + length, 0),
				);
				await file.write(offset, chunks);
			},
			async sync() {
				await take("sync");
				await file.sync();
			},
			async size() {
				await take("size");
				return await file.size();
			},
			async truncate(size) {
				await take("truncate", size);
				await file.truncate(size);
			},
			async close() {
				await take("close");
				open.delete(file);
				await file.close();
			},
		};
	}

	return watched;
}
