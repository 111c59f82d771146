/**
 * Where a write runs: here, when this node leads; else at the leader, over the peer connection.
 * While there is no leader it waits, up to a limit. A write is tried again only when it certainly
 * did not happen, or when its idempotency key makes it happen once however often it is tried.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { NodeId, Position } from "../consensus/types.ts";
import { acknowledgementText } from "../database/acknowledgement-text.ts";
import type { Program, ProgramOutcome } from "../database/program.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Deadlines } from "./deadlines.ts";
import type { DefaultAcknowledgement } from "./default-acknowledgement.ts";
import type { Forwarded, Forwarding } from "./forwarding.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import { createMissingMembers } from "./missing-members.ts";
import type { StateMachine } from "./state-machine.ts";
import { whyNobodyLeads } from "./why-nobody-leads.ts";
import { noRoom } from "./write-errors.ts";
import { cancel, type QueuedWrite } from "./write-queue.ts";
import { asOfTaking } from "./write-request.ts";

export interface RoutedWrite {
	readonly streamId: number;
	readonly program: Program;
	readonly foreignKeys: boolean;
	readonly interactive: boolean;
	/** The node that holds the stream's open transaction; the write goes there or nowhere. */
	readonly transactionAt: NodeId | null;
	readonly snapshotIndex: number | null;
	readonly idempotencyKey: string | null;
	/** Null: the one that is chosen for the database, as the leader finds it. */
	readonly acknowledgement: Acknowledgement | null;
	/** False: whatever happens to it, it cannot have committed anything (a statement inside an open transaction). */
	readonly mayCommit: boolean;
	readonly deadlineAt: MonotonicTime;
}

export interface RoutedAnswer {
	readonly outcome: ProgramOutcome;
	readonly position: Position;
	readonly replayed: boolean;
	/** The mode that it was answered in. */
	readonly acknowledgement: Acknowledgement;
	/** Where it ran: where its transaction, if still open, is. */
	readonly node: NodeId;
}

export interface Routing {
	write(write: RoutedWrite): Promise<RoutedAnswer>;
	/** Nothing is tried any more: who waits for a leader is told. */
	stop(): void;
}

export interface RoutingOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly stateMachine: StateMachine;
	readonly mode: Pick<DefaultAcknowledgement, "current">;
	readonly forwarding: Forwarding;
	readonly leaderWatch: LeaderWatch;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly leaderWaitMs: Milliseconds;
	readonly statementTimeoutMs: Milliseconds;
}

export function createRouting(options: RoutingOptions): Routing {
	const { self, clock, leaderWatch, mode } = options;
	const missing = createMissingMembers(options);
	let stopped = false;

	async function write(request: RoutedWrite): Promise<RoutedAnswer> {
		const seen = { lost: false };
		try {
			return await tryUntilDone(request, seen);
		} catch (error) {
			// What its last try says about itself says nothing about those before it.
			throw seen.lost && error instanceof SkeinError ? withUnknownOutcome(error) : error;
		}
	}

	/** `seen.lost` is set when a try ended without an answer, and may have happened. */
	async function tryUntilDone(request: RoutedWrite, seen: { lost: boolean }): Promise<RoutedAnswer> {
		let waitUntil = Math.min(request.deadlineAt, clock.now() + options.leaderWaitMs);
		for (;;) {
			if (stopped) throw new SkeinError("this node is stopping", { code: "NO_LEADER" });
			const { leader } = options.runner().state;
			if (request.transactionAt !== null && leader !== null && leader !== request.transactionAt)
				throw transactionLost();
			const change = leaderWatch.change();
			const result = leader === null ? null : await tryAt(leader, request);
			switch (result?.type) {
				case "done":
					return {
						outcome: result.outcome,
						position: result.position,
						replayed: result.replayed,
						acknowledgement: result.acknowledgement,
						node: leader ?? self,
					};
				case "failed":
					// A deposed leader says so itself, if it lives: under a key the write may be tried again.
					if (!isLost(result.error) || !mayRepeat(request)) throw result.error;
					seen.lost = true;
					waitUntil = Math.min(request.deadlineAt, clock.now() + options.leaderWaitMs);
					break;
				case "timed-out":
					throw await timedOut(request);
				case "lost":
					if (request.transactionAt !== null && !request.mayCommit) throw transactionLost();
					if (!mayRepeat(request)) throw outcomeUnknown(request);
					seen.lost = true;
					// It was answered by a leader until now, so the wait for the next one begins now.
					waitUntil = Math.min(request.deadlineAt, clock.now() + options.leaderWaitMs);
					break;
				case "full":
				case "not-leader":
				case "not-sent":
				case undefined:
					break;
				default: {
					const never: never = result;
					throw new Error(String(never));
				}
			}
			if (clock.now() >= waitUntil) throw result?.type === "full" ? noRoom() : noLeader(options.runner());
			await change.wait(waitUntil);
		}
	}

	/** Where it names no mode and ran elsewhere, that of its leader may be another by now. */
	async function timedOut(request: RoutedWrite): Promise<SkeinError> {
		const acknowledgement = request.acknowledgement ?? mode.current;
		const waitsForOthers = request.mayCommit && acknowledgement.mode !== "async";
		const names = waitsForOthers ? await missing.inWords(acknowledgement) : "";
		return new SkeinError(
			`the write was not acknowledged in time, in mode ${acknowledgementText(acknowledgement)}${names}`,
			{ code: "TIMEOUT", outcome: request.mayCommit ? "unknown" : "did-not-happen" },
		);
	}

	function tryAt(leader: NodeId, request: RoutedWrite): Promise<Forwarded> {
		return leader === self ? tryHere(request) : tryThere(leader, request);
	}

	function tryThere(leader: NodeId, request: RoutedWrite): Promise<Forwarded> {
		const { streamId, program, foreignKeys, interactive, snapshotIndex, idempotencyKey, acknowledgement } =
			request;
		const { deadlineAt } = request;
		return options.forwarding.run(
			leader,
			{
				streamId,
				inTransaction: request.transactionAt !== null,
				foreignKeys,
				interactive,
				snapshotIndex,
				program,
				idempotencyKey,
				acknowledgement,
				timeoutMs: Math.max(1, Math.round(deadlineAt - clock.now())),
			},
			deadlineAt,
		);
	}

	function tryHere(request: RoutedWrite): Promise<Forwarded> {
		return new Promise((resolve) => {
			const stream = `${self}/${request.streamId}`;
			const taken = asOfTaking(
				{
					stream,
					program: request.program,
					foreignKeys: request.foreignKeys,
					interactive: request.interactive,
					idempotencyKey: request.idempotencyKey,
					receivedAtMs: clock.now(),
					wallTimeMs: clock.wallTime(),
					timeoutMs: options.statementTimeoutMs,
				},
				() => request.acknowledgement ?? mode.current,
			);
			const queued: QueuedWrite = {
				stream,
				get request() {
					return taken().request;
				},
				get acknowledgement() {
					return taken().acknowledgement;
				},
				inTransaction: request.transactionAt !== null,
				snapshotIndex: request.snapshotIndex,
				cancelled: false,
				started: false,
				answer: (answer) => {
					deadline.cancel();
					const { acknowledgement } = queued;
					resolve(answer.type === "done" ? { ...answer, acknowledgement } : answer);
				},
			};
			const deadline = options.deadlines.add(request.deadlineAt, () => {
				if (queued.started) resolve({ type: "timed-out" });
				cancel(queued);
				if (queued.started) return;
				resolve({
					type: "failed",
					error: new SkeinError("the write waited too long for the writer; it did not happen", {
						code: "TIMEOUT",
					}),
				});
			});
			options.stateMachine.submit(queued);
		});
	}

	return {
		write,
		stop() {
			stopped = true;
			leaderWatch.changed();
		},
	};
}

/** A part of a transaction would run without what came before it, whatever its key says. */
function mayRepeat(request: RoutedWrite): boolean {
	return request.idempotencyKey !== null && request.transactionAt === null;
}

function isLost(error: SkeinError): boolean {
	return error.code === "LEADERSHIP_LOST" && error.outcome === "unknown";
}

function withUnknownOutcome(error: SkeinError): SkeinError {
	const { code, extendedCode, cause } = error;
	const message = `an earlier try of this write was lost on its way and may be committed; the last one: ${error.message}`;
	return new SkeinError(message, { code, extendedCode, cause, outcome: "unknown" });
}

function transactionLost(): SkeinError {
	return new SkeinError(
		"the leader that held this transaction is gone: it was rolled back, nothing of it happened; begin it again",
		{ code: "LEADERSHIP_LOST" },
	);
}

function outcomeUnknown(request: RoutedWrite): SkeinError {
	return new SkeinError(
		"the leader was lost while this write was in flight: it may or may not be committed; look, or send it again with an Idempotency-Key",
		{ code: "LEADERSHIP_LOST", outcome: request.mayCommit ? "unknown" : "did-not-happen" },
	);
}

function noLeader(runner: CoreRunner): SkeinError {
	if (runner.diskFull()) {
		return new SkeinError("the disk of this node is full and no other node leads: make room", {
			code: "DISK_FULL",
		});
	}
	return new SkeinError(whyNobodyLeads(runner), { code: "NO_LEADER" });
}
