/**
 * How long the batch under way, and the answers of earlier ones, wait for the log: for the acknowledgement of their
 * entries, for their commit, or for the end of the leadership, whichever comes. What waits here beside the loop does
 * not depend on SQLite any more.
 */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { LogIndex, Position, Term } from "../consensus/types.ts";
import type { CommitWait } from "./commit-wait.ts";
import type { CoreRunner, RoleState } from "./core-runner.ts";
import type { ReadyAnswer } from "./ready-answers.ts";
import { createWaitingAnswers } from "./waiting-answers.ts";

export interface Answering {
	/** The batch under way is in the log, and ends at `index`. Before anything can be said of it. */
	proposed(index: LogIndex): void;
	/** True once the batch under way is acknowledged or committed, false when leadership was lost before. */
	whenAnswerable(index: LogIndex): Promise<boolean>;
	/** True once `index` is committed, false when leadership was lost before. For the loop: one at a time. */
	whenCommitted(index: LogIndex): Promise<boolean>;
	/** Resolves also when leadership is over: whoever waits looks at that himself. */
	committedOrOver(term: Term | null, index: LogIndex): Promise<void>;
	/** Resolves when what is in the log up to `index` is acknowledged as if it were proposed now, or leadership is over. */
	acknowledgedOrOver(term: Term | null, index: LogIndex, acknowledgement: Acknowledgement): Promise<void>;
	/** Gives the batch's answers when they are due, and forgets the batch. */
	answer(answers: readonly ReadyAnswer[], last: Position): void;
	/** The batch under way is over, however. */
	batchEnded(): void;
	onRole(state: RoleState): void;
	onCommit(index: LogIndex): void;
	onAcknowledged(index: LogIndex): void;
	onAwaited(waiter: number): void;
}

export interface AnsweringOptions {
	readonly runner: () => CoreRunner;
	/** The term in which this member serves. */
	readonly term: () => Term | null;
	readonly stillLeading: () => boolean;
	/** Of the batch under way. */
	readonly commitWait: CommitWait;
}

export function createAnswering({ runner, term, stillLeading, commitWait }: AnsweringOptions): Answering {
	const waiting = createWaitingAnswers();
	let lastWaiter = 0;
	let batch: { readonly index: LogIndex; acknowledged: boolean } | null = null;

	function isCommitted(index: LogIndex): boolean {
		return runner().commitIndex >= index;
	}

	function whenCommitted(index: LogIndex): Promise<boolean> {
		if (!stillLeading()) return Promise.resolve(false);
		if (isCommitted(index)) return Promise.resolve(true);
		return commitWait.wait(index);
	}

	return {
		proposed(index) {
			batch = { index, acknowledged: false };
		},
		whenAnswerable: (index) => (batch?.acknowledged === true ? Promise.resolve(true) : whenCommitted(index)),
		whenCommitted,
		committedOrOver(served, index) {
			if (served === null || isCommitted(index) || !stillLeading()) return Promise.resolve();
			return new Promise((resolve) => waiting.whenCommitted(index, served, () => resolve()));
		},
		acknowledgedOrOver(served, index, acknowledgement) {
			if (served === null || !stillLeading()) return Promise.resolve();
			lastWaiter++;
			return new Promise((resolve) => {
				waiting.whenAwaited(lastWaiter, served, () => resolve());
				runner().step({ type: "await-acknowledgement", index, acknowledgement, waiter: lastWaiter });
			});
		},
		answer(answers, { index }) {
			const acknowledged = batch?.acknowledged === true;
			batch = null;
			const servedTerm = term();
			const leads = servedTerm !== null && stillLeading();
			for (const { changes, answer } of answers) {
				if (changes ? acknowledged : isCommitted(index)) answer(true);
				else if (!leads) answer(false);
				else if (changes) waiting.whenAcknowledged(index, servedTerm, answer);
				else waiting.whenCommitted(index, servedTerm, answer);
			}
		},
		batchEnded() {
			batch = null;
		},
		onRole(state) {
			waiting.onTerm(state.role === "leader" ? state.term : null);
			if (state.role !== "leader" || state.term !== term()) commitWait.lost();
		},
		onCommit(index) {
			waiting.onCommit(index);
			commitWait.onCommit(index);
		},
		onAwaited: (waiter) => waiting.onAwaited(waiter),
		onAcknowledged(index) {
			if (batch?.index !== index) return waiting.onAcknowledged(index);
			batch.acknowledged = true;
			commitWait.onAcknowledged(index);
		},
	};
}
