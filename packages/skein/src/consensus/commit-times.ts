/**
 * When the leader's commit index passed what, so that the age of a follower's oldest missing entry is known. Marks
 * that lie close together are one, and old ones are merged two by two: an entry is then taken for older than it
 * is, never for younger.
 */
import type { LogIndex, Milliseconds, MonotonicTime } from "./types.ts";

export interface CommitTimes {
	advanced(index: LogIndex, now: MonotonicTime): void;
	/** When the first entry above `index` was committed; null: none is; -Infinity: longer ago than is known. */
	firstAbove(index: LogIndex): MonotonicTime | null;
}

const apartMs: Milliseconds = 5;
const maxMarks = 512;

interface Mark {
	/** The commit index became this … */
	index: LogIndex;
	/** … at this time, or up to `apartMs` later. */
	readonly at: MonotonicTime;
}

/** `floor`: what was committed when the counting began. */
export function createCommitTimes(floor: LogIndex): CommitTimes {
	let marks: Mark[] = [];

	function merge(): void {
		const merged: Mark[] = [];
		for (const [place, mark] of marks.entries()) {
			const last = merged.at(-1);
			if (place % 2 === 1 && last !== undefined) last.index = mark.index;
			else merged.push(mark);
		}
		marks = merged;
	}

	return {
		advanced(index, now) {
			const last = marks.at(-1);
			if (last !== undefined && now - last.at < apartMs) {
				last.index = index;
				return;
			}
			marks.push({ index, at: now });
			if (marks.length > maxMarks) merge();
		},
		firstAbove(index) {
			const newest = marks.at(-1)?.index ?? floor;
			if (index >= newest) return null;
			if (index < floor) return Number.NEGATIVE_INFINITY;
			return marks.find((mark) => mark.index > index)?.at ?? null;
		},
	};
}
