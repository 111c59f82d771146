/**
 * The log of one member: opens it or makes it, and keeps what is in memory in step with what is
 * asked for. What is asked for counts at once (reads see it); what is on disk follows in order.
 */
import type { Entry, LogIndex } from "../consensus/types.ts";
import type { Disk } from "../world/disk.ts";
import { isDiskFull } from "../world/disk.ts";
import { createLogFiles, isLogAbsent, parentOf, stateName } from "./create-log.ts";
import { createEntryCache } from "./entry-cache.ts";
import { EntryAbsentError, LogFailedError, LogIdentityError } from "./errors.ts";
import type { Identity, Log, RecoveredLog } from "./log.ts";
import { maxPayloadBytes } from "./record.ts";
import { recoverSegments } from "./recovery.ts";
import { decodeSegmentHeader, segmentHeaderBytes, segmentName } from "./segment.ts";
import { openStateFile } from "./state-file.ts";
import { createStorage, finishReset, preparedName, resetName, writeZeros } from "./storage.ts";
import { createWorkQueue } from "./work-queue.ts";

export interface LogSettings {
	/** A segment is begun when the one before has this size; compaction frees whole segments. */
	readonly segmentBytes: number;
	/** For the newest entries, in memory. */
	readonly cacheBytes: number;
}

export const defaultLogSettings: LogSettings = {
	segmentBytes: 16 * 1024 * 1024,
	cacheBytes: 32 * 1024 * 1024,
};

export interface OpenLogOptions {
	readonly disk: Disk;
	readonly directory: string;
	/**
	 * Who this node is. If there is no log yet one is made with it; null: that is an error. If there is
	 * one, it must be of this cluster and node; its incarnation is the one on disk.
	 */
	readonly create: Identity | null;
	/** The first entries of a new log, from index 1, term 1. */
	readonly bootstrap?: readonly Entry[];
	readonly settings?: Partial<LogSettings>;
}

export async function openLog(options: OpenLogOptions): Promise<Log> {
	const { disk, directory, create } = options;
	const settings = { ...defaultLogSettings, ...options.settings };
	if (await isLogAbsent(disk, directory)) {
		if (create === null) throw new LogIdentityError(`there is no log in ${directory}`);
		await createLogFiles({ disk, directory, identity: create, bootstrap: options.bootstrap ?? [] });
	}
	const stateFile = await openStateFile(disk, `${directory}/${stateName}`);
	try {
		const { identity, promise } = stateFile.state;
		if (create !== null) refuseOthers(identity, create);
		await finishInterrupted(disk, directory, identity);
		const { segments, base, headers, configurations, tornBytes } = await recoverSegments(
			disk,
			directory,
			identity,
		);
		const last = segments.at(-1);
		if (last !== undefined) await fillWithZeros(last.file, settings.segmentBytes);
		const storage = createStorage({
			disk,
			directory,
			identity,
			segments,
			segmentBytes: settings.segmentBytes,
		});
		const recovered = {
			identity,
			promise,
			base,
			configurations,
			tornBytes,
			get headers() {
				return headers();
			},
		};
		return runLog({ storage, stateFile, recovered, cacheBytes: settings.cacheBytes });
	} catch (error) {
		await stateFile.close().catch(() => {});
		throw error;
	}
}

function refuseOthers(found: Identity, asked: Identity): void {
	if (found.clusterId === asked.clusterId && found.nodeId === asked.nodeId) return;
	throw new LogIdentityError(
		`the data directory belongs to node ${found.nodeId} of cluster ${found.clusterId}, not to node ${asked.nodeId} of cluster ${asked.clusterId}`,
	);
}

/** What a crash left half done and what was only made ahead. */
async function finishInterrupted(disk: Disk, directory: string, identity: Identity): Promise<void> {
	// A killed process may have left names in memory only: durable before anything builds on them.
	await disk.syncDirectory(parentOf(directory));
	await disk.syncDirectory(directory);
	await disk.remove(`${directory}/${preparedName}`);
	const path = `${directory}/${resetName}`;
	if (!(await disk.list(directory)).includes(resetName)) return;
	const file = await disk.open(path, { create: false });
	let base: { index: LogIndex };
	try {
		({ base } = decodeSegmentHeader(disk.checksum, identity, await file.read(0, segmentHeaderBytes), path));
	} finally {
		await file.close();
	}
	await finishReset(disk, directory, segmentName(base.index + 1));
}

/** Overwriting what is allocated is cheaper to sync than growing a file. */
async function fillWithZeros(
	file: { size(): Promise<number> } & Parameters<typeof writeZeros>[0],
	segmentBytes: number,
): Promise<void> {
	const size = await file.size();
	if (size >= segmentBytes) return;
	try {
		await writeZeros(file, size, segmentBytes);
	} catch (error) {
		// The log works without, only slower.
		if (!isDiskFull(error)) throw error;
	}
	await file.sync();
}

interface LogParts {
	readonly storage: ReturnType<typeof createStorage>;
	readonly stateFile: Awaited<ReturnType<typeof openStateFile>>;
	readonly recovered: RecoveredLog;
	readonly cacheBytes: number;
}

function runLog({ storage, stateFile, recovered, cacheBytes }: LogParts): Log {
	const cache = createEntryCache(cacheBytes);
	/** Where the log ends once everything that was asked for is done. */
	let lastIndex = storage.lastIndex;
	let closed = false;
	const queue = createWorkQueue({
		storage,
		stateFile,
		onProgress(refused) {
			if (refused) {
				lastIndex = storage.lastIndex;
				// Its end no longer fits what is on disk.
				cache.clear();
			}
			cache.evict(queue.firstUnwritten);
		},
	});

	function refusal(): LogFailedError | null {
		return queue.failure ?? (closed ? new LogFailedError("the log is closed") : null);
	}

	return {
		recovered,
		append({ truncateFrom, entries }) {
			const refused = refusal();
			if (refused !== null) return Promise.reject(refused);
			const mistake = mistakeIn(truncateFrom, entries);
			if (mistake !== null) return Promise.reject(new RangeError(mistake));
			if (truncateFrom !== null) cache.cut(truncateFrom);
			for (const entry of entries) cache.push(entry);
			lastIndex = entries.at(-1)?.index ?? (truncateFrom === null ? lastIndex : truncateFrom - 1);
			const done = queue.add({ type: "append", truncateFrom, entries });
			cache.evict(queue.firstUnwritten);
			return done;
		},
		writePromise(promise) {
			const refused = refusal();
			return refused === null ? queue.add({ type: "promise", promise }) : Promise.reject(refused);
		},
		reset(base) {
			const refused = refusal();
			if (refused !== null) return Promise.reject(refused);
			cache.clear();
			lastIndex = base.index;
			return queue.add({ type: "reset", base });
		},
		readCached: (first, last, maxBytes) => cache.slice(first, Math.min(last, lastIndex), maxBytes),
		async read(first, last, maxBytes) {
			const cached = cache.slice(first, Math.min(last, lastIndex), maxBytes);
			if (cached !== null) return cached;
			if (first > lastIndex) throw new EntryAbsentError(`entry ${first} is not in the log`);
			return await storage.read(first, Math.min(last, lastIndex), maxBytes);
		},
		async compact(index) {
			const refused = refusal();
			if (refused !== null) throw refused;
			return await removeUpTo(index);
		},
		sizeBytes: () => storage.sizeBytes,
		async close() {
			if (closed) return;
			closed = true;
			await queue.idle();
			await stateFile.close();
			await storage.close();
		},
	};

	/** A caller that makes one has lost its own view of the log: better no log than a wrong one. */
	function mistakeIn(truncateFrom: LogIndex | null, entries: readonly Entry[]): string | null {
		if (truncateFrom !== null && truncateFrom > lastIndex + 1) {
			return `cannot cut at ${truncateFrom}: the log ends at ${lastIndex}`;
		}
		let next = truncateFrom ?? lastIndex + 1;
		for (const { index, payload } of entries) {
			if (index !== next) return `entry ${index} where ${next} should be`;
			if (payload.length > maxPayloadBytes) return `entry ${index} has ${payload.length} bytes`;
			next++;
		}
		return null;
	}

	async function removeUpTo(index: LogIndex): Promise<LogIndex> {
		try {
			// Never what is being written or is to be cut: a batch that finds the disk full is taken back.
			while (!closed && (await storage.removeOldest(Math.min(index, queue.firstUnwritten - 1))));
		} catch (error) {
			throw queue.fail(error);
		}
		return storage.baseIndex;
	}
}
