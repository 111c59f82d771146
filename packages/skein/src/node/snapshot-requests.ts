/** A member whose database does not fit the log asks the leader for a copy of its own: the core does not know, its log is well. */
import { SkeinError } from "../../../client/src/errors.ts";
import type { LogIndex, NodeId, Term } from "../consensus/types.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";

export interface SnapshotRequestsOptions {
	readonly self: NodeId;
	readonly runner: () => Pick<CoreRunner, "state">;
	readonly forwarding: Pick<Forwarding, "call">;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly timeoutMs: Milliseconds;
	readonly send: (to: NodeId, term: Term, atLeast: LogIndex) => void;
}

export interface SnapshotRequests {
	/** Best effort: whoever needs one asks again. */
	ask(atLeast: LogIndex): void;
	/** Throws NO_LEADER where this node does not lead. */
	answer(from: NodeId, body: string): object;
}

export function createSnapshotRequests(options: SnapshotRequestsOptions): SnapshotRequests {
	const { self, runner, forwarding, clock, logger, timeoutMs } = options;
	return {
		ask(atLeast) {
			const { leader } = runner().state;
			if (leader === null || leader === self) return;
			forwarding
				.call(leader, "snapshot", JSON.stringify({ atLeast }), clock.now() + timeoutMs)
				.catch((error: unknown) => logger.debug({ leader, error: String(error) }, "asked for a snapshot"));
		},
		answer(from, body) {
			const { role, term } = runner().state;
			if (role !== "leader") throw new SkeinError("this node does not lead", { code: "NO_LEADER" });
			options.send(from, term, Number(JSON.parse(body).atLeast));
			return {};
		},
	};
}
