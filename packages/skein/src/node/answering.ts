/**
 * How long the batch under way, and the answers of earlier ones, wait for the log: for the acknowledgement of their
 * entries, for their commit, or for the end of the leadership, whichever comes. What waits here beside the loop does
 * not depend on SQLite any more.
 */
import type { LogIndex, Position, Term } from "../consensus/types.ts";
import type { CommitWait } from "./commit-wait.ts";
import type { CoreRunner, RoleState } from "./core-runner.ts";
import type { ReadyAnswer } from "./ready-answers.ts";
import { createWaitingAnswers } from "./waiting-answers.ts";
import { notWaitedFor, resultNotHeld } from "./write-errors.ts";

export interface Answering {
	/** The batch under way is in the log, and ends at `index`. Before anything can be said of it. */
	proposed(index: LogIndex): void;
	/** True once the batch under way is acknowledged or committed, false when leadership was lost before. */
	whenAnswerable(index: LogIndex): Promise<boolean>;
	/** True once `index` is committed, false when leadership was lost before. For the loop: one at a time. */
	whenCommitted(index: LogIndex): Promise<boolean>;
	/** Resolves also when leadership is over: whoever waits looks at that himself. */
	committedOrOver(term: Term | null, index: LogIndex): Promise<void>;
	/** More results can be held until they are due. */
	readonly hasRoom: boolean;
	/** Gives the batch's answers when they are due, and forgets the batch. */
	answer(answers: readonly ReadyAnswer[], last: Position): void;
	/** The batch under way is over, however. */
	batchEnded(): void;
	onRole(state: RoleState): void;
	onCommit(index: LogIndex): void;
	onAcknowledged(index: LogIndex): void;
}

export interface AnsweringOptions {
	readonly runner: () => CoreRunner;
	/** The term in which this member serves. */
	readonly term: () => Term | null;
	readonly stillLeading: () => boolean;
	/** Of the batch under way. */
	readonly commitWait: CommitWait;
	/** Of results that wait. */
	readonly maxHeldBytes: number;
}

export function createAnswering(options: AnsweringOptions): Answering {
	const { runner, term, stillLeading, commitWait, maxHeldBytes } = options;
	const waiting = createWaitingAnswers({ onForsaken: forget });
	let batch: { readonly index: LogIndex; acknowledged: boolean } | null = null;

	function isCommitted(index: LogIndex): boolean {
		return runner().commitIndex >= index;
	}

	function whenCommitted(index: LogIndex): Promise<boolean> {
		if (!stillLeading()) return Promise.resolve(false);
		if (isCommitted(index)) return Promise.resolve(true);
		return commitWait.wait(index);
	}

	/** So that what nobody waits for is in nobody's way. */
	function forget(index: LogIndex, ofTerm: Term): void {
		runner().step({ type: "forget-acknowledgement", term: ofTerm, index });
	}

	function hold(one: ReadyAnswer, index: LogIndex, servedTerm: Term): void {
		const sizeBytes = one.sizeBytes();
		if (waiting.sizeBytes > 0 && waiting.sizeBytes + sizeBytes > maxHeldBytes)
			return one.giveUp(resultNotHeld());
		const held = { index, term: servedTerm, sizeBytes, end: one.answer };
		one.held(one.changes ? waiting.whenAcknowledged(held) : waiting.whenCommitted(held));
	}

	return {
		get hasRoom() {
			return waiting.sizeBytes < maxHeldBytes;
		},
		proposed(index) {
			batch = { index, acknowledged: false };
		},
		whenAnswerable: (index) => (batch?.acknowledged === true ? Promise.resolve(true) : whenCommitted(index)),
		whenCommitted,
		committedOrOver(served, index) {
			if (served === null || isCommitted(index) || !stillLeading()) return Promise.resolve();
			return new Promise((resolve) =>
				waiting.whenCommitted({ index, term: served, sizeBytes: 0, end: () => resolve() }),
			);
		},
		answer(answers, { index }) {
			const acknowledged = batch?.acknowledged === true;
			batch = null;
			const servedTerm = term();
			const leads = servedTerm !== null && stillLeading();
			for (const one of answers) {
				if (one.changes ? acknowledged : isCommitted(index)) one.answer(true);
				else if (!leads) one.answer(false);
				else if (one.isGone()) one.giveUp(notWaitedFor());
				else hold(one, index, servedTerm);
			}
			if (leads && !acknowledged && !waiting.isAwaited(index)) forget(index, servedTerm);
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
		onAcknowledged(index) {
			if (batch?.index !== index) return waiting.onAcknowledged(index);
			batch.acknowledged = true;
			commitWait.onAcknowledged(index);
		},
	};
}
