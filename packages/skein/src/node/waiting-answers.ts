/**
 * Answers that are ready and wait for the log, beside the loop that made them: for the acknowledgement of their
 * entry, where their mode asks for more than its commit, or for the commit of what they tell of. They do not
 * depend on SQLite any more: only on the leadership in which they were made.
 *
 * A mode that cannot be met may keep them for ever, so each can be let go, with the result that it holds.
 */
import type { LogIndex, Term } from "../consensus/types.ts";

export interface WaitingAnswer {
	/** Where the proposal ends. */
	readonly index: LogIndex;
	readonly term: Term;
	/** What is held with it. */
	readonly sizeBytes: number;
	/** True: what it waits for has come. False: leadership ended before. */
	readonly end: (met: boolean) => void;
}

export interface WaitingAnswers {
	/** Of all that wait. */
	readonly sizeBytes: number;
	/** Until its proposal is acknowledged. The returned function lets it go, unanswered. */
	whenAcknowledged(answer: WaitingAnswer): () => void;
	/** The same for the commit index. */
	whenCommitted(answer: WaitingAnswer): () => void;
	/** As `whenAcknowledged`, for what the core was asked to say with this number. */
	whenAwaited(waiter: number, answer: WaitingAnswer): () => void;
	/** Somebody waits for this number, or, with null, for the acknowledgement of the proposal that ends at `index`. */
	isAwaited(index: LogIndex, waiter: number | null): boolean;
	onAcknowledged(index: LogIndex): void;
	onAwaited(waiter: number): void;
	onCommit(index: LogIndex): void;
	/** This is the term that this member leads now; null: none. */
	onTerm(leading: Term | null): void;
}

export interface WaitingAnswersOptions {
	/** The last that waited for the acknowledgement of this proposal, or for this number, was let go. */
	readonly onForsaken: (index: LogIndex, term: Term, waiter: number | null) => void;
}

export function createWaitingAnswers({ onForsaken }: WaitingAnswersOptions): WaitingAnswers {
	const acknowledged = new Map<LogIndex, Set<WaitingAnswer>>();
	/** By the number of the waiter. */
	const awaited = new Map<number, Set<WaitingAnswer>>();
	const committed = new Set<WaitingAnswer>();
	let sizeBytes = 0;

	function take(from: Set<WaitingAnswer>, isOver: (one: WaitingAnswer) => boolean, met: boolean): void {
		for (const one of from) {
			if (!isOver(one) || !from.delete(one)) continue;
			sizeBytes -= one.sizeBytes;
			one.end(met);
		}
	}

	function letGo(one: WaitingAnswer, from: Set<WaitingAnswer>): boolean {
		const isHeld = from.delete(one);
		if (isHeld) sizeBytes -= one.sizeBytes;
		return isHeld;
	}

	function hold(
		among: Map<number, Set<WaitingAnswer>>,
		key: number,
		answer: WaitingAnswer,
		waiter: number | null,
	): () => void {
		const same = among.get(key) ?? new Set();
		among.set(key, same);
		same.add(answer);
		sizeBytes += answer.sizeBytes;
		return () => {
			if (!letGo(answer, same) || same.size > 0) return;
			among.delete(key);
			onForsaken(answer.index, answer.term, waiter);
		};
	}

	function meet(among: Map<number, Set<WaitingAnswer>>, key: number): void {
		const same = among.get(key);
		among.delete(key);
		if (same !== undefined) take(same, () => true, true);
	}

	function endAll(among: Map<number, Set<WaitingAnswer>>, leading: Term | null): void {
		for (const [key, same] of among) {
			take(same, (one) => one.term !== leading, false);
			if (same.size === 0) among.delete(key);
		}
	}

	return {
		get sizeBytes() {
			return sizeBytes;
		},
		whenAcknowledged: (answer) => hold(acknowledged, answer.index, answer, null),
		whenCommitted(answer) {
			committed.add(answer);
			sizeBytes += answer.sizeBytes;
			return () => void letGo(answer, committed);
		},
		whenAwaited: (waiter, answer) => hold(awaited, waiter, answer, waiter),
		isAwaited: (index, waiter) => (waiter === null ? acknowledged.has(index) : awaited.has(waiter)),
		onAcknowledged: (index) => meet(acknowledged, index),
		onAwaited: (waiter) => meet(awaited, waiter),
		onCommit(index) {
			take(committed, (one) => one.index <= index, true);
		},
		onTerm(leading) {
			endAll(acknowledged, leading);
			endAll(awaited, leading);
			take(committed, (one) => one.term !== leading, false);
		},
	};
}
