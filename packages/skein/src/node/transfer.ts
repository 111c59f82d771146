/**
 * Handing leadership over: finishes the batch under way, lets new writes wait (they go to the new
 * leader), has the core bring the target up to date and tell it to stand.
 */

import { SkeinError } from "../../../client/src/errors.ts";
import { isWitness, neverLeads } from "../consensus/quorum.ts";
import type { NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { CoreRunner, TransferEnd } from "./core-runner.ts";
import type { PeerStatus } from "./directory.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import type { StateMachine } from "./state-machine.ts";

/**
 * An interactive transaction that is open gets this long to end by itself. Other writes lose nothing: they wait for
 * it anyhow, as it owns the writer.
 */
const finishLimitMs: Milliseconds = 1_000;
/** And a batch under way this long; then nothing is handed over. New writes wait for it meanwhile. */
const pauseLimitMs: Milliseconds = 1_500;

/** Who has been saying for so long that it is not ready means it: in an election nobody is for a moment. */
const unreadyFromMs: Milliseconds = 1_000;

export interface TransferDone {
	readonly leader: NodeId;
	readonly pausedMs: Milliseconds;
}

export interface Transfer {
	/** Only on the leader. Resolves when another leader is known. */
	handOver(to: NodeId | null): Promise<TransferDone>;
	/** Who would take over; throws what asking for it would be refused with. */
	wouldTake(to: NodeId | null): NodeId;
	/** A transfer is under way. */
	readonly busy: boolean;
	onEnded(end: TransferEnd): void;
	/** The core failed, or will: it never says how a transfer ends. Who waits for that is told, now and later. */
	stop(): void;
}

export interface TransferOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly stateMachine: StateMachine;
	readonly leaderWatch: LeaderWatch;
	/** What the others say of themselves; null: nothing yet. */
	readonly statusOf: (node: NodeId) => Pick<PeerStatus, "ready" | "unreadyMs"> | null;
	/** Who was not heard for so long is taken for dead. */
	readonly electionTimeoutMs: Milliseconds;
	readonly clock: Clock;
	readonly timeoutMs: Milliseconds;
}

export function createTransfer(options: TransferOptions): Transfer {
	const { self, stateMachine, leaderWatch, clock } = options;
	let waiting: ((end: TransferEnd | null) => void) | null = null;
	let stopped = false;

	async function handOver(to: NodeId | null): Promise<TransferDone> {
		if (stopped) throw stopping();
		check(to);
		if (waiting !== null) throw underWay();
		if (to === self) return { leader: self, pausedMs: 0 };
		const startedAt = clock.now();
		const ended = new Promise<TransferEnd | null>((resolve) => {
			waiting = resolve;
		});
		try {
			await established(startedAt + options.timeoutMs);
			await stateMachine.pause({ finishMs: finishLimitMs, limitMs: pauseLimitMs });
			options.runner().step({ type: "transfer", to: to ?? bestReady() });
			const end = await ended;
			if (end === null) throw stopping();
			const leader = await nextLeader(startedAt + options.timeoutMs + finishLimitMs);
			if (end.outcome === "done" && leader !== null && leader !== self) {
				return { leader, pausedMs: clock.now() - startedAt };
			}
			throw new SkeinError(`leadership was not handed over: ${end.why}`, { code: "TIMEOUT" });
		} finally {
			waiting = null;
			stateMachine.resume();
		}
	}

	/** Right after its election a leader hands nothing over: what it has is not committed yet. */
	async function established(until: MonotonicTime): Promise<void> {
		for (;;) {
			const change = leaderWatch.change();
			const { role, established: isEstablished } = options.runner().state;
			if (stopped) throw stopping();
			if (role !== "leader") throw notLeading();
			if (isEstablished) return;
			if (clock.now() >= until) throw justElected();
			await change.wait(until);
		}
	}

	function check(to: NodeId | null): void {
		const { state, core } = options.runner();
		if (state.role !== "leader") throw notLeading();
		const { voters } = core.view.configuration;
		if (to !== null && !voters.includes(to)) {
			throw new SkeinError(`"${to}" is not a voter; the voters are ${voters.join(", ")}`, {
				code: "BAD_REQUEST",
			});
		}
		if (to !== null && to !== self) refuseUnready(to);
		if (to !== null && neverLeads(core.view.configuration, to)) {
			if (isWitness(core.view.configuration, to))
				throw new SkeinError(`"${to}" is a witness: it holds no data, and never leads`, {
					code: "BAD_REQUEST",
				});
			throw new SkeinError(`"${to}" never leads, by its priority: skein member priority ${to} normal`, {
				code: "BAD_REQUEST",
			});
		}
		if (to === null && otherVoters().length === 0) {
			throw new SkeinError("there is no other voter to hand leadership to", { code: "BAD_REQUEST" });
		}
	}

	/**
	 * Who has no room, or a database that does not fit, acknowledges and votes like anybody else, and would serve
	 * nobody. Null: all are alike, and the core chooses.
	 */
	function bestReady(): NodeId | null {
		const isUnready = (voter: NodeId): boolean => options.statusOf(voter)?.ready === false;
		if (!otherVoters().some(isUnready)) return null;
		return bestOf(otherVoters().filter((voter) => options.statusOf(voter)?.ready === true));
	}

	/** That may lead. */
	function otherVoters(): NodeId[] {
		const { configuration } = options.runner().core.view;
		return configuration.voters.filter((voter) => voter !== self && !neverLeads(configuration, voter));
	}

	/** Of those that were heard lately the one that holds most. */
	function bestOf(voters: readonly NodeId[]): NodeId | null {
		const { progress } = options.runner().core.view;
		const heardSince = clock.now() - options.electionTimeoutMs;
		let best: NodeId | null = null;
		let bestMatch = -1;
		for (const voter of voters) {
			const known = progress.get(voter);
			if (known === undefined) continue;
			if ((known.lastContact ?? Number.NEGATIVE_INFINITY) <= heardSince || known.matchIndex <= bestMatch)
				continue;
			best = voter;
			bestMatch = known.matchIndex;
		}
		return best;
	}

	/** One that is not ready is handed leadership only where no other is ready either. */
	function refuseUnready(to: NodeId): void {
		if ((options.statusOf(to)?.unreadyMs ?? 0) < unreadyFromMs || bestReady() === null) return;
		throw new SkeinError(
			`"${to}" says that it is not ready (a full disk, or a database that waits for a copy): leadership stays here; its /ready says why`,
			{ code: "BAD_REQUEST" },
		);
	}

	function wouldTake(to: NodeId | null): NodeId {
		check(to);
		const target = to ?? bestReady() ?? bestOf(otherVoters());
		if (target !== null && (target === self || bestOf([target]) !== null)) return target;
		const why = target === null ? "no other voter was heard from" : `${target} was not heard from`;
		throw new SkeinError(`leadership would not be handed over: ${why}`, { code: "TIMEOUT" });
	}

	async function nextLeader(until: MonotonicTime): Promise<NodeId | null> {
		for (;;) {
			const change = leaderWatch.change();
			const { leader } = options.runner().state;
			if (leader !== null || stopped || clock.now() >= until) return leader;
			await change.wait(until);
		}
	}

	return {
		handOver,
		wouldTake,
		get busy() {
			return waiting !== null;
		},
		onEnded(end) {
			waiting?.(end);
		},
		stop() {
			stopped = true;
			waiting?.(null);
			leaderWatch.changed();
		},
	};
}

function notLeading(): SkeinError {
	return new SkeinError("this node does not lead", { code: "NO_LEADER" });
}

function underWay(): SkeinError {
	return new SkeinError("another transfer is under way: look who leads when it has ended, and ask again", {
		code: "BAD_REQUEST",
	});
}

function justElected(): SkeinError {
	return new SkeinError(
		"leadership was not handed over: this leader was just elected and does not serve yet, since it reaches no majority; ask again when it serves",
		{ code: "TIMEOUT" },
	);
}

function stopping(): SkeinError {
	return new SkeinError("this node has failed or is stopping: ask another node who leads", {
		code: "NO_LEADER",
		outcome: "unknown",
	});
}

/** Before this node stops. Never throws: it stops in any case. */
export async function handOverToAnybody(transfer: Pick<Transfer, "handOver">, logger: Logger): Promise<void> {
	try {
		const { leader, pausedMs } = await transfer.handOver(null);
		logger.info({ leader, pausedMs: Math.round(pausedMs) }, "leadership handed over");
	} catch (error) {
		logger.warn({ error: String(error) }, "leadership could not be handed over");
	}
}
