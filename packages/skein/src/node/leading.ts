/**
 * What the owner of the writing connection does while this member serves as leader: takes a batch,
 * executes it inside an open SQLite transaction, sends its payloads through the log, answers, and
 * commits (DESIGN.md, "the way of a write"). One batch at a time; SQLite's commit of one batch and
 * the execution of the next go to the writer thread together, in that order.
 *
 * A batch is answered when its mode is met, and SQLite commits it when the log has: either may come first. One that
 * was answered first stays in the open transaction, with the next executed behind it (DESIGN.md, "Answers before
 * the commit").
 *
 * An interactive transaction owns the writer from its first program until it ends.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import { type Acknowledgement, waitsForFollowers } from "../consensus/acknowledge/acknowledgement.ts";
import { otherVoters } from "../consensus/acknowledging.ts";
import type { ProposedEntry } from "../consensus/input.ts";
import { allVoters } from "../consensus/quorum.ts";
import type { LogIndex, NodeId, Position, Term } from "../consensus/types.ts";
import type { Database, WriteOutcome, WriteRequest } from "../database/database.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import { isDiskFull } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import { createAlone } from "./alone.ts";
import { createAnswering } from "./answering.ts";
import type { AppliedIndex } from "./applied-index.ts";
import { createCommitWait } from "./commit-wait.ts";
import type { CoreRunner, RoleState } from "./core-runner.ts";
import type { Deadlines } from "./deadlines.ts";
import { type DiskWatch, writingMs } from "./disk-watch.ts";
import { createEndedStreams, type StreamEnd } from "./ended-streams.ts";
import { createOpenTransaction } from "./open-transaction.ts";
import { createOwnership } from "./ownership.ts";
import { createPassingConfigurations, type Pieces } from "./passing-configurations.ts";
import type { ReadIndex } from "./read-index.ts";
import { readyAnswers, unchangedAnswers } from "./ready-answers.ts";
import { replicate } from "./replicate.ts";
import type { NodeSettings } from "./settings.ts";
import { watchWriter } from "./stuck-writer.ts";
import {
	commitsNothing,
	leadershipLost,
	logOverloaded,
	modeNotMet,
	notDurableInTime,
	snapshotTooOld,
	tooFewVoters,
	writerFailed,
} from "./write-errors.ts";
import { createWritePause, type PauseLimits } from "./write-pause.ts";
import { cancel, createWriteQueue, type QueuedWrite, type StreamKey } from "./write-queue.ts";

export type LeadingResult =
	/** Nothing to do until somebody wakes the loop. */
	| "idle"
	| "worked"
	/** A batch is committed. */
	| "committed"
	/** SQLite failed to commit: leave, and apply from the log. */
	| "recover";

export interface Leading {
	readonly active: boolean;
	/** False once the term or the role for which `enter` was called is over. */
	stillLeading(): boolean;
	enter(term: Term): Promise<void>;
	leave(why: "lost" | "stopping"): Promise<void>;
	step(): Promise<LeadingResult>;
	/** Between two steps: no transaction is open on the writing connection, and the last commit has happened. */
	isFree(): Promise<boolean>;
	submit(write: QueuedWrite): void;
	closeStream(stream: StreamKey): void;
	/** For how long a batch has been waiting, or open, while nothing was committed; 0 when none is. */
	readonly commitStoodStillMs: Milliseconds;
	/** Who has not made durable what the batch under way waits for, or what is open. */
	missing(): NodeId[];
	/** Answers all that wait with not-leader. */
	refuseQueued(): void;
	onRole(state: RoleState): void;
	onCommit(index: LogIndex): void;
	onAcknowledged(index: LogIndex): void;
	onAwaited(waiter: number): void;
	/**
	 * No more batches begin until `resume`. Resolves when nothing is under way; rejects when something
	 * still is after `limitMs`.
	 */
	pause(limits: PauseLimits): Promise<void>;
	resume(): void;
}

export interface LeadingOptions {
	readonly self: NodeId;
	readonly database: Database;
	readonly runner: () => CoreRunner;
	readonly readIndex: ReadIndex;
	readonly applied: AppliedIndex;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly logger: Logger;
	readonly settings: NodeSettings;
	readonly watch: DiskWatch;
	readonly mustRunAlone: (request: WriteRequest) => boolean;
	/** Such a change is committed. */
	readonly onAcknowledgement: (acknowledgement: Acknowledgement) => void;
	readonly wake: () => void;
	readonly onFailure: (error: unknown) => void;
}

export function createLeading(options: LeadingOptions): Leading {
	const { database, runner, applied, clock, deadlines, settings, logger, wake } = options;
	const queue = createWriteQueue(settings.maxQueuedWrites);
	const ended = createEndedStreams();
	const alone = createAlone(options.mustRunAlone);
	const owner = createOwnership({ clock, deadlines, settings, wake, underWay: () => underWay });
	const pause = createWritePause(clock, deadlines);
	let term: Term | null = null;
	let underWay = false;
	/** The batch under way. */
	let running: readonly QueuedWrite[] = [];
	const commitWait = createCommitWait({ clock, deadlines, limitMs: settings.leaderWaitMs, onOverdue });
	/** Those of the batch under way that were told already that it takes too long. */
	let told = new Set<QueuedWrite>();
	const answering = createAnswering({
		runner,
		term: () => term,
		stillLeading,
		commitWait,
		maxHeldBytes: settings.maxHeldResultBytes,
		maxUnacknowledged: settings.consensus.maxUnacknowledged,
	});
	const open = createOpenTransaction({
		clock,
		maxOpenMs: settings.maxOpenMs,
		maxOpenBytes: settings.maxOpenBytes,
		awaited: () => applied.awaited(),
	});
	const passing = createPassingConfigurations({ runner, applied });
	/** SQLite's commit of the last batch, while it may still run. */
	let committing: Promise<void> = Promise.resolve();
	let commitFailed = false;
	let committedMoreAt: MonotonicTime = 0;
	/** The pieces of a large transaction that is on its way, up to its end: they change nothing by themselves. */
	let pieces: (Pieces & { last: LogIndex; isWhole: boolean }) | null = null;

	function stillLeading(): boolean {
		const { state } = runner();
		return term !== null && state.role === "leader" && state.term === term;
	}

	async function step(): Promise<LeadingResult> {
		if (owner.end !== null) {
			await endOwner(owner.end);
			return "worked";
		}
		if (commitFailed) return "recover";
		if (open.last !== null && runner().commitIndex >= open.last.index) {
			commitSqlite(open.last);
			return "committed";
		}
		const batch = nextBatch();
		if (batch.length === 0) {
			if (await storeConfiguration()) return commitFailed ? "recover" : "committed";
			if (pause.active) await commitSettled();
			if (commitFailed) return "recover";
			if (open.last !== null && (queue.length > 0 || pause.active)) {
				// Nothing may begin behind it any more, and somebody waits.
				await answering.whenCommitted(open.last.index);
				return "worked";
			}
			if (owner.stream === null && open.last === null) pause.reached();
			return "idle";
		}
		underWay = true;
		running = batch;
		try {
			return await runBatch(batch);
		} finally {
			underWay = false;
			running = [];
			pieces = null;
			told = new Set();
			answering.batchEnded();
		}
	}

	function nextBatch(): QueuedWrite[] {
		if (owner.stream !== null) {
			const write = queue.takeOf(owner.stream);
			return write === null ? [] : [write];
		}
		if (pause.active || !open.mayGoOn()) return [];
		return queue.takeBatch({
			requests: settings.maxBatchRequests,
			behind: open.last !== null,
			mustRunAlone: (request) => alone.is(request),
		});
	}

	async function runBatch(batch: QueuedWrite[]): Promise<LeadingResult> {
		const first = batch[0];
		const refusal = first === undefined ? null : refusalOf(first.acknowledgement);
		if (refusal !== null) {
			for (const write of batch) write.answer({ type: "failed", error: refusal });
			return "worked";
		}
		for (const write of batch) write.started = true;
		if (first?.snapshotIndex !== null && first?.snapshotIndex !== undefined) {
			await commitSettled();
			if (commitFailed) return putBack(batch, "recover");
			if (applied.shownBy(applied.position).index !== first.snapshotIndex) {
				first.answer({ type: "failed", error: snapshotTooOld() });
				return "worked";
			}
		}
		let outcomes: WriteOutcome[];
		const watchdog = watchWriter({ ...options, statementTimeoutMs: settings.statementTimeoutMs });
		try {
			const executing = database.execute(
				batch.map((write) => write.request),
				open.last !== null,
			);
			// Both are on their way to the writer thread; the earlier one is looked at first.
			const settled = executing.then(
				(value) => ({ ok: true as const, value }),
				(error: unknown) => ({ ok: false as const, error }),
			);
			await committing;
			const result = await settled;
			if (commitFailed) {
				await database.rollback();
				open.ended();
				return putBack(batch, "recover");
			}
			if (!result.ok) throw result.error;
			outcomes = result.value;
		} catch (error) {
			await database.rollback();
			logger.error({ error: String(error) }, "the writer failed; the batch was rolled back");
			// What an interactive transaction had done is rolled back with it.
			owner.forget();
			const failure = writerFailed(error);
			for (const write of batch) write.answer({ type: "failed", error: failure });
			// In the log format wal executing writes already, and the log may have room of its own: it would lead on.
			if (isDiskFull(error)) runner().step({ type: "step-down" });
			if (open.last === null) return "worked";
			// What was open with it is in the log, and may be committed: it comes back from there.
			open.ended();
			return "recover";
		} finally {
			watchdog.cancel();
		}
		if (!stillLeading()) {
			// Nothing was proposed, so nothing happened: whoever leads now may take these writes.
			await dropOpenTransaction("lost");
			for (const write of batch) write.answer({ type: "not-leader" });
			return "worked";
		}
		const only = outcomes[0];
		if (only !== undefined && first !== undefined && !only.outcome.autocommit) {
			if (batch.length !== 1) throw new Error("a transaction was left open inside a batch");
			owner.keep(first.stream);
			// Its client gave up while it ran, and will not come back to end it.
			if (first.cancelled) owner.mustEnd("closed");
			first.answer({
				type: "done",
				outcome: only.outcome,
				position: passing.shown(pieces),
				replayed: only.replayed,
			});
			return "worked";
		}
		owner.forget();
		return await finish(batch, outcomes);
	}

	/** The whole batch is executed and nothing is open any more: log, answer, commit. */
	async function finish(batch: QueuedWrite[], outcomes: readonly WriteOutcome[]): Promise<LeadingResult> {
		if (outcomes.length !== batch.length)
			throw new Error("the writer answered another number of requests than it was given");
		const payloads: Uint8Array[] = [];
		for (const { payload } of outcomes) if (payload !== null) payloads.push(payload);
		if (payloads.length === 0) return await finishUnchanged(batch, outcomes);

		const acknowledgement = modeOf(batch);
		const result = await replicate(payloads, {
			runner: runner(),
			fragmentBytes: settings.fragmentBytes,
			maxProposedBytes: settings.maxProposedBytes,
			acknowledgement,
			committed: (index) => answering.whenCommitted(index),
			onProposed: notePieces,
			onLast: (index) => answering.proposed(index),
		});
		switch (result.type) {
			case "refused":
				await database.rollbackGroup();
				return await refusedBatch(batch, result.reason);
			case "lost":
				return await lostBatch(batch);
			case "proposed":
				break;
			default: {
				const never: never = result;
				throw new Error(String(never));
			}
		}
		if (!(await answering.whenAnswerable(result.last.index))) return await lostBatch(batch);
		// Before the answer, and before SQLite has it: what comes after the answer goes by it.
		const setting = batch[0]?.request.setting;
		if (setting?.name === "acknowledgement") options.onAcknowledgement(setting.value);
		open.add(
			result.last,
			payloads.reduce((sum, { length }) => sum + length, 0),
		);
		// Also nothing that comes after it shares its transaction.
		if (alone.ends(batch)) open.close();
		const isCommitted = runner().commitIndex >= result.last.index;
		// Before the answers: the writer works while they are made.
		if (isCommitted) commitSqlite(result.last);
		// Whoever waits for others waits for this database too: it shall not tell of its commit with the next batch.
		if (acknowledgement.mode === "sync") database.hurry();
		answering.answer(readyAnswers(batch, outcomes, result, told), result.last, acknowledgement);
		return isCommitted ? "committed" : "worked";
	}

	async function lostBatch(batch: readonly QueuedWrite[]): Promise<LeadingResult> {
		await database.rollback();
		open.ended();
		for (const write of batch)
			if (!told.has(write)) write.answer({ type: "failed", error: leadershipLost() });
		return "worked";
	}

	/** A mode that cannot be met, or that has not been met so often that no more can wait for it. */
	function refusalOf(acknowledgement: Acknowledgement): SkeinError | null {
		if (!waitsForFollowers(acknowledgement)) return null;
		const { view } = runner().core;
		if (
			acknowledgement.mode === "semi-sync" &&
			acknowledgement.followers > otherVoters(view.configuration, options.self)
		)
			return tooFewVoters(acknowledgement);
		const isRoom =
			view.unacknowledgedBy(acknowledgement) < settings.consensus.maxUnacknowledged && answering.hasRoom;
		return isRoom ? null : modeNotMet(acknowledgement);
	}

	/**
	 * Nobody changed anything, yet the answers tell what the database holds (a constraint that was
	 * violated, a stored outcome): a deposed leader must not say that from old data.
	 */
	async function finishUnchanged(
		batch: readonly QueuedWrite[],
		outcomes: readonly WriteOutcome[],
	): Promise<LeadingResult> {
		await database.rollbackGroup();
		// Beside the loop: the round may last until the next leader is known, and a member that does not
		// lead any more has entries to apply.
		const servedTerm = term;
		// They may tell of what is open and not committed yet.
		const position = open.last ?? passing.shown(pieces);
		const acknowledgement = modeOf(batch);
		const answers = unchangedAnswers(batch, outcomes, position);
		void options.readIndex
			.ask(clock.now() + settings.leaderWaitMs)
			.then(() => answering.committedOrOver(servedTerm, position.index))
			.then(() => null, toSkeinError)
			.then((failure) => {
				const leads = term === servedTerm && stillLeading();
				// A stored answer is one to the write that it tells of: it is waited for what the first try waited for.
				if (leads && failure === null && waitsForFollowers(acknowledgement))
					return answering.answerUnchanged(answers, position.index, acknowledgement);
				for (const one of answers)
					if (leads && failure !== null) one.giveUp(failure);
					else one.answer(leads);
			});
		return "worked";
	}

	/** The database may tell of it late, with the answer to the next batch: sooner if somebody waits. */
	function commitSqlite(position: Position): void {
		// In the log format wal all pages are written here.
		const patience = options.watch("SQLite's commit", writingMs(open, settings.consensus));
		open.ended();
		committing = database.commit(position, passing.newConfiguration(position.index)).then(
			() => {
				patience.cancel();
				applied.advance(position);
				passing.reflectUpTo(runner().commitIndex, pieces);
			},
			(error: unknown) => {
				patience.cancel();
				commitFailed = true;
				logger.error(
					{ error: String(error) },
					"SQLite could not commit what the log has committed: it will be applied from the log",
				);
				wake();
			},
		);
		if (applied.awaited()) database.hurry();
	}

	/**
	 * Nothing is under way that would take a committed configuration along. Not while a transaction is open: its end is
	 * not committed in the log, and SQLite can commit only all of it. It takes the configuration along when it ends.
	 */
	async function storeConfiguration(): Promise<boolean> {
		if (owner.stream !== null || open.last !== null) return false;
		if (passing.newConfiguration(runner().commitIndex) === null) return false;
		await commitSettled();
		// What was committed meanwhile is perhaps another leader's: its rows are not in here (found by simulation).
		const configuration = stillLeading() ? passing.newConfiguration(runner().commitIndex) : null;
		if (configuration === null || commitFailed) return commitFailed;
		const { index } = configuration;
		commitSqlite({ index, term: runner().core.view.termAt(index) ?? 0 });
		return true;
	}

	/** Resolves when it is known how SQLite's last commit ended. */
	async function commitSettled(): Promise<void> {
		database.hurry();
		await committing;
	}

	async function refusedBatch(batch: QueuedWrite[], reason: string): Promise<LeadingResult> {
		if (reason === "not-leader" || reason === "not-established") {
			for (const write of batch) write.answer({ type: "not-leader" });
			return "worked";
		}
		// There is room when what is open is committed.
		open.close();
		// The end of a transaction over several requests cannot run again: what came before it was rolled back.
		const again = batch.filter((write) => !write.inTransaction);
		for (const write of batch)
			if (write.inTransaction) write.answer({ type: "failed", error: logOverloaded() });
		putBack(again, "idle");
		await new Promise<void>((resolve) => {
			clock.setTimer(settings.tickIntervalMs, resolve);
		});
		return "worked";
	}

	function putBack(batch: readonly QueuedWrite[], result: LeadingResult): LeadingResult {
		for (const write of batch) write.started = false;
		queue.putBack(batch);
		return result;
	}

	function notePieces(firstIndex: LogIndex, slice: readonly ProposedEntry[]): void {
		pieces ??= { first: firstIndex, last: firstIndex - 1, isWhole: false };
		for (const { kind } of slice) {
			if (kind !== "fragment") pieces.isWhole = true;
			if (!pieces.isWhole) pieces.last++;
		}
	}

	/** The batch goes on waiting, since it may be committed at any time; its clients do not. */
	function onOverdue(): void {
		const names = missing();
		logger.error(
			{ missing: names, index: commitWait.index },
			"nothing is committed: too few make writes durable",
		);
		for (const write of running) told.add(write);
		const error = notDurableInTime(names, settings.leaderWaitMs);
		for (const write of running) write.answer({ type: "failed", error });
		for (const write of queue.drain()) refuse(write);
	}

	function refuse(write: QueuedWrite): void {
		if (!write.cancelled) write.answer({ type: "failed", error: commitsNothing(missing()) });
	}

	function missing(): NodeId[] {
		const index = commitWait.index ?? open.last?.index ?? null;
		if (index === null) return [];
		// This member itself is not among them: its own disk that hangs ends its leadership.
		const { configuration, progress } = runner().core.view;
		return allVoters(configuration).filter((voter) => (progress.get(voter)?.matchIndex ?? index) < index);
	}

	async function endOwner(end: StreamEnd): Promise<void> {
		await database.abandonInteractive();
		await dropOpenTransaction(end);
	}

	async function dropOpenTransaction(end: StreamEnd): Promise<void> {
		await database.rollback();
		open.ended();
		const { stream } = owner;
		if (stream === null) return;
		owner.forget();
		ended.add(stream, end);
		for (let write = queue.takeOf(stream); write !== null; write = queue.takeOf(stream)) {
			write.answer({ type: "failed", error: ended.errorFor(stream) });
		}
	}

	return {
		get active() {
			return term !== null;
		},
		stillLeading,
		async enter(newTerm) {
			alone.captures(await database.prepareToLead());
			term = newTerm;
			commitFailed = false;
			logger.info({ term: newTerm }, "serving as leader");
		},
		async leave(why) {
			if (term === null) return;
			await commitSettled();
			await dropOpenTransaction(why);
			term = null;
			commitFailed = false;
			pause.reached();
		},
		step,
		async isFree() {
			if (owner.stream !== null || open.last !== null) return false;
			await commitSettled();
			return !commitFailed;
		},
		submit(write) {
			if (write.inTransaction && owner.stream !== write.stream) {
				return write.answer({ type: "failed", error: ended.errorFor(write.stream) });
			}
			// The stream forgot its transaction (it heard of a failure): this write must not become a part of it.
			if (!write.inTransaction && owner.stream === write.stream) owner.mustEnd("closed");
			if (commitWait.overdue) return refuse(write);
			if (!queue.add(write)) {
				write.answer({
					type: "failed",
					error: new SkeinError("too many writes are waiting: try again later", { code: "OVERLOADED" }),
				});
			}
		},
		closeStream(stream) {
			if (owner.stream === stream) owner.mustEnd("closed");
			queue.cancelOf(stream);
			for (const write of running) if (write.stream === stream) cancel(write);
		},
		get commitStoodStillMs() {
			const openMs = open.since === null ? 0 : clock.now() - Math.max(open.since, committedMoreAt);
			return Math.max(commitWait.stoodStillMs, openMs);
		},
		missing,
		refuseQueued() {
			for (const write of queue.drain()) write.answer({ type: "not-leader" });
		},
		onRole(state) {
			answering.onRole(state);
		},
		onCommit(index) {
			committedMoreAt = clock.now();
			if (term !== null) {
				passing.reflectUpTo(index, pieces);
				if (passing.newConfiguration(index) !== null) wake();
			}
			answering.onCommit(index);
			if (open.last !== null && index >= open.last.index) wake();
		},
		onAcknowledged: (index) => answering.onAcknowledged(index),
		onAwaited: (waiter) => answering.onAwaited(waiter),
		pause(limits) {
			pause.begin();
			if (term === null || (!underWay && owner.stream === null && open.last === null))
				return Promise.resolve();
			wake();
			return pause.wait(limits, () => {
				owner.mustEnd("handover");
				wake();
			});
		},
		resume() {
			pause.end();
			wake();
		},
	};
}

function modeOf(batch: readonly QueuedWrite[]): Acknowledgement {
	const [first] = batch;
	if (first === undefined) throw new Error("a batch of no requests");
	return first.acknowledgement;
}

function toSkeinError(error: unknown): SkeinError {
	return error instanceof SkeinError ? error : new SkeinError(String(error), { code: "NO_LEADER" });
}
