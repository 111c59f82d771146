/**
 * Keeps two processes from using one data directory. The lock is SQLite's exclusive lock on a small
 * file: the operating system holds it for the process, so it ends with the process however that
 * ends, SIGKILL too, and there is never a stale one. Node itself has no flock.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface DataDirectoryLock {
	release(): void;
}

export class DataDirectoryInUseError extends Error {
	override readonly name = "DataDirectoryInUseError";
	readonly processId: number | null;

	constructor(directory: string, processId: number | null) {
		const holder = processId === null ? "another process" : `process ${processId}`;
		super(`the data directory ${directory} is in use by ${holder}`);
		this.processId = processId;
	}
}

export async function lockDataDirectory(directory: string): Promise<DataDirectoryLock> {
	const database = new DatabaseSync(join(directory, "lock"));
	// Beside the lock, since nobody can read a file that is locked like this. Only ever for the message.
	const ownerPath = join(directory, "lock.owner");
	try {
		database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
	} catch (error) {
		database.close();
		if (!isBusy(error)) throw error;
		throw new DataDirectoryInUseError(directory, readOwner(ownerPath));
	}
	try {
		writeFileSync(ownerPath, `${process.pid}\n`);
	} catch {
		// A full disk must not keep a node from starting; the message then lacks the id.
	}
	let held = true;
	return {
		release() {
			if (held) database.close();
			held = false;
		},
	};
}

/** SQLITE_BUSY, in its extended forms too. */
function isBusy(error: unknown): boolean {
	return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === 5;
}

function readOwner(path: string): number | null {
	try {
		const processId = Number.parseInt(readFileSync(path, "utf8"), 10);
		return Number.isSafeInteger(processId) ? processId : null;
	} catch {
		return null;
	}
}
