/**
 * Copying SQLite's write-ahead file back into the main file, and what is durable after it.
 *
 * The argument: with synchronous=NORMAL a checkpoint syncs the write-ahead file before it copies a
 * frame, and the main file after it. The applied index is read before the checkpoint begins. If then
 * every frame was copied, everything that this index stands for is in the main file and synced. If a
 * reader held some frames back, nothing is claimed.
 */
import type { DatabaseSync } from "node:sqlite";
import { readState } from "./own-tables.ts";

export interface CheckpointResult {
	/** Everything up to here is durable in the main file; null: nothing new can be claimed. */
	readonly durableIndex: number | null;
}

export function checkpointOn(connection: DatabaseSync): CheckpointResult {
	const { applied } = readState(connection);
	const row = connection.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
	const complete = row?.["busy"] === 0 && row["log"] === row["checkpointed"];
	return { durableIndex: complete ? applied.index : null };
}
