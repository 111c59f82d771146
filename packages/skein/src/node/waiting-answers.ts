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
	/** Somebody waits for the acknowledgement of the proposal that ends at `index`. */
	isAwaited(index: LogIndex): boolean;
	onAcknowledged(index: LogIndex): void;
	onCommit(index: LogIndex): void;
	/** This is the term that this member leads now; null: none. */
	onTerm(leading: Term | null): void;
}

export interface WaitingAnswersOptions {
	/** The last that waited for the acknowledgement of this proposal was let go. */
	readonly onForsaken: (index: LogIndex, term: Term) => void;
}

export function createWaitingAnswers({ onForsaken }: WaitingAnswersOptions): WaitingAnswers {
	const acknowledged = new Map<LogIndex, Set<WaitingAnswer>>();
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

	return {
		get sizeBytes() {
			return sizeBytes;
		},
		whenAcknowledged(answer) {
			const { index, term } = answer;
			const same = acknowledged.get(index) ?? new Set();
			acknowledged.set(index, same);
			same.add(answer);
			sizeBytes += answer.sizeBytes;
			return () => {
				if (!letGo(answer, same) || same.size > 0) return;
				acknowledged.delete(index);
				onForsaken(index, term);
			};
		},
		whenCommitted(answer) {
			committed.add(answer);
			sizeBytes += answer.sizeBytes;
			return () => void letGo(answer, committed);
		},
		isAwaited: (index) => acknowledged.has(index),
		onAcknowledged(index) {
			const same = acknowledged.get(index);
			acknowledged.delete(index);
			if (same !== undefined) take(same, () => true, true);
		},
		onCommit(index) {
			take(committed, (one) => one.index <= index, true);
		},
		onTerm(leading) {
			for (const [index, same] of acknowledged) {
				take(same, (one) => one.term !== leading, false);
				if (same.size === 0) acknowledged.delete(index);
			}
			take(committed, (one) => one.term !== leading, false);
		},
	};
}
