/**
 * The real Database: SQLite on threads of its own, never on the event loop. One writer thread, a pool
 * of readers, threads for read transactions, and one for each snapshot while it is made or checked.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { LogIndex, Position } from "../consensus/types.ts";
import { createSharedGate } from "./begin-gate.ts";
import { isInPages } from "./changes/payload.ts";
import type { CheckpointResult } from "./checkpoint.ts";
import { databaseFileName, openReading } from "./connection.ts";
import type { AppliedEntry, Database, DatabaseState, SnapshotFile, WriteRequest } from "./database.ts";
import type { InstallThreadData } from "./install-thread.ts";
import type { LogFormat } from "./log-format.ts";
import { type PackedWriteOutcome, packRequest, unpackWriteOutcome } from "./packing.ts";
import { createReadTransactions } from "./read-transactions.ts";
import { createReaderPool } from "./reader-pool.ts";
import { finishReplacing, replaceFile } from "./replace-file.ts";
import { type DatabaseSettings, defaultDatabaseSettings } from "./settings.ts";
import type { SnapshotMade, SnapshotThreadData } from "./snapshot-thread.ts";
import { startThread, type Thread } from "./thread-calls.ts";
import { workerFile } from "./worker-file.ts";
import type { WriterThreadData } from "./writer-thread.ts";

export interface OpenDatabaseOptions {
	/** The node's data directory. */
	readonly directory: string;
	readonly settings?: Partial<DatabaseSettings>;
	/** A thread ended by itself: nothing can be trusted any more. */
	readonly onFailure: (error: Error) => void;
}

const snapshotDirectory = "snapshots";
/** How old the size of SQLite's write-ahead file may be that `walBytes` tells. */
const walSizeAgeMs = 500;
/** How long the answer of a commit may wait for another to go along with. */
const lateAnswerMs = 20;

/**
 * SQLite ignores `PRAGMA foreign_keys` inside a transaction, so a request that needs another setting,
 * or that sets it, cannot share the group's.
 */
export function mustRunAlone(request: WriteRequest): boolean {
	if (!request.foreignKeys) return true;
	return request.program.steps.some((step) => /foreign_keys/i.test(step.statement.sql));
}

export interface ThreadedDatabase extends Database {
	/** Threads that are inside a call, or were ended and are still inside one. After `close`: those that do not end. */
	stuckThreads(): number;
}

export async function openDatabase(options: OpenDatabaseOptions): Promise<ThreadedDatabase> {
	const { directory, onFailure } = options;
	const settings: DatabaseSettings = { ...defaultDatabaseSettings, ...options.settings };
	const path = join(directory, databaseFileName);
	let closed = false;
	const onDeath = (error: Error): void => {
		if (!closed) onFailure(error);
	};

	const gate = createSharedGate();

	function startWriter(): Thread {
		const data: WriterThreadData = { path, settings, gate: gate.shared };
		return startThread(workerFile("writer-thread", import.meta.url), data, onDeath);
	}

	finishReplacing(path);
	let writer = startWriter();
	const opened = (await writer.call("state", [])) as DatabaseState;
	let keeper = keepWriteAheadFile(path);
	const readers = createReaderPool({ path, settings, gate, onDeath });
	const transactions = createReadTransactions({ path, settings, gate, onDeath });
	let durableIndex: LogIndex = 0;
	let lateAnswer: NodeJS.Timeout | null = null;
	let wal = { bytes: 0, at: Number.NEGATIVE_INFINITY };

	function walBytes(): number {
		const now = performance.now();
		if (now - wal.at > walSizeAgeMs) {
			wal = { bytes: wal.bytes, at: now };
			writer.call("walBytes", []).then(
				(bytes) => {
					wal = { bytes: bytes as number, at: now };
				},
				() => {},
			);
		}
		return wal.bytes;
	}

	/** Mostly the next batch tells that this is done, and nothing has to be sent for it. */
	function commit(applied: Position, configuration: DatabaseState["configuration"] = null): Promise<void> {
		const done = writer.callQuietly("commit", [applied, configuration]) as Promise<void>;
		lateAnswer ??= setTimeout(() => {
			lateAnswer = null;
			writer.hurry();
		}, lateAnswerMs);
		return done;
	}

	async function createSnapshot(): Promise<SnapshotFile> {
		mkdirSync(join(directory, snapshotDirectory), { recursive: true });
		const name = `${snapshotDirectory}/making-${process.pid}-${Math.trunc(performance.now())}.sqlite`;
		const seat = gate.lend();
		const data: SnapshotThreadData = { path, target: join(directory, name), seat };
		try {
			const made = (await runThread("snapshot-thread", data)) as SnapshotMade;
			const { applied, configuration } = made.state;
			if (configuration === null) throw new Error("a database without a configuration cannot be a snapshot");
			return { path: name, applied, configuration, sizeBytes: made.sizeBytes, sha256: made.sha256 };
		} catch (error) {
			rmSync(data.target, { force: true });
			throw error;
		} finally {
			gate.giveBack(seat);
		}
	}

	async function installSnapshot(snapshotPath: string, sha256: string): Promise<DatabaseState> {
		const source = join(directory, snapshotPath);
		const data: InstallThreadData = { path: source, sha256 };
		await runThread("install-thread", data);
		// A connection opened between the steps would mix the old file with the new one's write-ahead file.
		await Promise.all([readers.suspend(), transactions.suspend()]);
		try {
			keeper.close();
			await writer.call("close", []);
			await writer.terminate();
			replaceFile(path, source);
			writer = startWriter();
			const state = (await writer.call("state", [])) as DatabaseState;
			keeper = keepWriteAheadFile(path);
			durableIndex = state.applied.index;
			return state;
		} finally {
			readers.resume();
			transactions.resume();
		}
	}

	return {
		opened,
		async execute(requests, behind = false) {
			const answer = await writer.call("execute", [requests.map(packRequest), behind]);
			return (answer as PackedWriteOutcome[]).map(unpackWriteOutcome);
		},
		rollbackGroup: () => writer.call("rollbackGroup", []) as Promise<void>,
		abandonInteractive: () => writer.call("abandonInteractive", []) as Promise<void>,
		commit,
		hurry: () => writer.hurry(),
		rollback: () => writer.call("rollback", []) as Promise<void>,
		apply: (entries) => writer.call("apply", [entries], largeBuffers(entries)) as Promise<void>,
		takesPieces: isInPages,
		applied: () => writer.call("applied", []) as Promise<Position>,
		prepareToLead: () => writer.call("prepareToLead", []) as Promise<LogFormat>,
		read: (program, { timeoutMs }) => readers.read(program, timeoutMs),
		beginRead: ({ timeoutMs }) => transactions.begin(timeoutMs),
		describe: (sql) => readers.describe(sql),
		format: () => readers.format(),
		explain: (sql, format) => readers.explain(sql, format),
		async checkpoint() {
			const result = (await writer.call("checkpoint", [])) as CheckpointResult;
			durableIndex = Math.max(durableIndex, result.durableIndex ?? 0);
			return durableIndex;
		},
		stuckThreads: () => (writer.stuck ? 1 : 0) + readers.stuckThreads() + transactions.stuckThreads(),
		walBytes,
		createSnapshot,
		installSnapshot,
		async close() {
			closed = true;
			await readers.close();
			await transactions.close();
			keeper.close();
			await writer.call("close", []);
			await writer.terminate();
		},
	};
}

/**
 * Whoever closes a database last copies its write-ahead file back, and removes it. `process.exit` ends the writer's thread
 * wherever it is and closes its connection: in the middle of a capture (changes/wal.ts) what nobody has taken back would be
 * in the main file for good. This one is the main thread's, which goes after its threads, and it cannot write.
 */
function keepWriteAheadFile(path: string): { close(): void } {
	const connection = openReading(path);
	// It holds SQLite's lock from its first look on.
	connection.prepare("SELECT count(*) FROM sqlite_schema").get();
	return {
		close() {
			// Not open: a snapshot could not be installed.
			if (connection.isOpen) connection.close();
		},
	};
}

/** From this size on a payload is handed over to the thread instead of copied. */
const handOverBytes = 1024 * 1024;

function largeBuffers(entries: readonly AppliedEntry[]): ArrayBuffer[] {
	const buffers: ArrayBuffer[] = [];
	for (const { payload } of entries) {
		// Only one that nobody else looks into: put together from fragments, so of its very size.
		const isWhole = payload.byteLength === payload.buffer.byteLength;
		if (payload.length >= handOverBytes && isWhole && payload.buffer instanceof ArrayBuffer)
			buffers.push(payload.buffer);
	}
	return buffers;
}

/** One piece of work on a thread that ends with it. */
function runThread(name: string, data: unknown): Promise<unknown> {
	return new Promise((resolve, reject) => {
		const worker = new Worker(workerFile(name, import.meta.url), { workerData: data });
		worker.once("message", resolve);
		worker.once("error", reject);
		worker.once("exit", (code) => reject(new Error(`the ${name} ended with code ${code} and no answer`)));
	});
}
