/**
 * The owner of the one writing connection: everything that changes the database happens in this
 * loop, one step after the other. What must hold (see DESIGN.md):
 *
 * - While this member does not serve as leader it only applies committed entries, in order.
 * - It serves from the moment its barrier is committed and everything before it is applied, until
 *   the term or the role changes. While it serves, the database changes only by batches.
 * - A batch's payloads go into the log in the term in which the batch was executed, or nowhere.
 * - The applied index advances only after SQLite has committed.
 * - A database that an entry does not fit is not read, led or applied to any more: a snapshot replaces it.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { Entry, LogIndex, NodeId, Position, Term } from "../consensus/types.ts";
import type { AppliedEntry, Database, WriteRequest } from "../database/database.ts";
import type { Log } from "../log/log.ts";
import type { Clock, Milliseconds, Timer } from "../world/clock.ts";
import { isDiskFailing, isDiskFull } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import { createAppliedEntries, isEffect } from "./applied-entries.ts";
import type { AppliedIndex } from "./applied-index.ts";
import { createAppliedSettings } from "./applied-settings.ts";
import { createCheckpoints } from "./checkpoints.ts";
import type { CoreRunner, RoleState } from "./core-runner.ts";
import type { Deadlines } from "./deadlines.ts";
import { createDiskWatch, stalledTransactions } from "./disk-watch.ts";
import { createLeading } from "./leading.ts";
import { type LostTransactions, mayHoldIt } from "./lost-transactions.ts";
import type { ReadIndex } from "./read-index.ts";
import { createRepeatedLines } from "./repeated-lines.ts";
import type { NodeSettings } from "./settings.ts";
import { createSignal } from "./signal.ts";
import { notServing } from "./write-errors.ts";
import type { PauseLimits } from "./write-pause.ts";
import type { QueuedWrite, StreamKey } from "./write-queue.ts";

const diskFullPauseMs: Milliseconds = 500;
/** So often an entry is tried again that a failing disk refused, about ten seconds; a page that cannot be read at all wants another file. */
const mostDiskFailures = 20;
const askAgainMs: Milliseconds = 2_000;
/** So many election timeouts who cannot apply does not stand, when the others have had its log: more than a caretaker waits for (consensus/priority.ts). */
const restTimeouts = 12;

export interface StateMachine {
	submit(write: QueuedWrite): void;
	/** The client is gone: what its stream has open is rolled back. */
	closeStream(stream: StreamKey): void;
	onRole(state: RoleState): void;
	onCommit(index: LogIndex): void;
	onAcknowledged(index: LogIndex): void;
	onAwaited(waiter: number): void;
	/** A client of another node waits until this is applied here. */
	onApplyAtOnce(index: LogIndex): void;
	/** Serving writes as leader. */
	readonly serving: boolean;
	/** Serving, but for so long nothing was committed of what waits for it; and who has not made it durable. */
	commitStandsStill(): { readonly forMs: Milliseconds; readonly missing: readonly NodeId[] };
	/** SQLite had no room for what is committed, and nothing was applied since. */
	readonly full: boolean;
	/** Committed entries do not fit this member's database: what it holds is not to be shown to anybody. */
	readonly unfit: boolean;
	/** Finishes what is under way and begins no more writes (they wait) until `resume`. Used before leadership is handed over. Rejects when it takes too long. */
	pause(limits: PauseLimits): Promise<void>;
	resume(): void;
	/** Makes a checkpoint when it holds up little. Resolves with the index that the database holds durably. One at a time. */
	checkpoint(): Promise<LogIndex>;
	/** Replaces the database by a snapshot file, and tells the core. */
	installSnapshot(path: string, sha256: string, holds: Position): Promise<void>;
	start(): void;
	stop(): Promise<void>;
}

export interface StateMachineOptions {
	readonly self: NodeId;
	readonly database: Database;
	readonly log: Log;
	readonly runner: () => CoreRunner;
	readonly readIndex: ReadIndex;
	readonly applied: AppliedIndex;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly logger: Logger;
	readonly settings: NodeSettings;
	readonly mustRunAlone: (request: WriteRequest) => boolean;
	/** Asks the leader, if there is one, for a snapshot that holds this index. It may be lost: it is asked again. */
	readonly askForSnapshot: (index: LogIndex) => void;
	readonly lost: LostTransactions;
	/** This member has begun to serve. */
	readonly onServing: () => void;
	/** The mode of writes that name none is chosen by what is committed. Told before the entry shows as applied or is answered. */
	readonly onAcknowledgement: (acknowledgement: Acknowledgement) => void;
	readonly onFailure: (error: unknown) => void;
}

interface Installation {
	readonly path: string;
	readonly sha256: string;
	/** What the snapshot holds, as its sender says. */
	readonly holds: Position;
	readonly resolve: () => void;
	readonly reject: (error: unknown) => void;
}

export function createStateMachine(options: StateMachineOptions): StateMachine {
	const { database, log, applied, clock, logger, settings } = options;
	const signal = createSignal();
	const incoming = createAppliedEntries(database);
	const settingsIn = createAppliedSettings();
	const isLineDue = createRepeatedLines(clock);
	const watch = createDiskWatch(options);
	const leading = createLeading({ ...options, watch, wake: () => signal.wake() });
	const checkpoints = createCheckpoints({
		...options,
		watch,
		isFree: () => leading.isFree(),
		wake: () => signal.wake(),
	});
	/** The next entry to look at; ahead of applied + 1 only inside a fragmented transaction. */
	let cursor: LogIndex = applied.position.index + 1;
	let installation: Installation | null = null;
	let gathering: Timer | null = null;
	/** The last of the entries that could not be applied. */
	let unfitAt: LogIndex | null = null;
	let asking: Timer | null = null;
	let full = false;
	let standsBack = false;
	/** That this member led when it last asked. */
	let ledTerm: Term | null = null;
	/** One after the other, while entries were applied. */
	let diskFailures = 0;
	applied.onWait = () => {
		// Past the loop, which may be inside a batch that runs for long.
		database.hurry();
		signal.wake();
	};
	applied.onAdvance = (index) => options.runner().step({ type: "applied", index });
	/** The leader waits until this is applied here. */
	let awaitedIndex: LogIndex = 0;
	let stopped = false;
	let finished: Promise<void> = Promise.resolve();

	/**
	 * A follower lets a few entries gather and applies them in one SQLite transaction, unless somebody
	 * waits for them. Each transaction of its own would cost it a wake-up of its writer thread.
	 */
	function applySoon(): void {
		if (
			applied.awaited() ||
			applied.position.index < awaitedIndex ||
			options.runner().state.role === "leader"
		)
			return signal.wake();
		gathering ??= clock.setTimer(settings.applyDelayMs, () => {
			gathering = null;
			signal.wake();
		});
	}

	/** A leader may wait for long until its first entry is committed, if no majority makes it durable. */
	function waitToServe(write: QueuedWrite): void {
		options.deadlines.add(clock.now() + settings.leaderWaitMs, () => {
			if (write.started || write.cancelled || leading.active) return;
			write.cancelled = true;
			write.answer({ type: "failed", error: notServing() });
		});
	}

	async function loop(): Promise<void> {
		while (!stopped) {
			const worked = await step();
			if (!stopped) await checkpoints.between(!worked);
			if (!worked && !stopped) await signal.sleep();
		}
		await leading.leave("stopping");
		refuseAll();
	}

	/** Nobody will come back to what waits here: it is told so, or it would wait for ever. */
	function refuseAll(): void {
		leading.refuseQueued();
		checkpoints.stop(stopping());
		installation?.reject(stopping());
		installation = null;
	}

	async function step(): Promise<boolean> {
		const { caretaker } = options.runner().core.view;
		if (leading.active && (caretaker || !leading.stillLeading())) await stopServing();
		if (installation !== null) {
			await stopServing();
			return await install();
		}
		if (unfitAt !== null) return seekSnapshot(unfitAt);
		if (!leading.active) {
			if (await applyCommitted()) return true;
			const { state, core } = options.runner();
			if (state.role !== "leader" || caretaker) leading.refuseQueued();
			if (caretaker) return false;
			// All that is in the log: the others may have the barrier before our own disk has it, and only then we
			// are told to apply it (found by simulation); and what this leader proposed before SQLite failed it is
			// on its way still.
			if (!(state.role === "leader" && state.established && cursor > core.view.lastIndex)) return false;
			await leading.enter(state.term);
			options.onServing();
			return true;
		}
		const result = await leading.step();
		if (result === "recover") {
			// SQLite refused to commit what the log has committed: back to the last applied state, and
			// forward again from the log, as any follower would.
			await stopServing();
			await findPosition();
			await pauseFor(diskFullPauseMs);
			return true;
		}
		if (result === "committed") cursor = applied.position.index + 1;
		return result !== "idle";
	}

	async function stopServing(): Promise<void> {
		await leading.leave("lost");
		incoming.reset();
		cursor = applied.position.index + 1;
	}

	/** What failed may have happened all the same (a failing disk, a checkpoint behind the commit): never twice. */
	async function findPosition(): Promise<void> {
		const held = await database.applied();
		if (held.index > applied.position.index) applied.advance(held);
		incoming.reset();
		cursor = applied.position.index + 1;
	}

	async function applyCommitted(): Promise<boolean> {
		const { commitIndex } = options.runner();
		if (cursor > commitIndex) return false;
		const entries =
			log.readCached(cursor, commitIndex, settings.maxApplyBytes) ??
			(await options.runner().read(cursor, commitIndex, settings.maxApplyBytes));
		if (installation !== null) return true;
		const ready: AppliedEntry[] = [];
		for (const entry of entries) {
			const next = incoming.next(entry);
			if (next !== null) ready.push(next);
		}
		const last = ready.at(-1);
		if (last !== undefined) {
			const patience = watch("applying", stalledTransactions * settings.consensus.diskStallMs);
			try {
				await database.apply(ready);
			} catch (error) {
				const worked = await applyFailed(error, entries, last.position.index);
				// They are several transactions where the format changes or pieces come: those before the one that failed have happened.
				tellSettings(ready.filter(({ position }) => position.index <= applied.position.index));
				return worked;
			} finally {
				patience.cancel();
			}
			const effect = ready.findLast(isEffect);
			tellSettings(ready);
			if (effect !== undefined) applied.advance(effect.position);
			diskWorks();
		}
		cursor += entries.length;
		// What is not applied of them are pieces.
		applied.reflects(cursor - 1);
		return true;
	}

	/** They are applied. */
	function tellSettings(entries: readonly AppliedEntry[]): void {
		for (const change of settingsIn.read(entries))
			if (change.name === "acknowledgement") options.onAcknowledgement(change.value);
	}

	async function applyFailed(error: unknown, entries: readonly Entry[], last: LogIndex): Promise<boolean> {
		await database.rollback();
		await findPosition();
		// It has happened: there is nothing that does not fit, and no snapshot would be newer.
		if (applied.position.index >= last) {
			diskWorks();
			return true;
		}
		const isFull = isDiskFull(error);
		if (!isFull && !(isDiskFailing(error) && diskFailures++ < mostDiskFailures))
			return doesNotFit(error, entries);
		full = isFull;
		const what = isFull ? "the disk is full" : `the disk fails (${String(error)})`;
		if (isLineDue("full"))
			logger.error({}, `${what}: this node does not lead, and committed entries wait to be applied`);
		giveWay(diskFullPauseMs);
		await pauseFor(diskFullPauseMs);
		return true;
	}

	function diskWorks(): void {
		full = false;
		diskFailures = 0;
		ledTerm = null;
		if (standsBack) standBack(0);
	}

	/**
	 * Committed effects do not fit this database: it is not the leader's any more, is damaged, or we apply wrongly what
	 * the leader did. To go on would be to serve wrong rows; to stop would take every follower away where one
	 * statement was captured wrongly, and again at each start. The leader's own file has what it did.
	 */
	function doesNotFit(error: unknown, entries: readonly Entry[]): boolean {
		const last = entries.at(-1)?.index ?? cursor;
		const range = `${entries[0]?.index}…${last}`;
		const what = `entries ${range} could not be applied: this member has diverged or is damaged`;
		if (options.runner().core.view.configuration.members.length === 1)
			throw new Error(what, { cause: error });
		logger.error(
			{ error: String(error) },
			`${what}; it serves nothing until a snapshot replaces its database`,
		);
		unfitAt = last;
		return true;
	}

	function seekSnapshot(index: LogIndex): false {
		leading.refuseQueued();
		if (asking !== null) return false;
		giveWay(askAgainMs);
		const { role, leader } = options.runner().state;
		// Whoever leads has the copy that it waits for, and would hand over to it at once where that is not who is to lead.
		if (role === "follower" && leader !== null) standBack(restMs(askAgainMs));
		options.askForSnapshot(index);
		asking = clock.setTimer(askAgainMs, () => {
			asking = null;
			signal.wake();
		});
		return false;
	}

	/**
	 * Who cannot apply serves nobody: somebody else shall lead. Not at once: the others need our log first, or they could
	 * never win. Then it stands back: it would win again and again before a member stands in that never leads, and that may be
	 * all that can serve; where there is nobody else, it need not. `againAfterMs`: when this is asked again.
	 */
	function giveWay(againAfterMs: Milliseconds): void {
		const { role, term } = options.runner().state;
		if (role === "leader" && term === ledTerm) {
			options.runner().step({ type: "step-down" });
			if (options.runner().core.view.configuration.members.length > 1) standBack(restMs(againAfterMs));
		}
		ledTerm = role === "leader" ? term : null;
	}

	function restMs(againAfterMs: Milliseconds): Milliseconds {
		return restTimeouts * settings.consensus.electionTimeoutMs + againAfterMs;
	}

	function standBack(forMs: Milliseconds): void {
		standsBack = forMs > 0;
		options.runner().step({ type: "hold-back", reason: "unfit", forMs });
	}

	async function install(): Promise<boolean> {
		const work = installation;
		installation = null;
		if (work === null) return false;
		if (work.holds.index <= applied.position.index) {
			// Overtaken by the log while it arrived: installing it would take the database back under its readers.
			work.resolve();
			return true;
		}
		try {
			await reportLost(work.holds);
			await doubtReports(work.holds);
			const state = await database.installSnapshot(work.path, work.sha256);
			if (state.configuration === null) throw new Error("the snapshot holds no configuration");
			incoming.reset();
			cursor = state.applied.index + 1;
			unfitAt = null;
			if (state.acknowledgement !== null) options.onAcknowledgement(state.acknowledgement);
			// There was room for all of it (found by simulation: nobody has to write before this member is ready again).
			diskWorks();
			applied.advance(state.applied);
			options.runner().step({
				type: "snapshot-installed",
				index: state.applied.index,
				term: state.applied.term,
				configuration: state.configuration.value,
				configurationIndex: state.configuration.index,
			});
			work.resolve();
		} catch (error) {
			work.reject(error);
		}
		const { view } = options.runner().core;
		await options.lost.settle(({ term, index }) => view.termAt(index) === term);
		return true;
	}

	/**
	 * What the log holds and the snapshot does not continue goes with it. Here already: after a crash behind the
	 * installation nobody knows any more what of it was committed.
	 */
	async function reportLost(holds: Position): Promise<void> {
		const { commitIndex, core } = options.runner();
		const { lastIndex } = core.view;
		if (core.view.termAt(holds.index) === holds.term || lastIndex <= commitIndex) return;
		await options.lost.report({ first: commitIndex + 1, last: lastIndex, certain: false });
	}

	/** Before anything changes, so that a crash in between leaves no report more certain than it can be. */
	async function doubtReports(holds: Position): Promise<void> {
		const { commitIndex, core } = options.runner();
		const termAt = (index: LogIndex): Term | null => core.view.termAt(index);
		await options.lost.doubt((position) => mayHoldIt(position, { holds, commitIndex, termAt }));
	}

	function pauseFor(delayMs: Milliseconds): Promise<void> {
		return new Promise((resolve) => {
			clock.setTimer(delayMs, resolve);
		});
	}

	return {
		submit(write) {
			if (stopped) return write.answer({ type: "failed", error: stopping() });
			leading.submit(write);
			if (!leading.active) waitToServe(write);
			signal.wake();
		},
		closeStream(stream) {
			leading.closeStream(stream);
			signal.wake();
		},
		onRole(state) {
			leading.onRole(state);
			signal.wake();
		},
		onCommit(index) {
			leading.onCommit(index);
			if (!leading.active) applySoon();
		},
		onAcknowledged: (index) => leading.onAcknowledged(index),
		onAwaited: (waiter) => leading.onAwaited(waiter),
		onApplyAtOnce(index) {
			awaitedIndex = Math.max(awaitedIndex, index);
			if (!leading.active) applySoon();
		},
		get serving() {
			return leading.active && leading.stillLeading();
		},
		commitStandsStill: () => ({ forMs: leading.commitStoodStillMs, missing: leading.missing() }),
		get full() {
			return full;
		},
		get unfit() {
			return unfitAt !== null;
		},
		pause: (limits) => leading.pause(limits),
		resume() {
			leading.resume();
			signal.wake();
		},
		checkpoint: () => checkpoints.ask(),
		installSnapshot(path, sha256, holds) {
			if (stopped) return Promise.reject(stopping());
			if (installation !== null) return Promise.reject(new Error("a snapshot is being installed already"));
			return new Promise((resolve, reject) => {
				installation = { path, sha256, holds, resolve, reject };
				signal.wake();
			});
		},
		start() {
			finished = loop().catch((error: unknown) => {
				stopped = true;
				refuseAll();
				options.onFailure(error);
			});
		},
		async stop() {
			stopped = true;
			gathering?.cancel();
			asking?.cancel();
			leading.onRole({ role: "follower", term: Number.MAX_SAFE_INTEGER, leader: null, established: false });
			signal.wake();
			await finished;
		},
	};
}

function stopping(): SkeinError {
	return new SkeinError("this node is stopping", { code: "NO_LEADER" });
}
