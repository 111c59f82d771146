/**
 * A request to change the log format, on any node: it goes to whoever leads, and there through the queue of the
 * writes, the log and SQLite's commit, alone in its batch. All members change at the entry's index. And what the
 * format is, for those who ask this node.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { LogIndex, NodeId } from "../consensus/types.ts";
import type { Database } from "../database/database.ts";
import { defaultLogFormat, type LogFormat } from "../database/log-format.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { AppliedIndex } from "./applied-index.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import type { StateMachine } from "./state-machine.ts";
import type { WriteAnswer } from "./write-queue.ts";

export interface FormatChanged {
	readonly format: LogFormat;
	/** Of the entry: those behind it hold the new format. */
	readonly index: LogIndex;
}

export interface FormatRequests {
	/** Resolves when the change is committed, and applied where it was asked for. */
	change(format: LogFormat): Promise<FormatChanged>;
	/** The leader's part. */
	changeHere(format: LogFormat): Promise<FormatChanged>;
	/** As of what this node has applied; what it last knew, if nobody can be asked. */
	current(): Promise<LogFormat>;
	/** As of when it was last asked for. */
	lastKnown(): LogFormat;
}

export interface FormatRequestsOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly database: Pick<Database, "format">;
	readonly stateMachine: StateMachine;
	readonly applied: AppliedIndex;
	readonly forwarding: Forwarding;
	readonly leaderWatch: LeaderWatch;
	readonly clock: Clock;
	readonly leaderWaitMs: Milliseconds;
	readonly statementTimeoutMs: Milliseconds;
	/** Nothing is waited for any more. */
	readonly stopped: () => boolean;
}

export function createFormatRequests(options: FormatRequestsOptions): FormatRequests {
	const { self, clock, leaderWatch, applied, statementTimeoutMs: timeoutMs } = options;
	let known: LogFormat = defaultLogFormat;

	async function changeHere(format: LogFormat): Promise<FormatChanged> {
		const answer = await new Promise<WriteAnswer>((resolve) => {
			options.stateMachine.submit({
				stream: `${self}/format`,
				request: {
					program: { steps: [] },
					foreignKeys: true,
					interactive: false,
					idempotencyKey: null,
					note: null,
					receivedAtMs: clock.now(),
					timeoutMs,
					format,
				},
				// Whatever the writes wait for: a setting is changed for good, or not at all.
				acknowledgement: { mode: "quorum" },
				inTransaction: false,
				snapshotIndex: null,
				cancelled: false,
				started: false,
				answer: resolve,
			});
		});
		switch (answer.type) {
			case "done":
				return { format, index: answer.position.index };
			case "failed":
				throw answer.error;
			case "not-leader":
				throw new SkeinError("this node does not lead", { code: "NO_LEADER" });
		}
	}

	async function ask(leader: NodeId, format: LogFormat, deadlineAt: MonotonicTime): Promise<FormatChanged> {
		if (leader === self) return await changeHere(format);
		const body = await options.forwarding.call(leader, "format", JSON.stringify(format), deadlineAt);
		// The leader's own code made it.
		return JSON.parse(body) as FormatChanged;
	}

	async function changeAnywhere(format: LogFormat): Promise<FormatChanged> {
		const deadlineAt = clock.now() + timeoutMs;
		const waitUntil = clock.now() + options.leaderWaitMs;
		for (;;) {
			if (options.stopped()) throw new SkeinError("this node is stopping", { code: "NO_LEADER" });
			const change = leaderWatch.change();
			const { leader } = options.runner().state;
			try {
				if (leader !== null) return await ask(leader, format, deadlineAt);
			} catch (error) {
				if (!hasMoved(error) || clock.now() >= waitUntil) throw error;
			}
			if (clock.now() >= waitUntil)
				throw new SkeinError("there is no leader to change the log format", { code: "NO_LEADER" });
			await change.wait(waitUntil);
		}
	}

	/** Whoever asks this node next is told of it. A member that falls behind is not waited for. */
	function reached(index: LogIndex): Promise<void> {
		return new Promise((resolve) => {
			const end = (): void => {
				timer.cancel();
				resolve();
			};
			const timer = clock.setTimer(options.leaderWaitMs, () => {
				endWait();
				resolve();
			});
			const endWait = applied.whenReached(index, end);
		});
	}

	return {
		async change(format) {
			const changed = await changeAnywhere(format);
			await reached(changed.index);
			return changed;
		},
		changeHere,
		async current() {
			try {
				known = await options.database.format();
			} catch {
				// Its readers are all busy, or the database is being replaced: this is no reason not to show the rest.
			}
			return known;
		},
		lastKnown: () => known,
	};
}

/** Who was asked does not lead any more, and did nothing. */
function hasMoved(error: unknown): boolean {
	return error instanceof SkeinError && error.code === "NO_LEADER" && error.outcome === "did-not-happen";
}
