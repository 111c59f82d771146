/**
 * Replaces the database file by a checked snapshot so that a crash at any step leaves a whole database.
 * An old write-ahead file beside a new main file would be replayed into it, and an old main file
 * without its write-ahead file may be half a checkpoint, so the replacement is announced first:
 *
 * 1. the snapshot is renamed to `….install` and the name made durable: from here on it will be done.
 *    Crash before: nothing happened. Crash after: opening finds `….install` and goes on with 2.
 * 2. the old write-ahead files are removed, durably.
 * 3. `….install` is renamed to the database, durably.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";

const installSuffix = ".install";

export function replaceFile(databasePath: string, snapshotPath: string): void {
	syncPath(snapshotPath);
	renameSync(snapshotPath, databasePath + installSuffix);
	syncPath(dirname(databasePath));
	finishReplacing(databasePath);
}

/** To be called before the database is opened. */
export function finishReplacing(databasePath: string): void {
	if (!existsSync(databasePath + installSuffix)) return;
	rmSync(`${databasePath}-wal`, { force: true });
	rmSync(`${databasePath}-shm`, { force: true });
	syncPath(dirname(databasePath));
	renameSync(databasePath + installSuffix, databasePath);
	syncPath(dirname(databasePath));
}

function syncPath(path: string): void {
	const descriptor = openSync(path, "r");
	try {
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}
