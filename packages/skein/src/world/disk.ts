/**
 * Disk: the files of one node, as far as the log, the identity and snapshots need them. Paths are
 * relative to the node's data directory and use "/". SQLite's own files do not pass through here.
 *
 * Contract, which the simulator's disk takes to its limits: written bytes may be lost, in any
 * order and in part, until `sync` of that file has resolved; a created, renamed or removed name may
 * be lost until `syncDirectory` has. After a failed `sync` nothing about that file can be trusted
 * (the page cache may have dropped the bytes: https://lwn.net/Articles/752063/), so the caller must
 * stop the process, never try again.
 */

export interface DiskFile {
	/** Up to `length` bytes from `offset`; fewer only at the end of the file. */
	read(offset: number, length: number): Promise<Uint8Array>;
	/** Writes all chunks one after the other from `offset`. Resolves when readers see them; durable only after `sync`. */
	write(offset: number, chunks: readonly Uint8Array[]): Promise<void>;
	/** Makes everything that was written before the call durable (data and the size, as fdatasync). */
	sync(): Promise<void>;
	size(): Promise<number>;
	/** Cuts or extends the file to `size` bytes; new bytes are zero. */
	truncate(size: number): Promise<void>;
	close(): Promise<void>;
}

export interface Disk {
	/** Names (not paths) in a directory; an absent directory is empty. */
	list(directory: string): Promise<string[]>;
	makeDirectory(directory: string): Promise<void>;
	/** Opens for reading and writing. `create`: make it if absent; else an absent file is an error with code ENOENT. */
	open(path: string, options: { create: boolean }): Promise<DiskFile>;
	rename(from: string, to: string): Promise<void>;
	/** Removing an absent file is not an error. */
	remove(path: string): Promise<void>;
	syncDirectory(directory: string): Promise<void>;
	/** CRC-32 (IEEE) of `bytes`, continued from `seed` (0 to begin). With Disk because its fast form is the platform's. */
	checksum(this: void, bytes: Uint8Array, seed?: number): number;
}

/** What a device looks like that refuses work, perhaps for now only: an Error whose `code` is EIO, or SQLite's words for it. */
export function isDiskFailing(error: unknown): boolean {
	if (!(error instanceof Error)) return false;
	return ("code" in error && error.code === "EIO") || error.message.includes("disk I/O error");
}

/** What a full disk looks like on every implementation: an Error whose `code` is ENOSPC (or EDQUOT), or SQLite's word for it. */
export function isDiskFull(error: unknown): boolean {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	return code === "ENOSPC" || code === "EDQUOT" || code === "DISK_FULL";
}
