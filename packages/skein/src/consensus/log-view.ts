/**
 * What the core knows of the log: the term and the size of every entry, never a payload. Terms are
 * kept as runs (one per term), sizes as running totals: eight bytes an entry.
 */
import { assert } from "./assert.ts";
import type { LogIndex, Position, Term } from "./types.ts";

/** Counted on top of each payload, so that a million empty entries are not free. */
const entryOverheadBytes = 32;

interface TermRun {
	readonly firstIndex: LogIndex;
	readonly term: Term;
}

export interface LogHeader extends Position {
	readonly sizeBytes: number;
}

/** Raft §5.4.1: the later last term wins, then the longer log. */
export function isUpToDate(candidate: Position, own: Position): boolean {
	return candidate.term > own.term || (candidate.term === own.term && candidate.index >= own.index);
}

export interface LogView {
	readonly base: Position;
	readonly last: Position;
	/** Null: compacted, or after the end. */
	termAt(index: LogIndex): Term | null;
	append(header: LogHeader): void;
	/** Cuts from `index` on. */
	truncateFrom(index: LogIndex): void;
	/** Forgets entries up to and including `index`. */
	compactTo(index: LogIndex): void;
	/** Forgets everything; the next entry is `base.index + 1`. */
	reset(base: Position): void;
	/** Bytes of the entries `after + 1 … last`; what was compacted counts nothing. */
	sizeBetween(after: LogIndex, last: LogIndex): number;
	/** The last entry of a message that begins with `first` and fits into `maxBytes`; `first` itself always does. */
	lastWithin(first: LogIndex, maxBytes: number): LogIndex;
	/**
	 * The latest position at or below `index` whose term is at most `term`: everything above it
	 * cannot agree with a log that has `term` there. Both sides skip whole terms with it, so probing
	 * takes a round per differing term at most, not per entry.
	 */
	latestWithTermAtMost(index: LogIndex, term: Term): Position;
}

export function createLogView(start: Position, headers: readonly LogHeader[]): LogView {
	let runs: TermRun[] = [];
	/** totals[offset + i]: bytes of the first i entries after base; grows at the end, is cut at the front. */
	let totals = new Float64Array(1024);
	let offset = 0;
	let count = 0;

	function lastIndex(): LogIndex {
		return view.base.index + count;
	}

	function total(index: LogIndex): number {
		const place = Math.min(Math.max(index - view.base.index, 0), count);
		return totals[offset + place] ?? 0;
	}

	/** The position in `runs` of the run that holds `index`, -1 if it is at or below base. */
	function runOf(index: LogIndex): number {
		let low = 0;
		let high = runs.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((runs[middle]?.firstIndex ?? 0) <= index) low = middle + 1;
			else high = middle;
		}
		return low - 1;
	}

	function makeRoom(): void {
		if (offset + count + 1 < totals.length) return;
		// Room in front is used first; a table that is really full doubles.
		const next = offset > totals.length / 2 ? totals : new Float64Array(totals.length * 2);
		next.set(totals.subarray(offset, offset + count + 1));
		totals = next;
		offset = 0;
	}

	function noteLast(): void {
		view.last = { index: lastIndex(), term: runs.at(-1)?.term ?? view.base.term };
	}

	const view: LogView & { base: Position; last: Position } = {
		base: start,
		last: start,
		termAt(index) {
			if (index < view.base.index || index > lastIndex()) return null;
			return runs[runOf(index)]?.term ?? view.base.term;
		},
		append(header) {
			assert(header.index === lastIndex() + 1, () => `entry ${header.index} after ${lastIndex()}`);
			assert(header.term >= view.last.term, () => `term ${header.term} after ${view.last.term}`);
			makeRoom();
			totals[offset + count + 1] = total(lastIndex()) + header.sizeBytes + entryOverheadBytes;
			if (runs.at(-1)?.term !== header.term) runs.push({ firstIndex: header.index, term: header.term });
			count++;
			noteLast();
		},
		truncateFrom(index) {
			assert(index > view.base.index, () => `cut at ${index}, at or below the base ${view.base.index}`);
			if (index > lastIndex()) return;
			count = index - 1 - view.base.index;
			runs = runs.filter((run) => run.firstIndex < index);
			noteLast();
		},
		compactTo(index) {
			if (index <= view.base.index) return;
			const term = view.termAt(index);
			assert(term !== null, () => `compaction to ${index} beyond the end ${lastIndex()}`);
			const kept = runs.slice(runOf(index + 1));
			offset += index - view.base.index;
			count -= index - view.base.index;
			view.base = { index, term };
			runs =
				count === 0 ? [] : kept.map((run) => ({ ...run, firstIndex: Math.max(run.firstIndex, index + 1) }));
			noteLast();
		},
		reset(next) {
			view.base = next;
			runs = [];
			totals = new Float64Array(1024);
			offset = 0;
			count = 0;
			noteLast();
		},
		sizeBetween(after, last) {
			return Math.max(0, total(last) - total(after));
		},
		lastWithin(first, maxBytes) {
			const limit = total(first - 1) + maxBytes;
			let low = first;
			let high = lastIndex();
			while (low < high) {
				const middle = Math.ceil((low + high) / 2);
				if (total(middle) <= limit) low = middle;
				else high = middle - 1;
			}
			return low;
		},
		latestWithTermAtMost(index, term) {
			let place = Math.min(index, lastIndex());
			for (let run = runOf(place); run >= 0; run--) {
				const found = runs[run];
				if (found !== undefined && found.term <= term) return { index: place, term: found.term };
				place = (found?.firstIndex ?? 1) - 1;
			}
			// Below the base nothing is known but that it is committed: probing there is answered by a snapshot.
			return { index: Math.min(place, view.base.index), term: view.base.term };
		},
	};
	for (const header of headers) view.append(header);
	return view;
}
