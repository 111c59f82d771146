/**
 * Changing members, as an operator asks for it, on any node. The leader hands a change to its core and
 * waits until that is committed; who asks again, of whatever node, after whatever crash, changes nothing
 * twice. A leader that is to go hands leadership over first, so that no write is left without an answer.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import { isJoint } from "../consensus/membership.ts";
import type { ChangeRefusal } from "../consensus/output.ts";
import { neverLeads } from "../consensus/quorum.ts";
import type { Configuration, LogIndex, MemberChange, NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import { needsConfirmation } from "./confirmation.ts";
import type { ChangeAnswer, CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";
import type { LeaderRequests } from "./leader-requests.ts";
import { hasMoved } from "./leader-requests.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import type { Transfer } from "./transfer.ts";

export interface MembersRequest {
	readonly changes: readonly MemberChange[];
	/** The sentence that says what may be lost, typed: then also if no quorum of the new voters answers just now. */
	readonly confirm: string | null;
	/** Only says what would come of it. */
	readonly dryRun: boolean;
}

export interface MembersAnswer {
	/** False: it is so already, or would only be so. */
	readonly changed: boolean;
	/** Who belongs to the group now, or would. */
	readonly members: Configuration;
}

export interface MemberChanges {
	/** On any node. Resolves when the change is committed; those who join may still have to catch up. */
	request(request: MembersRequest): Promise<MembersAnswer>;
	/** On the leader, for a request from another node. */
	carryOut(request: MembersRequest): Promise<MembersAnswer>;
	/** The last configuration in the log is another. */
	onConfiguration(): void;
	onCommit(): void;
}

export interface MemberChangesOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly transfer: Transfer;
	readonly forwarding: Forwarding;
	readonly askLeader: LeaderRequests;
	/** Of its own. */
	readonly watch: LeaderWatch;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly timeoutMs: Milliseconds;
	/** Throws where a member could not read such an entry yet. */
	readonly mustKnow: (configuration: Configuration) => void;
}

/** These pass by themselves, most often within a moment. */
const passing: ReadonlySet<ChangeRefusal> = new Set([
	"not-established",
	"transferring",
	"disk-stalled",
	"in-transaction",
	"change-under-way",
]);

export function createMemberChanges(options: MemberChangesOptions): MemberChanges {
	const { self, clock, watch, logger } = options;
	/** Of the last configuration that was seen committed. */
	let committedIndex = 0;

	async function carryOut(request: MembersRequest): Promise<MembersAnswer> {
		const deadlineAt = clock.now() + options.timeoutMs;
		const planned = await plan(request, deadlineAt);
		options.mustKnow(planned);
		if (request.dryRun) return { changed: false, members: planned };
		const leadsOn = planned.voters.includes(self) && !neverLeads(planned, self);
		if (!leadsOn) await giveLeadershipAway(planned);
		for (;;) {
			const change = watch.change();
			const answer = ask(request, false);
			if (answer.type === "change-accepted") {
				if (answer.index === null) return { changed: false, members: answer.target };
				logger.info({ changes: request.changes, index: answer.index }, "members change");
				await settled(answer.index, deadlineAt);
				return { changed: true, members: answer.target };
			}
			await waitFor(answer, change, deadlineAt);
		}
	}

	/** What the core would make of it. Who is refused for the moment only asks again. */
	async function plan(request: MembersRequest, deadlineAt: MonotonicTime): Promise<Configuration> {
		for (;;) {
			const change = watch.change();
			const answer = ask(request, true);
			if (answer.type === "change-accepted") return answer.target;
			await waitFor(answer, change, deadlineAt);
		}
	}

	/** Forced only where what was confirmed is what would be forced. */
	function ask({ changes, confirm }: MembersRequest, dryRun: boolean): ChangeAnswer {
		const runner = options.runner();
		const answer = runner.changeMembers({ changes, force: false, dryRun });
		if (answer.type !== "change-refused" || answer.missing.length === 0) return answer;
		if (confirm !== atRisk(answer.missing)) return answer;
		logger.warn({ changes, missing: answer.missing }, "members change although no majority answers");
		return runner.changeMembers({ changes, force: true, dryRun });
	}

	async function waitFor(
		answer: Extract<ChangeAnswer, { type: "change-refused" }>,
		change: ReturnType<LeaderWatch["change"]>,
		deadlineAt: MonotonicTime,
	): Promise<void> {
		if (answer.reason === "not-leader") throw notLeading();
		if (!passing.has(answer.reason)) {
			const why = `the members stay as they are: ${answer.why}`;
			if (answer.missing.length > 0) throw needsConfirmation(why, atRisk(answer.missing));
			throw new SkeinError(why, { code: "BAD_REQUEST" });
		}
		if (clock.now() >= deadlineAt) {
			throw new SkeinError(`the members stay as they are: ${answer.why}`, { code: "TIMEOUT" });
		}
		await change.wait(deadlineAt);
	}

	/** Whoever takes over goes on with the request. If nobody can, the core steps down when it is done. */
	async function giveLeadershipAway(planned: Configuration): Promise<void> {
		const isOther = (voter: NodeId): boolean =>
			voter !== self && planned.voters.includes(voter) && !neverLeads(planned, voter);
		const { voters } = options.runner().core.view.configuration;
		// Who votes now and will vote; a new voter may be far behind.
		if (!voters.some(isOther)) return;
		try {
			await options.transfer.handOver(bestOf(voters.filter(isOther)));
		} catch (error) {
			if (hasMoved(error)) throw error;
			logger.warn({ error: String(error) }, "leadership could not be handed over before the leader goes");
			return;
		}
		throw notLeading();
	}

	function bestOf(voters: readonly NodeId[]): NodeId | null {
		const { progress } = options.runner().core.view;
		const matchOf = (node: NodeId): LogIndex => progress.get(node)?.matchIndex ?? 0;
		return voters.reduce<NodeId | null>(
			(best, one) => (best === null || matchOf(one) > matchOf(best) ? one : best),
			null,
		);
	}

	/** The change that began at `index` is committed, and no joint phase is left to go through. */
	async function settled(index: LogIndex, deadlineAt: MonotonicTime): Promise<void> {
		for (;;) {
			const change = watch.change();
			const { core, state } = options.runner();
			const { configuration, configurationIndex, commitIndex } = core.view;
			const isCommitted = configurationIndex >= index && configurationIndex <= commitIndex;
			if (isCommitted && !isJoint(configuration)) return;
			if (state.role !== "leader") {
				throw new SkeinError("leadership was lost in the middle of the change: ask again", {
					code: "LEADERSHIP_LOST",
					outcome: "unknown",
				});
			}
			if (clock.now() >= deadlineAt) {
				throw new SkeinError(
					"the change has begun and is not committed yet: it goes on by itself; ask again to see how it ended",
					{ code: "TIMEOUT", outcome: "unknown" },
				);
			}
			await change.wait(deadlineAt);
		}
	}

	return {
		carryOut,
		request(request) {
			// The leader's own time is over first, so that its reasons arrive.
			const deadlineAt = clock.now() + 2 * options.timeoutMs;
			return options.askLeader({
				async ask(leader) {
					if (leader === self) return await carryOut(request);
					const body = await options.forwarding.call(leader, "members", JSON.stringify(request), deadlineAt);
					// The leader's own code made it.
					return JSON.parse(body) as MembersAnswer;
				},
				mayAskAgain: (error) => hasMoved(error) || isLost(error),
				nobody: "there is no leader to change the members",
				deadlineAt,
			});
		},
		onConfiguration: () => watch.changed(),
		onCommit() {
			const { commitIndex, configurationIndex } = options.runner().core.view;
			if (configurationIndex > commitIndex || configurationIndex === committedIndex) return;
			committedIndex = configurationIndex;
			watch.changed();
		},
	};
}

/** What may be lost when the voters that are left are no quorum just now. */
function atRisk(missing: readonly NodeId[]): string {
	return `writes stop until ${missing.join(" and ")} ${missing.length === 1 ? "answers" : "answer"}`;
}

/** Asking the next leader again does nothing twice. */
function isLost(error: unknown): boolean {
	return error instanceof SkeinError && error.code === "LEADERSHIP_LOST";
}

function notLeading(): SkeinError {
	return new SkeinError("this node does not lead", { code: "NO_LEADER" });
}
