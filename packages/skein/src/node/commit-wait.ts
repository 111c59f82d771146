/**
 * The leader's wait for the commit of the batch under way. Followers that live and write nothing (their disks are
 * full) keep a leader in office that commits nothing: check-quorum holds, and nobody could lead better. It is noticed
 * here, because the commit index stands still, and clients are told.
 */
import type { LogIndex } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";

export interface CommitWait {
	/** The index that is waited for; null: nothing is. */
	readonly index: LogIndex | null;
	/** For how long nothing was committed while something was waited for; 0 when nothing is. */
	readonly stoodStillMs: Milliseconds;
	/** That was longer than the limit, and still is so. */
	readonly overdue: boolean;
	/** True when `index` is committed (or acknowledged), false when leadership was lost before. One at a time. */
	wait(index: LogIndex): Promise<boolean>;
	onCommit(index: LogIndex): void;
	/** What ends at `index` may be answered, committed or not. */
	onAcknowledged(index: LogIndex): void;
	lost(): void;
}

export interface CommitWaitOptions {
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly limitMs: Milliseconds;
	/** Called once in each wait. */
	readonly onOverdue: () => void;
}

interface Waiting {
	readonly index: LogIndex;
	readonly resolve: (committed: boolean) => void;
	movedAt: MonotonicTime;
	deadline: Deadline | null;
	overdue: boolean;
}

export function createCommitWait(options: CommitWaitOptions): CommitWait {
	const { clock, deadlines, limitMs } = options;
	let waiting: Waiting | null = null;

	function watch(one: Waiting): void {
		const { movedAt } = one;
		one.deadline = deadlines.add(movedAt + limitMs, () => {
			one.deadline = null;
			if (waiting !== one) return;
			// Some of it was committed meanwhile: a large transaction on a slow link.
			if (one.movedAt > movedAt) return watch(one);
			one.overdue = true;
			options.onOverdue();
		});
	}

	function end(committed: boolean): void {
		const one = waiting;
		waiting = null;
		one?.deadline?.cancel();
		one?.resolve(committed);
	}

	return {
		get index() {
			return waiting?.index ?? null;
		},
		get stoodStillMs() {
			return waiting === null ? 0 : clock.now() - waiting.movedAt;
		},
		get overdue() {
			return waiting?.overdue ?? false;
		},
		wait(index) {
			if (waiting !== null) throw new Error("two batches wait for their commit");
			return new Promise((resolve) => {
				waiting = { index, resolve, movedAt: clock.now(), deadline: null, overdue: false };
				watch(waiting);
			});
		},
		onCommit(index) {
			if (waiting === null) return;
			waiting.movedAt = clock.now();
			if (index >= waiting.index) end(true);
		},
		onAcknowledged(index) {
			if (index === waiting?.index) end(true);
		},
		lost: () => end(false),
	};
}
