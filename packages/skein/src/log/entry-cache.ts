/** The newest entries in memory, without gaps: those that the disk does not have yet, and as many older ones as fit. */
import type { Entry, LogIndex } from "../consensus/types.ts";

/** What an entry costs beside its payload, roughly. */
const overheadBytes = 100;

export interface EntryCache {
	/** Adds the entry after the last one, or any entry to an empty cache. */
	push(entry: Entry): void;
	/** Drops entries from `index` on. */
	cut(index: LogIndex): void;
	/** Drops the oldest until the rest fits, but none from `keepFrom` on. */
	evict(keepFrom: LogIndex): void;
	clear(): void;
	/** At least one entry, then as many as fit into `maxBytes`; null if the first is not here. */
	slice(first: LogIndex, last: LogIndex, maxBytes: number): Entry[] | null;
}

export function createEntryCache(maxCacheBytes: number): EntryCache {
	/** Those before `head` were evicted; their places are given back now and then. */
	let entries: (Entry | undefined)[] = [];
	let head = 0;
	let firstIndex = 0;
	let sizeBytes = 0;

	const count = () => entries.length - head;

	function clear(): void {
		entries = [];
		head = 0;
		sizeBytes = 0;
	}

	return {
		push(entry) {
			if (count() > 0 && entry.index !== firstIndex + count()) clear();
			if (count() === 0) {
				clear();
				firstIndex = entry.index;
			}
			entries.push(entry);
			sizeBytes += entry.payload.length + overheadBytes;
		},
		cut(index) {
			while (count() > 0 && firstIndex + count() > index) {
				sizeBytes -= (entries.pop()?.payload.length ?? 0) + overheadBytes;
			}
		},
		evict(keepFrom) {
			while (sizeBytes > maxCacheBytes && count() > 0 && firstIndex < keepFrom) {
				sizeBytes -= (entries[head]?.payload.length ?? 0) + overheadBytes;
				entries[head] = undefined;
				head++;
				firstIndex++;
			}
			if (head > 1024 && head > entries.length / 2) {
				entries = entries.slice(head);
				head = 0;
			}
		},
		clear,
		slice(first, last, maxBytes) {
			if (first < firstIndex || first >= firstIndex + count() || last < first) return null;
			const found: Entry[] = [];
			let left = maxBytes;
			const end = Math.min(last + 1, firstIndex + count());
			for (let place = head + first - firstIndex; place < head + end - firstIndex; place++) {
				const entry = entries[place];
				if (entry === undefined) break;
				left -= entry.payload.length;
				if (left < 0 && found.length > 0) break;
				found.push(entry);
			}
			return found;
		},
	};
}
