/**
 * The segments on disk and every change of them, one at a time: writing records, beginning the next
 * segment, cutting the tail, starting over. Each function leaves, at every moment of a crash, a
 * directory that recovery takes for what was acknowledged. Callers never overlap two changes.
 */
import type { Entry, LogIndex, Position, Term } from "../consensus/types.ts";
import type { Disk, DiskFile } from "../world/disk.ts";
import { isDiskFull } from "../world/disk.ts";
import { viewOf } from "./binary.ts";
import { EntryAbsentError, LogCorruptionError, LogFailedError } from "./errors.ts";
import type { Identity } from "./log.ts";
import { decodeRecord, payloadAt, recordBytes } from "./record.ts";
import { encodeBatch } from "./record-batch.ts";
import type { Segment } from "./segment.ts";
import {
	decodeSegmentHeader,
	encodeSegmentHeader,
	lastIndexOf,
	newSegment,
	offsetOf,
	segmentHeaderBytes,
	segmentName,
} from "./segment.ts";

export const preparedName = "prepared";
export const resetName = "reset";
const resetDraftName = "reset.new";
/** Zeros are written ahead in pieces, so that a sync of the log never waits behind a long write. */
const zeroPieceBytes = 256 * 1024;

export interface Storage {
	/** The index just before the first entry. */
	readonly baseIndex: LogIndex;
	readonly lastIndex: LogIndex;
	readonly sizeBytes: number;
	/** Appends to the page cache and, whenever a segment ends, makes it durable. Returns how many entries went in before the segment was full. */
	write(entries: readonly Entry[]): Promise<number>;
	/** Makes what was written durable. */
	sync(): Promise<void>;
	/** Takes entries from `index` on out of the log, durably. */
	cut(index: LogIndex): Promise<void>;
	/** As `cut`, and clears away what a failed write may have left behind the last entry. */
	undo(index: LogIndex): Promise<void>;
	/** Forgets everything, durably; the log then begins after `base`. */
	reset(base: Position): Promise<void>;
	/** Removes the oldest segment if all its entries are ≤ `index` and it is not the last; false: there is none such. */
	removeOldest(index: LogIndex): Promise<boolean>;
	read(first: LogIndex, last: LogIndex, maxBytes: number): Promise<Entry[]>;
	/** Writes the next segment's zeros, in the background, once the present one is half full. */
	prepareNext(): void;
	close(): Promise<void>;
}

export interface StorageOptions {
	readonly disk: Disk;
	readonly directory: string;
	readonly identity: Identity;
	readonly segments: Segment[];
	readonly segmentBytes: number;
}

export function createStorage(options: StorageOptions): Storage {
	const { disk, directory, identity, segmentBytes } = options;
	const { checksum } = disk;
	let segments = options.segments;
	let durableIndex = lastIndexOf(active());
	/** Counts what takes entries away, so that a read that overlapped with it is not taken for damage. */
	let removals = 0;
	let prepared: Promise<DiskFile | null> | null = null;
	let closing = false;
	/** Compaction runs beside the queue; only starting over may not overlap with it. */
	let removing: Promise<unknown> = Promise.resolve();
	const pathOf = (name: string) => `${directory}/${name}`;

	function active(): Segment {
		const segment = segments.at(-1);
		if (segment === undefined) throw new Error("the log has no segment");
		return segment;
	}

	function oldest(): Segment {
		return segments[0] ?? active();
	}

	async function write(entries: readonly Entry[]): Promise<number> {
		const [first] = entries;
		if (first === undefined) return 0;
		let segment = active();
		if (segment.count > 0 && segment.end + recordBytes(first.payload.length) > segmentBytes) {
			segment = await beginNext();
		}
		const batch = encodeBatch(checksum, segment, entries, durableIndex, segmentBytes);
		await segment.file.write(segment.end, batch.chunks);
		batch.commit();
		return batch.count;
	}

	async function sync(): Promise<void> {
		const lastIndex = lastIndexOf(active());
		await mustSucceed(active().file.sync());
		durableIndex = lastIndex;
	}

	/**
	 * The old segment is durable before the new one has a name, and the new one's header before that
	 * too: so a bad record in any segment but the last, and a bad header anywhere, is damage.
	 */
	async function beginNext(): Promise<Segment> {
		await sync();
		const full = active();
		const base = { index: lastIndexOf(full), term: full.lastTerm };
		const header = encodeSegmentHeader(checksum, identity, base);
		const file = (await prepared) ?? (await openEmpty(preparedName));
		// Should one of the next steps fail, the file stays to be used by the next try.
		prepared = Promise.resolve(file);
		await file.write(0, [header.bytes]);
		await mustSucceed(file.sync());
		const segment = newSegment(file, header);
		await disk.rename(pathOf(preparedName), pathOf(segment.name));
		prepared = null;
		segments.push(segment);
		await mustSucceed(disk.syncDirectory(directory));
		return segment;
	}

	async function openEmpty(name: string): Promise<DiskFile> {
		await disk.remove(pathOf(name));
		return await disk.open(pathOf(name), { create: true });
	}

	async function prepare(): Promise<DiskFile | null> {
		let file: DiskFile | null = null;
		try {
			file = await openEmpty(preparedName);
			await writeZeros(file, 0, segmentBytes, () => closing);
			await file.sync();
			return file;
		} catch (error) {
			await file?.close().catch(() => {});
			// Without zeros ahead the log is slower, not wrong; a full disk shows itself when entries come.
			if (isDiskFull(error)) return null;
			throw error;
		}
	}

	/**
	 * Cuts the file itself: nothing that was valid once lies behind the end of the log, ever, so
	 * recovery needs no way to tell old records from new ones. Later segments go first, the last one
	 * first, each durably: a crash leaves no gap. The cut is synced before anything is written in its
	 * place; entries before it are not touched.
	 */
	async function undo(index: LogIndex): Promise<void> {
		if (index <= oldest().firstIndex - 1) throw new RangeError(`cannot cut at ${index}, before the log`);
		removals++;
		durableIndex = Math.min(durableIndex, index - 1);
		while (active().firstIndex > index) await removeSegment(active());
		const segment = active();
		const end = offsetOf(segment, index);
		const previous = await readBefore(segment, index);
		segment.lastTerm = previous.term;
		segment.lastCrc = previous.crc;
		segment.end = end;
		segment.count = index - segment.firstIndex;
		// Once more: a read that began since then has not seen this yet (found by simulation, seed 190626643).
		removals++;
		await mustSucceed(segment.file.truncate(end));
		await mustSucceed(segment.file.sync());
	}

	/**
	 * What the record of `index` follows: the record before, or the segment's header. It may have rotted, or
	 * another write may have gone astray over it: what follows it would look damaged, not this.
	 */
	async function readBefore(segment: Segment, index: LogIndex): Promise<{ term: Term; crc: number }> {
		const path = pathOf(segment.name);
		if (index === segment.firstIndex) {
			const header = await segment.file.read(0, segmentHeaderBytes);
			const { base, crc } = decodeSegmentHeader(checksum, identity, header, path);
			return { term: base.term, crc };
		}
		const offset = offsetOf(segment, index - 1);
		const bytes = await segment.file.read(offset, offsetOf(segment, index) - offset);
		const record = decodeRecord(checksum, bytes, viewOf(bytes), 0, segment.salt);
		if (record?.index !== index - 1) {
			throw new LogCorruptionError(path, offset, "what the next entry was to follow is not there any more");
		}
		return { term: record.term, crc: record.crc };
	}

	async function removeSegment(segment: Segment): Promise<void> {
		await mustSucceed(disk.remove(pathOf(segment.name)));
		await mustSucceed(disk.syncDirectory(directory));
		segments = segments.filter((one) => one !== segment);
		removals++;
		await segment.file.close();
	}

	/**
	 * The file `reset` is the moment: before its name is durable the old log counts, from then on the
	 * new one, and recovery finishes the job (finishReset).
	 */
	async function reset(base: Position): Promise<void> {
		removals++;
		const header = encodeSegmentHeader(checksum, identity, base);
		const file = await openEmpty(resetDraftName);
		try {
			await file.write(0, [header.bytes]);
			await mustSucceed(file.sync());
			await disk.rename(pathOf(resetDraftName), pathOf(resetName));
		} catch (error) {
			await file.close().catch(() => {});
			throw error;
		}
		await mustSucceed(disk.syncDirectory(directory));
		const old = segments;
		segments = [newSegment(file, header)];
		removals++;
		durableIndex = base.index;
		await mustSucceed(finishReset(disk, directory, segmentName(base.index + 1)));
		for (const segment of old) await segment.file.close();
	}

	function exclusively<T>(change: () => Promise<T>): Promise<T> {
		const mine = removing.then(change);
		removing = mine.catch(() => {});
		return mine;
	}

	async function removeOldest(index: LogIndex): Promise<boolean> {
		const segment = oldest();
		if (segment === active() || lastIndexOf(segment) > index) return false;
		removals++;
		// One name at a time is made durable: a crash must not leave an older segment and no newer one.
		await removeSegment(segment);
		return true;
	}

	async function read(first: LogIndex, last: LogIndex, maxBytes: number): Promise<Entry[]> {
		const removalsBefore = removals;
		const segment = segments.findLast((one) => one.firstIndex <= first);
		if (segment === undefined || first > lastIndexOf(segment)) {
			throw new EntryAbsentError(`entry ${first} is not in the log`);
		}
		const begin = offsetOf(segment, first);
		const stop = Math.min(last, lastIndexOf(segment));
		let next = first + 1;
		while (next <= stop && offsetOf(segment, next + 1) - begin <= maxBytes) next++;
		const length = offsetOf(segment, next) - begin;
		const { file, salt, name } = segment;
		try {
			const bytes = await file.read(begin, length);
			return decodeRun(bytes, first, next - first, salt, pathOf(name), begin);
		} catch (error) {
			if (removals === removalsBefore) throw error;
			throw new EntryAbsentError(`entry ${first} left the log while it was read`, { cause: error });
		}
	}

	function decodeRun(
		bytes: Uint8Array,
		first: LogIndex,
		count: number,
		salt: number,
		path: string,
		begin: number,
	): Entry[] {
		const view = viewOf(bytes);
		const entries: Entry[] = [];
		let offset = 0;
		for (let index = first; index < first + count; index++) {
			const record = decodeRecord(checksum, bytes, view, offset, salt);
			if (record === null || record.index !== index) {
				throw new LogCorruptionError(path, begin + offset, `entry ${index} cannot be read any more`);
			}
			entries.push({
				index,
				term: record.term,
				kind: record.kind,
				payload: payloadAt(bytes, offset, record),
			});
			offset += recordBytes(record.payloadBytes);
		}
		return entries;
	}

	return {
		get baseIndex() {
			return oldest().firstIndex - 1;
		},
		get lastIndex() {
			return lastIndexOf(active());
		},
		get sizeBytes() {
			return segments.reduce((sum, segment) => sum + segment.end - segmentHeaderBytes, 0);
		},
		write,
		sync,
		cut: async (index) => (index > lastIndexOf(active()) ? undefined : await undo(index)),
		undo,
		reset: (base) => exclusively(() => reset(base)),
		removeOldest: (index) => exclusively(() => removeOldest(index)),
		read,
		prepareNext() {
			if (prepared !== null || closing || active().end < segmentBytes / 2) return;
			prepared = prepare();
			// Waited for when the next segment begins; until then a failure must not count as unhandled.
			prepared.catch(() => {});
		},
		async close() {
			closing = true;
			const file = await prepared?.catch(() => null);
			await file?.close();
			for (const segment of segments) await segment.file.close();
		},
	};
}

/**
 * For steps after which nobody knows what the disk holds if they fail: then no later write may be
 * trusted either. A full disk that shows itself here is no exception (a failed sync drops pages).
 */
async function mustSucceed(step: Promise<void>): Promise<void> {
	try {
		await step;
	} catch (error) {
		throw new LogFailedError("the disk failed under the log", { cause: error });
	}
}

/** From the durable name `reset` to a directory that holds nothing but the new segment. Can be repeated from any step. */
export async function finishReset(disk: Disk, directory: string, name: string): Promise<void> {
	for (const old of await disk.list(directory)) {
		if (old.endsWith(".segment")) await disk.remove(`${directory}/${old}`);
	}
	// Before the new segment takes its name: it would otherwise stand among old ones after a crash.
	await disk.syncDirectory(directory);
	await disk.rename(`${directory}/${resetName}`, `${directory}/${name}`);
	await disk.syncDirectory(directory);
}

export async function writeZeros(
	file: DiskFile,
	from: number,
	to: number,
	isCancelled: () => boolean = () => false,
): Promise<void> {
	const zeros = new Uint8Array(Math.min(zeroPieceBytes, Math.max(to - from, 0)));
	for (let offset = from; offset < to && !isCancelled(); offset += zeros.length) {
		await file.write(offset, [zeros.subarray(0, to - offset)]);
	}
}
