/**
 * How a snapshot's sender follows the link: which chunks are on their way and since when, how long an answer
 * takes, and from that when to ask again, what to send again, and how large a chunk may be. A link that takes
 * longer than the waits for one chunk is not asked in vain, one that loses much is not waited for.
 */
import type { Milliseconds, MonotonicTime } from "../world/clock.ts";

/** Nobody knows yet how long an answer takes. */
const firstWaitMs: Milliseconds = 250;
const minWaitMs: Milliseconds = 100;
/** Who hears nothing asks this often at least. */
const maxWaitMs: Milliseconds = 1_000;
/** A transfer begins with small chunks; they grow while answers come quickly, and shrink when they take long. */
const firstChunkBytes = 16 * 1024;
const minChunkBytes = 4 * 1024;
const quickMs: Milliseconds = 250;
const slowMs: Milliseconds = 1_000;

interface Sent {
	readonly end: number;
	sentAt: MonotonicTime;
	/** More than once: which of them was answered cannot be told. */
	again: boolean;
}

export interface SnapshotPace {
	readonly chunkBytes: number;
	/** Silence for so long: the follower is asked again. Longer each time, until something moves. */
	readonly waitMs: Milliseconds;
	sent(end: number, now: MonotonicTime): void;
	/** The first of what is on its way went once more. */
	sentAgain(now: MonotonicTime): void;
	/** The follower has everything up to here. */
	answered(offset: number, now: MonotonicTime): void;
	/** The first of what is on its way should have been answered: to a word that nothing moved, it goes again. */
	isOverdue(now: MonotonicTime): boolean;
	/** Something was sent and not answered. */
	readonly isWaiting: boolean;
	/** The follower was asked. */
	asked(): void;
	/** Nothing is on its way any more. */
	lost(): void;
	/** The follower answered so long after the last offer. */
	offerTook(tookMs: Milliseconds): void;
}

export function createSnapshotPace(limits: {
	readonly maxChunkBytes: number;
	readonly stallMs: Milliseconds;
}): SnapshotPace {
	const { maxChunkBytes } = limits;
	let chunkBytes = Math.min(firstChunkBytes, maxChunkBytes);
	/** The longest lately: where a link is narrow each answer waits for all that was sent before. Null: none yet. */
	let answerMs: Milliseconds | null = null;
	let silences = 0;
	let underWay: Sent[] = [];

	function note(tookMs: Milliseconds): void {
		answerMs = Math.max(tookMs, (3 * (answerMs ?? 0) + tookMs) / 4);
	}

	function measure(tookMs: Milliseconds): void {
		note(tookMs);
		if (tookMs <= quickMs) chunkBytes = Math.min(2 * chunkBytes, maxChunkBytes);
		else if (tookMs >= slowMs) {
			chunkBytes = Math.max(Math.ceil(chunkBytes / 2), Math.min(minChunkBytes, maxChunkBytes));
		}
	}

	return {
		get chunkBytes() {
			return chunkBytes;
		},
		get waitMs() {
			const onceMs =
				answerMs === null ? firstWaitMs : Math.min(Math.max(2 * answerMs, minWaitMs), firstWaitMs);
			// A question costs little, but on a link that takes seconds for a chunk. Several times before the end.
			const longestMs = Math.min(Math.max(answerMs ?? 0, firstWaitMs), maxWaitMs, limits.stallMs / 4);
			return Math.min(onceMs * (1 + silences), longestMs);
		},
		sent(end, now) {
			underWay.push({ end, sentAt: now, again: false });
		},
		sentAgain(now) {
			const [first] = underWay;
			if (first === undefined) return;
			first.sentAt = now;
			first.again = true;
		},
		answered(offset, now) {
			silences = 0;
			const done = underWay.filter(({ end }) => end <= offset);
			underWay = underWay.filter(({ end }) => end > offset);
			const last = done.at(-1);
			// What waited here for a gap before it says nothing of its own way.
			if (last !== undefined && !done.some(({ again }) => again)) measure(now - last.sentAt);
		},
		isOverdue(now) {
			const [first] = underWay;
			return (
				first !== undefined && now - first.sentAt >= Math.max(1.5 * (answerMs ?? firstWaitMs), minWaitMs / 2)
			);
		},
		get isWaiting() {
			return underWay.length > 0;
		},
		asked() {
			silences++;
		},
		lost() {
			underWay = [];
			silences = 0;
		},
		// Of the last one: too short if it answers one before, until a chunk is answered.
		offerTook: note,
	};
}
