/** Whether load balancers should send clients to this node, and why not, in words for an operator. */
import { isMember, neverLeads } from "../consensus/quorum.ts";
import type { Configuration, LogIndex, NodeId } from "../consensus/types.ts";
import type { Milliseconds } from "../world/clock.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Readiness } from "./service.ts";
import type { StateMachine } from "./state-machine.ts";
import { pauseInWords } from "./why-nobody-leads.ts";
import { witnessReadiness } from "./witness.ts";

/** A leader that commits nothing of what it is given for so long is not ready. */
const standsStillMs: Milliseconds = 3_000;

export interface ReadinessOptions {
	readonly self: NodeId;
	/** The last in this node's log. */
	readonly configuration: Configuration;
	/** It serves nobody, however well it is. */
	readonly witness: boolean;
	readonly stopped: boolean;
	readonly diskFull: boolean;
	readonly stateMachine: Pick<StateMachine, "unfit" | "serving" | "commitStandsStill">;
	readonly runner: Pick<CoreRunner, "core" | "state" | "commitIndex">;
	readonly appliedIndex: LogIndex;
	/** A node that is further behind is not ready. */
	readonly logTailEntries: number;
}

export function readinessOf(options: ReadinessOptions): Readiness {
	const { self, configuration, stopped, diskFull, stateMachine, runner, appliedIndex, logTailEntries } =
		options;
	if (stopped) return { ready: false, reason: "this node is stopping" };
	if (!isMember(configuration, self)) return notAMember(self, configuration);
	if (diskFull) return { ready: false, reason: "the disk is full" };
	if (stateMachine.unfit) {
		return {
			ready: false,
			reason: "the database does not fit the log and waits for a copy of the leader's",
		};
	}
	const { role, leader } = runner.state;
	if (options.witness) return witnessReadiness(leader);
	if (leader === null) {
		const paused = pauseInWords(runner);
		return { ready: false, reason: `there is no leader${paused === null ? "" : `, and ${paused}`}` };
	}
	if (role === "leader") {
		if (neverLeads(configuration, self)) {
			const reason =
				"this node never leads, by its priority, and does so until one that may has its log: it takes no writes";
			return { ready: false, reason };
		}
		if (!stateMachine.serving) return { ready: false, reason: "just elected, not serving yet" };
		const { forMs, missing } = stateMachine.commitStandsStill();
		if (forMs < standsStillMs) return { ready: true, reason: "" };
		return {
			ready: false,
			reason: `nothing was committed for ${Math.round(forMs / 1_000)} s: ${missing.join(", ")} make nothing durable`,
		};
	}
	const behind = runner.commitIndex - appliedIndex;
	if (behind > logTailEntries) return { ready: false, reason: `${behind} entries behind` };
	return { ready: true, reason: "" };
}

function notAMember(self: NodeId, { retired }: Configuration): Readiness {
	return {
		ready: false,
		reason: retired.includes(self)
			? "this node was removed from the cluster: stop it; it can come back under another id only"
			: "this node is no member yet: it waits until it is added and hears from the leader",
	};
}
