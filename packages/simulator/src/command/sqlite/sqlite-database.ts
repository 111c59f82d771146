/**
 * SQLite as a node of the simulator sees it: the production writer and readers, without their threads, in
 * simulated time. What threaded-database.ts does around them is done here once more, with one event of
 * the world where it has a message to a thread.
 */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { backup, type DatabaseSync } from "node:sqlite";
import { SkeinError } from "../../../../client/src/errors.ts";
import { openGate } from "../../../../skein/src/database/begin-gate.ts";
import { createLogFormats } from "../../../../skein/src/database/changes/formats.ts";
import { isInPages } from "../../../../skein/src/database/changes/payload.ts";
import { checkpointOn } from "../../../../skein/src/database/checkpoint.ts";
import type {
	Database,
	DatabaseState,
	ReadTransaction,
	SnapshotFile,
	WriteRequest,
} from "../../../../skein/src/database/database.ts";
import { createReader, type Reader } from "../../../../skein/src/database/reader.ts";
import { finishReplacing, replaceFile } from "../../../../skein/src/database/replace-file.ts";
import { type DatabaseSettings, defaultDatabaseSettings } from "../../../../skein/src/database/settings.ts";
import { makeExact, pinState } from "../../../../skein/src/database/snapshot-copy.ts";
import { failureOf, isSqliteError } from "../../../../skein/src/database/sqlite-failure.ts";
import { createWriter, type Writer } from "../../../../skein/src/database/writer.ts";
import type { Disk } from "../../../../skein/src/world/disk.ts";
import type { Chance } from "../../engine/chance.ts";
import { diskFull } from "../../machine/register-writer.ts";
import { maxStoredOutcomes, type StoreSettings } from "../../machine/store.ts";
import { type After, createWorkQueue, type Device, type WriterWork } from "../../machine/work-queue.ts";
import { checkSnapshot } from "./check-snapshot.ts";
import type { SqliteFiles } from "./sqlite-files.ts";

export interface SqliteDatabaseOptions {
	readonly files: SqliteFiles;
	readonly after: After;
	readonly chance: Chance;
	/** The node's, for snapshot files. */
	readonly disk: Disk;
	readonly device: Device;
	readonly settings: StoreSettings;
	/** Writes fail for want of room. */
	readonly isFull: () => boolean;
	/** The database file is about to be replaced: nobody may have it open. */
	readonly beforeReplacing: () => void;
	/** The world stands still until this has settled: work of SQLite that takes real time. */
	readonly standStill: <T>(work: Promise<T>) => Promise<T>;
}

/** A moment of the simulated world takes no time: no statement exceeds its limit. */
const now = (): number => 0;

/** A reader, and how many read transactions are open on it. */
interface Readers {
	readonly reader: Reader;
	open: number;
	close: () => void;
}

export function openSqliteDatabase(options: SqliteDatabaseOptions): Database {
	const { files, after, chance, disk, device, settings, isFull, standStill } = options;
	const { path } = files;
	const { storedOutcomeAgeMs, maxTransactionBytes } = settings;
	const databaseSettings: DatabaseSettings = {
		...defaultDatabaseSettings,
		maxStoredOutcomes,
		storedOutcomeAgeMs,
		maxTransactionBytes,
	};
	const queue = createWorkQueue({ after, chance, device });
	/** Null: the file is being replaced. */
	let writer: Writer | null = null;
	let readers: Readers | null = null;
	const isReversed = chance.fork("order of rows").happens(0.5);
	let reversed: DatabaseSync | null = null;
	let durableIndex = 0;
	let numbers = 0;
	let snapshots = 0;
	let reopened: (() => void)[] = [];

	finishReplacing(path);
	const opened = open();

	function open(): DatabaseState {
		const made = createWriter({ path, formats: createLogFormats(), settings: databaseSettings, now });
		writer = made;
		files.hold(() => {
			if (writer === made) made.close();
		});
		readers = openReaders();
		return made.state;
	}

	function openReaders(): Readers {
		const reader = createReader({ path, settings: databaseSettings, now });
		const forget = files.hold(() => reader.close());
		return {
			reader,
			open: 0,
			close() {
				forget();
				reader.close();
			},
		};
	}

	function onWriter<T>(meanMs: number, work: (writer: Writer) => T, how: WriterWork = {}): Promise<T> {
		return queue.onWriter(
			meanMs,
			() => {
				if (writer === null) throw new Error("the database is being replaced");
				const current = writer;
				return asOverThreads(() => work(current));
			},
			how,
		);
	}

	/** Members find rows in one order and in the other, where none is asked for: what depends on it shows. */
	function findInAnotherOrder(one: Writer): void {
		if (!isReversed || one.connection() === reversed) return;
		// Opens the connection to apply, if it is not yet.
		one.apply([]);
		reversed = one.connection();
		reversed.exec("PRAGMA reverse_unordered_selects = ON");
	}

	/** Reads that come while the file is replaced run when it has been. */
	async function onReader<T>(work: () => T): Promise<T> {
		for (;;) {
			const result = await queue.onReader(settings.readMs, () =>
				readers === null ? null : { value: asReads(work) },
			);
			if (result !== null) return result.value;
			await new Promise<void>((resolve) => reopened.push(resolve));
		}
	}

	function currentReaders(): Readers {
		if (readers === null) throw new Error("the database is being replaced");
		return readers;
	}

	function beginRead(): ReadTransaction {
		const held = currentReaders();
		const { reader } = held;
		const number = numbers++;
		const applied = reader.begin(number);
		held.open++;
		let closed = false;
		return {
			applied,
			run: (program, { timeoutMs }) =>
				queue.onReader(settings.readMs, () => asReads(() => reader.run(number, program, timeoutMs))),
			describe: (sql) => queue.onReader(settings.readMs, () => asReads(() => reader.describe(sql, number))),
			async close() {
				if (closed) return;
				closed = true;
				held.open--;
				reader.end(number);
				if (held.open === 0 && held !== readers) held.close();
			},
		};
	}

	async function createSnapshot(): Promise<SnapshotFile> {
		// Pinned now, copied later: writes and checkpoints go on in between.
		const pinned = await onReader(() => pinState(path, openGate));
		const forget = files.hold(() => pinned.connection.close());
		const target = `${path}.making-${snapshots}`;
		const bytes = await new Promise<Uint8Array>((resolve, reject) => {
			after(chance.exponential(settings.executeMs * 20), () => {
				standStill(backup(pinned.connection, target, { rate: 1_000 }))
					.then(() => {
						makeExact(pinned.connection, target);
						return readFileSync(target);
					})
					.then(resolve, reject);
			});
		});
		rmSync(target);
		forget();
		pinned.connection.close();
		const { applied, configuration } = pinned.state;
		if (configuration === null) throw new Error("a database without a configuration cannot be a snapshot");
		const name = `snapshots/made-${snapshots++}`;
		await writeWhole(disk, name, bytes);
		return { path: name, applied, configuration, sizeBytes: bytes.length, sha256: sha256Of(bytes) };
	}

	async function installSnapshot(snapshotPath: string, sha256: string): Promise<DatabaseState> {
		const received = `${path}.received`;
		writeFileSync(received, await readWhole(disk, snapshotPath));
		checkSnapshot(received, sha256);
		const inSteps = chance.happens(0.5);
		await onWriter(2, (current) => {
			if (isFull()) throw diskFull();
			options.beforeReplacing();
			if (readers?.open === 0) readers.close();
			readers = null;
			current.close();
			writer = null;
			files.synced();
			if (inSteps) renameSync(received, `${path}.install`);
			else replaceFile(path, received);
		});
		// A crash in between leaves the announcement of replace-file.ts.
		await queue.onWriter(2, () => finishReplacing(path));
		const state = await queue.onWriter(2, open);
		files.synced();
		durableIndex = state.applied.index;
		const proceed = reopened;
		reopened = [];
		for (const one of proceed) one();
		return state;
	}

	return {
		opened,
		execute: (requests, behind) =>
			onWriter(settings.executeMs * requests.length, (one) => {
				// Set each time: connections are opened anew now and then.
				const pages = isFull() && !requests.some(mayHappenInPart) ? 1 : 4_294_967_294;
				one.connection().exec(`PRAGMA max_page_count = ${pages}`);
				return one.execute(requests, behind);
			}),
		rollbackGroup: () => onWriter(0.05, (one) => one.rollbackGroup()),
		abandonInteractive: () => onWriter(0.05, (one) => one.abandonInteractive()),
		commit: (applied, configuration = null) =>
			onWriter(
				settings.executeMs,
				(one) => {
					if (isFull()) throw diskFull();
					one.commit(applied, configuration);
				},
				{ isQuiet: true, onDisk: true },
			),
		hurry: () => queue.hurry(),
		rollback: () => onWriter(0.05, (one) => one.rollback()),
		apply: (entries) =>
			onWriter(
				settings.executeMs,
				(one) => {
					if (isFull()) throw diskFull();
					findInAnotherOrder(one);
					one.apply(entries);
				},
				{ onDisk: true },
			),
		takesPieces: isInPages,
		applied: () => onWriter(0.05, (one) => one.applied()),
		prepareToLead: () => onWriter(1, (one) => one.prepareToLead()),
		read: (program, { timeoutMs }) => onReader(() => currentReaders().reader.read(program, timeoutMs)),
		beginRead: () => onReader(beginRead),
		describe: (sql) => onReader(() => currentReaders().reader.describe(sql, null)),
		format: () => onReader(() => currentReaders().reader.format()),
		explain: (sql, format) => onReader(() => currentReaders().reader.explain(sql, format)),
		async checkpoint() {
			device.checkpointBegins();
			const result = await onWriter(
				chance.pick([1, 20]),
				(one) => {
					if (isFull()) throw diskFull();
					return files.checkpoint(() => checkpointOn(one.connection()));
				},
				{ onDisk: true },
			);
			durableIndex = Math.max(durableIndex, result.durableIndex ?? 0);
			return durableIndex;
		},
		walBytes: () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
		createSnapshot,
		installSnapshot,
		async close() {},
	};
}

/**
 * SQLite takes back the statement that finds no room and keeps those before it, also in a transaction that is
 * then committed. Clients of registers say of a program with an error that nothing of it happened.
 */
function mayHappenInPart({ program }: WriteRequest): boolean {
	const writes = program.steps.filter(
		({ statement }) => !/^(?:SELECT|BEGIN|COMMIT|ROLLBACK)/.test(statement.sql),
	);
	return writes.length > 1 && writes.some(({ statement }) => /\bregisters\b/.test(statement.sql));
}

/** An error as it comes from a database thread: its text, and SQLite's name of it. */
function asOverThreads<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		if (!isSqliteError(error)) throw error;
		const { message, code } = failureOf(error);
		throw Object.assign(new Error(message, { cause: error }), { code });
	}
}

/** And as it reaches clients of reads. */
function asReads<T>(work: () => T): T {
	try {
		return asOverThreads(work);
	} catch (error) {
		if (error instanceof SkeinError) throw error;
		const code = error instanceof Error && "code" in error ? String(error.code) : "INTERNAL";
		throw new SkeinError(error instanceof Error ? error.message : String(error), { code, cause: error });
	}
}

async function writeWhole(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
	await disk.makeDirectory("snapshots");
	const target = await disk.open(path, { create: true });
	try {
		await target.truncate(0);
		await target.write(0, [bytes]);
	} finally {
		await target.close();
	}
}

async function readWhole(disk: Disk, path: string): Promise<Uint8Array> {
	const source = await disk.open(path, { create: false });
	try {
		return await source.read(0, await source.size());
	} finally {
		await source.close();
	}
}

function sha256Of(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}
