/**
 * A request that only the leader can carry out, on any node: it goes to whoever leads, and follows leadership when
 * that has just moved.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { NodeId } from "../consensus/types.ts";
import type { Clock, MonotonicTime } from "../world/clock.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { LeaderWatch } from "./leader-watch.ts";

export interface LeaderRequestsOptions {
	readonly runner: () => CoreRunner;
	readonly leaderWatch: LeaderWatch;
	readonly clock: Clock;
	/** Nothing is waited for any more. */
	readonly stopped: () => boolean;
}

/** `mayAskAgain`: the next leader may be asked after this error. `nobody`: what to say if none is found. */
export type LeaderRequests = <T>(request: {
	readonly ask: (leader: NodeId) => Promise<T>;
	readonly mayAskAgain: (error: unknown) => boolean;
	readonly nobody: string;
	readonly deadlineAt: MonotonicTime;
}) => Promise<T>;

export function createLeaderRequests(options: LeaderRequestsOptions): LeaderRequests {
	const { clock, leaderWatch } = options;

	return async ({ ask, mayAskAgain, nobody, deadlineAt }) => {
		/** An earlier leader may have done it. */
		let isUncertain = false;
		for (;;) {
			if (options.stopped()) throw new SkeinError("this node is stopping", { code: "NO_LEADER" });
			const change = leaderWatch.change();
			const { leader } = options.runner().state;
			try {
				if (leader !== null) return await ask(leader);
			} catch (error) {
				isUncertain ||= error instanceof SkeinError && error.outcome === "unknown";
				// Who leads and refuses knows what earlier leaders did; who does not lead knows nothing.
				if (!mayAskAgain(error)) throw error;
				if (clock.now() >= deadlineAt) throw hasMoved(error) ? noLeader(nobody, isUncertain) : error;
			}
			if (clock.now() >= deadlineAt) throw noLeader(nobody, isUncertain);
			await change.wait(deadlineAt);
		}
	};
}

function noLeader(message: string, isUncertain: boolean): SkeinError {
	return new SkeinError(message, {
		code: "NO_LEADER",
		outcome: isUncertain ? "unknown" : "did-not-happen",
	});
}

/** Who was asked does not lead any more, and did nothing. */
export function hasMoved(error: unknown): boolean {
	return error instanceof SkeinError && error.code === "NO_LEADER" && error.outcome === "did-not-happen";
}
