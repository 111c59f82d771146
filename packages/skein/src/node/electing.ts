/**
 * Who stands, as an operator chooses it: the elector, which is a part of the configuration, and a member that is told to
 * stand at once, which is the only way to a leader where the elector is `manual`.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import { isVoter, isWitness } from "../consensus/quorum.ts";
import type { ElectorName, NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import type { MemberChanges } from "./member-changes.ts";

export interface StandAnswer {
	/** False: it leads already, or it would only stand. */
	readonly changed: boolean;
	readonly leader: NodeId;
}

export interface StandRequest {
	/** Null: the node that is asked. */
	readonly node: NodeId | null;
	readonly dryRun: boolean;
}

export interface Electing {
	/** On any node. Resolves when the one that was told to stand leads. */
	stand(request: StandRequest): Promise<StandAnswer>;
	/** Of this node. */
	standHere(dryRun: boolean): Promise<StandAnswer>;
	/** A few times a second: what was chosen at the start is written to the log, where nothing was chosen before. */
	check(): void;
}

export interface ElectingOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly memberChanges: Pick<MemberChanges, "carryOut">;
	readonly forwarding: Pick<Forwarding, "call">;
	readonly leaderWatch: LeaderWatch;
	readonly clock: Clock;
	readonly logger: Logger;
	/** As this node was started; null: it was not said. */
	readonly chosen: ElectorName | null;
	/** How long a member may take to come to lead. */
	readonly timeoutMs: Milliseconds;
}

/** Longer than a round takes. */
const againMs: Milliseconds = 200;

export function createElecting(options: ElectingOptions): Electing {
	const { self, clock, logger, leaderWatch, chosen, timeoutMs } = options;
	let isChanging = false;
	let hasWarned = false;

	function noLeader(message: string): SkeinError {
		return new SkeinError(message, { code: "NO_LEADER" });
	}

	async function standHere(dryRun: boolean): Promise<StandAnswer> {
		const runner = options.runner();
		const { leader } = runner.state;
		if (leader === self) return { changed: false, leader };
		if (leader !== null)
			throw new SkeinError(`${leader} leads: skein transfer ${self} hands leadership over`, {
				code: "BAD_REQUEST",
			});
		const { configuration } = runner.core.view;
		if (!isVoter(configuration, self))
			throw new SkeinError(`${self} is not a voter`, { code: "BAD_REQUEST" });
		if (isWitness(configuration, self))
			throw new SkeinError(`${self} is a witness and never leads: tell a node with data to stand`, {
				code: "BAD_REQUEST",
			});
		if (dryRun) return { changed: false, leader: self };
		logger.info({}, "an operator wants this node to lead");
		const deadlineAt = clock.now() + timeoutMs;
		let againAt = clock.now();
		for (;;) {
			const change = leaderWatch.change();
			// Not once only: a leader that was heard a moment ago is waited for, and a round may be lost.
			if (clock.now() >= againAt && options.runner().state.role === "follower") {
				againAt = clock.now() + againMs;
				options.runner().step({ type: "stand" });
			}
			const now = options.runner().state;
			if (now.role === "leader" && now.established) return { changed: true, leader: self };
			if (now.leader !== null && now.leader !== self) throw noLeader(`${now.leader} was elected instead`);
			if (clock.now() >= deadlineAt)
				throw noLeader(
					`${self} did not come to lead in ${timeoutMs} ms: no majority answers, or others have a longer log; try another node`,
				);
			await change.wait(Math.min(deadlineAt, clock.now() + againMs));
		}
	}

	async function write(elector: ElectorName): Promise<void> {
		isChanging = true;
		try {
			const changes = [{ change: "elector", elector }] as const;
			await options.memberChanges.carryOut({ changes, confirm: null, dryRun: false });
			logger.info({ elector }, "the elector that this node was started with is in the log now");
		} catch (error) {
			logger.debug({ elector, error: String(error) }, "the elector could not be written to the log");
		} finally {
			isChanging = false;
		}
	}

	return {
		standHere,
		async stand({ node, dryRun }) {
			if (node === null || node === self) return await standHere(dryRun);
			const deadlineAt = clock.now() + 2 * timeoutMs;
			// The other node's own code made it.
			return JSON.parse(
				await options.forwarding.call(node, "stand", JSON.stringify(dryRun), deadlineAt),
			) as StandAnswer;
		},
		check() {
			if (chosen === null) return;
			const { state, core } = options.runner();
			const { elector } = core.view.configuration;
			if (elector === undefined) {
				if (state.role === "leader" && state.established && !isChanging) void write(chosen);
				return;
			}
			if (elector === chosen || hasWarned) return;
			hasWarned = true;
			logger.warn(
				{ elector, chosen },
				`the log says elector ${elector}, and that counts: skein elector ${chosen} changes it for all`,
			);
		},
	};
}
