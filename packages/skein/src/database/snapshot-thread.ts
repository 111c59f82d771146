/**
 * Makes one snapshot, on a thread of its own: pins a read transaction, lets SQLite copy that state
 * page by page while writes go on, makes the copy durable, and hashes it.
 */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, fsyncSync, openSync, statSync } from "node:fs";
import { backup } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { gateOf, type Seat } from "./begin-gate.ts";
import type { DatabaseState } from "./database.ts";
import { makeExact, pinState } from "./snapshot-copy.ts";

export interface SnapshotThreadData {
	readonly path: string;
	readonly target: string;
	readonly seat: Seat;
}

export interface SnapshotMade {
	readonly state: DatabaseState;
	readonly sizeBytes: number;
	readonly sha256: string;
}

/** Pages copied between two looks at the thread's other work. */
const pagesAStep = 1_000;

async function make({ path, target, seat }: SnapshotThreadData): Promise<SnapshotMade> {
	const { connection, state } = pinState(path, gateOf(seat));
	try {
		await backup(connection, target, { rate: pagesAStep });
		makeExact(connection, target);
		connection.exec("ROLLBACK");
		syncFile(target);
		return { state, sizeBytes: statSync(target).size, sha256: await hashFile(target) };
	} finally {
		connection.close();
	}
}

function syncFile(path: string): void {
	const descriptor = openSync(path, "r+");
	try {
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}

async function hashFile(path: string): Promise<string> {
	const hash = createHash("sha256");
	for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
	return hash.digest("hex");
}

if (parentPort !== null) parentPort.postMessage(await make(workerData as SnapshotThreadData));
