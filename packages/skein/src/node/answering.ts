/**
 * How long the batch under way, and the answers of earlier ones, wait for the log: for the acknowledgement of their
 * entries, for their commit, or for the end of the leadership, whichever comes. What waits here beside the loop does
 * not depend on SQLite any more.
 */
import { type Acknowledgement, waitsForFollowers } from "../consensus/acknowledge/acknowledgement.ts";
import type { LogIndex, Position, Term } from "../consensus/types.ts";
import type { CommitWait } from "./commit-wait.ts";
import type { CoreRunner, RoleState } from "./core-runner.ts";
import type { ReadyAnswer } from "./ready-answers.ts";
import { createWaitingAnswers } from "./waiting-answers.ts";
import { notWaitedFor, resultNotHeld, tooManyWait } from "./write-errors.ts";

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
	/** Gives answers that changed nothing when what is in the log up to `index` is acknowledged as if it were proposed now. */
	answerUnchanged(answers: readonly ReadyAnswer[], index: LogIndex, acknowledgement: Acknowledgement): void;
	/** Gives the batch's answers when they are due, and forgets the batch. */
	answer(answers: readonly ReadyAnswer[], last: Position, acknowledgement: Acknowledgement): void;
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
	/** Of results that wait. */
	readonly maxHeldBytes: number;
	readonly maxUnacknowledged: number;
}

export function createAnswering(options: AnsweringOptions): Answering {
	const { runner, term, stillLeading, commitWait, maxHeldBytes, maxUnacknowledged } = options;
	const waiting = createWaitingAnswers({ onForsaken: forget });
	let lastWaiter = 0;
	/** While the core is asked: it may say at once that it is met. */
	let asked: { readonly waiter: number; met: boolean } | null = null;
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
	function forget(index: LogIndex, ofTerm: Term, waiter: number | null): void {
		runner().step({ type: "forget-acknowledgement", term: ofTerm, index, waiter });
	}

	function hold(one: ReadyAnswer, put: (sizeBytes: number) => () => void): void {
		const sizeBytes = one.sizeBytes();
		if (waiting.sizeBytes > 0 && waiting.sizeBytes + sizeBytes > maxHeldBytes)
			return one.giveUp(resultNotHeld());
		one.held(put(sizeBytes));
	}

	function holdUntilCommitted(one: ReadyAnswer, index: LogIndex, ofTerm: Term): void {
		hold(one, (sizeBytes) => waiting.whenCommitted({ index, term: ofTerm, sizeBytes, end: one.answer }));
	}

	/** For what is committed already: the batch was waited for until one of both came. */
	function holdUntilAcknowledged(one: ReadyAnswer, index: LogIndex, ofTerm: Term): void {
		hold(one, (sizeBytes) => waiting.whenAcknowledged({ index, term: ofTerm, sizeBytes, end: one.answer }));
	}

	/** The number that was asked for, and whether it is met already. */
	function ask(
		index: LogIndex,
		acknowledgement: Acknowledgement,
	): { readonly waiter: number; readonly met: boolean } {
		lastWaiter++;
		const question = { waiter: lastWaiter, met: false };
		asked = question;
		runner().step({ type: "await-acknowledgement", index, acknowledgement, waiter: question.waiter });
		asked = null;
		return question;
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
		answerUnchanged(answers, index, acknowledgement) {
			const servedTerm = term();
			if (servedTerm === null || !stillLeading()) {
				for (const one of answers) one.answer(false);
				return;
			}
			const { waiter, met } = ask(index, acknowledgement);
			const isFull = !met && runner().core.view.unacknowledgedBy(acknowledgement) > maxUnacknowledged;
			for (const one of answers) {
				if (met) one.answer(true);
				else if (one.isGone()) one.giveUp(notWaitedFor());
				else if (isFull) one.giveUp(tooManyWait(acknowledgement));
				else
					hold(one, (sizeBytes) =>
						waiting.whenAwaited(waiter, { index, term: servedTerm, sizeBytes, end: one.answer }),
					);
			}
			if (!met && !waiting.isAwaited(index, waiter)) forget(index, servedTerm, waiter);
		},
		answer(answers, { index }, acknowledgement) {
			const acknowledged = batch?.acknowledged === true;
			batch = null;
			const servedTerm = term();
			const leads = servedTerm !== null && stillLeading();
			for (const one of answers) {
				// A stored answer waits for what the first try waited for.
				const lacksAcknowledgement = !acknowledged && (one.changes || waitsForFollowers(acknowledgement));
				const lacksCommit = !one.changes && !isCommitted(index);
				if (!lacksAcknowledgement && !lacksCommit) one.answer(true);
				else if (!leads) one.answer(false);
				else if (one.isGone()) one.giveUp(notWaitedFor());
				else if (lacksAcknowledgement) holdUntilAcknowledged(one, index, servedTerm);
				else holdUntilCommitted(one, index, servedTerm);
			}
			if (leads && !acknowledged && !waiting.isAwaited(index, null)) forget(index, servedTerm, null);
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
		onAwaited(waiter) {
			if (asked?.waiter !== waiter) return waiting.onAwaited(waiter);
			asked.met = true;
		},
		onAcknowledged(index) {
			if (batch?.index !== index) return waiting.onAcknowledged(index);
			batch.acknowledged = true;
			commitWait.onAcknowledged(index);
		},
	};
}
