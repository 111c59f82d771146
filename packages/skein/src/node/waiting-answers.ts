/**
 * Answers that are ready and wait for the log, beside the loop that made them: for the acknowledgement of their
 * entry, where their mode asks for more than its commit, or for the commit of what they tell of. They do not
 * depend on SQLite any more: only on the leadership in which they were made.
 */
import type { LogIndex, Term } from "../consensus/types.ts";

export interface WaitingAnswers {
	/** `end(true)` once the proposal that ends at `index` is acknowledged, `end(false)` when leadership ended before. */
	whenAcknowledged(index: LogIndex, term: Term, end: (met: boolean) => void): void;
	/** The same for the commit index. */
	whenCommitted(index: LogIndex, term: Term, end: (met: boolean) => void): void;
	/** The same for what the core was asked to say with this number. */
	whenAwaited(waiter: number, term: Term, end: (met: boolean) => void): void;
	onAcknowledged(index: LogIndex): void;
	onAwaited(waiter: number): void;
	onCommit(index: LogIndex): void;
	/** This is the term that this member leads now; null: none. */
	onTerm(leading: Term | null): void;
}

interface Waiting {
	readonly index: LogIndex;
	readonly term: Term;
	readonly end: (met: boolean) => void;
}

export function createWaitingAnswers(): WaitingAnswers {
	let acknowledged: Waiting[] = [];
	let committed: Waiting[] = [];
	/** `index` is the waiter's number. */
	let awaited: Waiting[] = [];

	function take(waiting: Waiting[], isOver: (one: Waiting) => boolean, met: boolean): Waiting[] {
		if (waiting.length === 0) return waiting;
		const over = waiting.filter(isOver);
		const rest = waiting.filter((one) => !isOver(one));
		for (const one of over) one.end(met);
		return rest;
	}

	return {
		whenAcknowledged(index, term, end) {
			acknowledged.push({ index, term, end });
		},
		whenCommitted(index, term, end) {
			committed.push({ index, term, end });
		},
		whenAwaited(waiter, term, end) {
			awaited.push({ index: waiter, term, end });
		},
		onAwaited(waiter) {
			awaited = take(awaited, (one) => one.index === waiter, true);
		},
		onAcknowledged(index) {
			acknowledged = take(acknowledged, (one) => one.index === index, true);
		},
		onCommit(index) {
			committed = take(committed, (one) => one.index <= index, true);
		},
		onTerm(leading) {
			acknowledged = take(acknowledged, (one) => one.term !== leading, false);
			committed = take(committed, (one) => one.term !== leading, false);
			awaited = take(awaited, (one) => one.term !== leading, false);
		},
	};
}
