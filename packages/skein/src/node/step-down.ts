/**
 * An operator takes leadership away from whoever has it: somebody else gets it as in any transfer, and this member does
 * not stand for a while. Where nobody can take over it is refused, unless the operator says what is lost by it.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import { neverLeads } from "../consensus/quorum.ts";
import type { NodeId, Term } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import { anyOf, needsConfirmation } from "./confirmation.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";
import { hasMoved, type LeaderRequests } from "./leader-requests.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import type { Transfer } from "./transfer.ts";

export interface StepDownRequest {
	/** Whoever leads this term. Asked again when that is over, nothing happens. Null: whoever leads now. */
	readonly term: Term | null;
	/** Only if it is this one that leads; else nothing happens, so it may be asked twice. Left out: whoever it is. */
	readonly node?: NodeId;
	/** For how long it does not stand by itself afterwards. */
	readonly restMs: Milliseconds;
	/** The sentence that says what may be lost, typed. */
	readonly confirm: string | null;
	/** Only says what would come of it. */
	readonly dryRun: boolean;
}

export interface StepDownAnswer {
	/** False: that node leads not, or not that term any more; or it would only step down. */
	readonly changed: boolean;
	/** Who stepped down, or would. */
	readonly from: NodeId | null;
	/** Who leads now, or would; null: nobody. */
	readonly leader: NodeId | null;
	readonly pausedMs: Milliseconds;
}

export interface StepDown {
	/** On any node. */
	request(request: StepDownRequest): Promise<StepDownAnswer>;
	/** On the leader. */
	carryOut(request: StepDownRequest): Promise<StepDownAnswer>;
}

export interface StepDownOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly transfer: Transfer;
	readonly forwarding: Forwarding;
	readonly askLeader: LeaderRequests;
	readonly leaderWatch: LeaderWatch;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly timeoutMs: Milliseconds;
}

export function createStepDown(options: StepDownOptions): StepDown {
	const { self, clock, logger, transfer } = options;

	async function carryOut(request: StepDownRequest): Promise<StepDownAnswer> {
		const { role, term } = options.runner().state;
		if (role !== "leader") throw new SkeinError("this node does not lead", { code: "NO_LEADER" });
		if (request.term !== null && request.term !== term) return over(self);
		if (request.node !== undefined && request.node !== self) {
			const { members } = options.runner().core.view.configuration;
			if (members.some(({ id }) => id === request.node)) return over(self);
			throw new SkeinError(
				`${request.node} is no member: ${anyOf(members.map(({ id }) => id))} could be meant`,
				{
					code: "BAD_REQUEST",
				},
			);
		}
		if (request.dryRun) return rehearse(request);
		try {
			const done = await transfer.handOver(null);
			rest(request, done.leader);
			return { changed: true, from: self, ...done };
		} catch (error) {
			// Also a node that stops, or hands over to somebody already: that says nothing about who could lead.
			if (transfer.busy || (error instanceof SkeinError && error.code === "NO_LEADER")) throw error;
			const now = options.runner().state;
			if (now.role !== "leader" || now.term !== term) return over(now.leader);
			refuse(request, error);
		}
		return await goAllTheSame(request, term);
	}

	/** Throws what the request itself would be refused with. */
	function rehearse(request: StepDownRequest): StepDownAnswer {
		let leader: NodeId | null = null;
		try {
			leader = transfer.wouldTake(null);
		} catch (error) {
			refuse(request, error);
		}
		return { changed: false, from: self, leader, pausedMs: 0 };
	}

	function refuse({ restMs, confirm }: StepDownRequest, error: unknown): void {
		const { configuration } = options.runner().core.view;
		// Who never leads would do so without writes.
		const others = configuration.voters.filter(
			(voter) => voter !== self && !neverLeads(configuration, voter),
		);
		const forLong = `writes stop for up to ${Math.ceil(restMs / 1_000)} s`;
		const until = others.length === 0 ? "" : ` or until ${anyOf(others)} leads`;
		const sentence = `${forLong}${until}, and early answers may be lost`;
		if (confirm === sentence) return;
		const why = error instanceof Error ? error.message : String(error);
		throw needsConfirmation(`${self} leads on: ${why}`, sentence);
	}

	async function goAllTheSame(request: StepDownRequest, term: Term): Promise<StepDownAnswer> {
		const startedAt = clock.now();
		options.runner().step({ type: "step-down" });
		rest(request, null);
		const leader = await nextLeader(term, startedAt + options.timeoutMs);
		return { changed: true, from: self, leader, pausedMs: clock.now() - startedAt };
	}

	function rest({ restMs }: StepDownRequest, leader: NodeId | null): void {
		options.runner().step({ type: "hold-back", reason: "stepped-down", forMs: restMs });
		logger.warn({ restMs, leader }, "stepped down because an operator asked for it");
	}

	async function nextLeader(after: Term, until: MonotonicTime): Promise<NodeId | null> {
		for (;;) {
			const change = options.leaderWatch.change();
			const { leader, term } = options.runner().state;
			if (leader !== null && term > after) return leader;
			if (clock.now() >= until) return null;
			await change.wait(until);
		}
	}

	return {
		carryOut,
		request(request) {
			const deadlineAt = clock.now() + options.timeoutMs * 3;
			return options.askLeader({
				async ask(leader) {
					if (leader === self) return await carryOut(request);
					const body = await options.forwarding.call(
						leader,
						"step-down",
						JSON.stringify(request),
						deadlineAt,
					);
					// The leader's own code made it.
					return JSON.parse(body) as StepDownAnswer;
				},
				mayAskAgain: hasMoved,
				nobody: "there is no leader that could step down",
				deadlineAt,
			});
		},
	};
}

function over(leader: NodeId | null): StepDownAnswer {
	return { changed: false, from: null, leader, pausedMs: 0 };
}
