/**
 * A request to change a setting of the database, on any node: it goes to whoever leads, and there through the queue of
 * the writes, the log and SQLite's commit, alone in its batch. All members change at the entry's index.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import { otherVoters } from "../consensus/acknowledging.ts";
import type { LogIndex, NodeId } from "../consensus/types.ts";
import { acknowledgementText } from "../database/acknowledgement-text.ts";
import type { Database } from "../database/database.ts";
import { defaultLogFormat, type LogFormat } from "../database/log-format.ts";
import { type SettingChange, settingFrom, settingText } from "../database/setting-change.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { AppliedIndex } from "./applied-index.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { DefaultAcknowledgement } from "./default-acknowledgement.ts";
import type { Forwarding } from "./forwarding.ts";
import { createLeaderRequests, hasMoved } from "./leader-requests.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import type { StateMachine } from "./state-machine.ts";
import type { WriteAnswer } from "./write-queue.ts";

export interface SettingChanged {
	/** Of the entry: the new value counts behind it. */
	readonly index: LogIndex;
}

export interface SettingRequests {
	/** Resolves when the change is committed, and applied where it was asked for. */
	change(change: SettingChange): Promise<SettingChanged>;
	/** The leader's part. */
	changeHere(change: SettingChange): Promise<SettingChanged>;
	/** The same, as another node asks for it. */
	hear(body: string): Promise<SettingChanged>;
	/** On a leader that serves: what was not chosen yet is, as this node was started. May be called often. */
	chooseFirst(): void;
	/** The log format as of what this node has applied; what it last knew, if nobody can be asked. */
	format(): Promise<LogFormat>;
	/** As of when it was last asked for. */
	lastFormat(): LogFormat;
}

export interface SettingRequestsOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly database: Pick<Database, "format">;
	readonly mode: DefaultAcknowledgement;
	readonly stateMachine: StateMachine;
	readonly applied: AppliedIndex;
	readonly forwarding: Forwarding;
	readonly leaderWatch: LeaderWatch;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly leaderWaitMs: Milliseconds;
	readonly statementTimeoutMs: Milliseconds;
	/** Nothing is waited for any more. */
	readonly stopped: () => boolean;
}

export function createSettingRequests(options: SettingRequestsOptions): SettingRequests {
	const { self, clock, applied, mode, statementTimeoutMs: timeoutMs } = options;
	const askLeader = createLeaderRequests(options);
	let known: LogFormat = defaultLogFormat;
	/** Changes that go through the queue here. */
	let underWay = 0;

	async function changeHere(change: SettingChange): Promise<SettingChanged> {
		refuseWhatCannotBeMet(change);
		underWay++;
		const answer = await new Promise<WriteAnswer>((resolve) => {
			options.stateMachine.submit({
				stream: `${self}/settings`,
				request: {
					program: { steps: [] },
					foreignKeys: true,
					interactive: false,
					idempotencyKey: null,
					note: null,
					receivedAtMs: clock.now(),
					timeoutMs,
					setting: change,
				},
				// Whatever the writes wait for: a setting is changed for good, or not at all. Another mode would end the chain for a moment.
				acknowledgement: { mode: mode.current.mode === "chain" ? "chain" : "quorum" },
				inTransaction: false,
				snapshotIndex: null,
				cancelled: false,
				started: false,
				answer: resolve,
			});
		});
		underWay--;
		switch (answer.type) {
			case "done":
				return { index: answer.position.index };
			case "failed":
				throw answer.error;
			case "not-leader":
				throw new SkeinError("this node does not lead", { code: "NO_LEADER" });
		}
	}

	/** Every write that names no mode would be refused. */
	function refuseWhatCannotBeMet({ name, value }: SettingChange): void {
		if (name !== "acknowledgement" || value.mode !== "semi-sync") return;
		const others = otherVoters(options.runner().core.view.configuration, self);
		if (value.followers <= others) return;
		throw new SkeinError(
			`${acknowledgementText(value)} asks for ${value.followers} followers, and the cluster has ${others} other voters: the mode stays ${acknowledgementText(mode.current)}`,
			{ code: "BAD_REQUEST" },
		);
	}

	function changeAnywhere(change: SettingChange): Promise<SettingChanged> {
		const sentUntil = clock.now() + timeoutMs;
		return askLeader({
			async ask(leader) {
				if (leader === self) return await changeHere(change);
				const body = JSON.stringify({ name: change.name, value: settingText(change) });
				// The leader's own code made the answer.
				return JSON.parse(
					await options.forwarding.call(leader, "setting", body, sentUntil),
				) as SettingChanged;
			},
			mayAskAgain: hasMoved,
			nobody: "there is no leader to change the setting",
			deadlineAt: clock.now() + options.leaderWaitMs,
		});
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
		async change(change) {
			const changed = await changeAnywhere(change);
			await reached(changed.index);
			return changed;
		},
		changeHere,
		hear(body) {
			// The other node's own code made it.
			const { name, value } = JSON.parse(body) as {
				readonly name: SettingChange["name"];
				readonly value: string;
			};
			return changeHere(settingFrom(name, value));
		},
		chooseFirst() {
			// An operator's choice that is under way is one.
			if (mode.isChosen || underWay > 0 || !options.stateMachine.serving) return;
			changeHere({ name: "acknowledgement", value: mode.current }).catch((error: unknown) => {
				// The next look tries again, or whoever leads then.
				options.logger.info({ error: String(error) }, "the acknowledgement mode could not be stored yet");
			});
		},
		async format() {
			try {
				known = await options.database.format();
			} catch {
				// Its readers are all busy, or the database is being replaced: this is no reason not to show the rest.
			}
			return known;
		},
		lastFormat: () => known,
	};
}
