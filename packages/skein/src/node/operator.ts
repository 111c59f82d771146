/**
 * What an operator may ask of a node, put together: handing leadership over, taking it up, stepping down, pausing
 * elections, changing members. Each is carried out by whoever leads, or by every member for itself, and may be asked again.
 */
import type { Configuration, GroupId, NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { WireVersions } from "../world/network.ts";
import type { CallHandlers } from "./call-answers.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Directory } from "./directory.ts";
import { createElecting } from "./electing.ts";
import { createElections, type Elections, type PauseOrder } from "./elections.ts";
import type { Forwarding } from "./forwarding.ts";
import { createLeaderRequests } from "./leader-requests.ts";
import { createLeaderWatch, type LeaderWatch } from "./leader-watch.ts";
import { createMemberChanges, type MemberChanges } from "./member-changes.ts";
import { createPreference } from "./preference.ts";
import type { ClusterView, Service } from "./service.ts";
import type { NodeSettings } from "./settings.ts";
import type { StateMachine } from "./state-machine.ts";
import { createStepDown } from "./step-down.ts";
import { createTransfer, type Transfer } from "./transfer.ts";
import { createTransferRequests } from "./transfer-requests.ts";
import { createWireGate } from "./wire-gate.ts";

/** How long a leader waits for a change of members, or for the one before it to end. */
const memberChangeMs: Milliseconds = 10_000;
/** How long a member has to say that it keeps a pause of elections. */
const pauseAnswerMs: Milliseconds = 1_000;

export interface Operator {
	readonly transfer: Transfer;
	readonly memberChanges: MemberChanges;
	readonly elections: Elections;
	/** A few times a second. */
	check(): void;
	readonly handlers: Pick<CallHandlers, "transfer" | "members" | "step-down" | "elections" | "stand">;
	readonly service: Pick<Service, "transfer" | "changeMembers" | "stepDown" | "pauseElections" | "stand">;
}

export interface OperatorOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly runner: () => CoreRunner;
	readonly configuration: () => Configuration;
	readonly stateMachine: StateMachine;
	readonly leaderWatch: LeaderWatch;
	readonly directory: Directory;
	readonly forwarding: Forwarding;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly logger: Logger;
	readonly settings: NodeSettings;
	readonly stopped: () => boolean;
	/** Of messages, that this node understands. */
	readonly wire: WireVersions;
}

export function createOperator(options: OperatorOptions): Operator {
	const { electionTimeoutMs, transferTimeoutMs } = options.settings.consensus;
	const gate = createWireGate({
		self: options.self,
		own: options.wire,
		members: () => options.configuration().members.map(({ id }) => id),
		wireOf: (node) => options.directory.statusOf(node)?.wire ?? null,
	});
	const transfer = createTransfer({
		...options,
		statusOf: (node) => options.directory.statusOf(node),
		electionTimeoutMs,
		timeoutMs: transferTimeoutMs,
	});
	const asking = {
		...options,
		transfer,
		askLeader: createLeaderRequests(options),
		timeoutMs: transferTimeoutMs,
	};
	const transfers = createTransferRequests(asking);
	const stepDown = createStepDown(asking);
	const memberChanges = createMemberChanges({
		...asking,
		watch: createLeaderWatch(options.clock, options.deadlines),
		timeoutMs: memberChangeMs,
		mustKnow: (configuration) => gate.mustKnowConfiguration(configuration),
	});
	const preference = createPreference({
		...asking,
		statusOf: (node) => options.directory.statusOf(node),
		restsForMs: async (node) => {
			const deadlineAt = options.clock.now() + pauseAnswerMs;
			// The other node's own code made it.
			const seen = JSON.parse(await options.forwarding.call(node, "cluster", "", deadlineAt)) as ClusterView;
			return seen.databases["default"]?.elections.restsForMs ?? 0;
		},
		electionTimeoutMs,
		delayMs: options.settings.takeoverDelayMs,
		mostLackingBytes: options.settings.consensus.maxAppendBytes,
	});
	const electing = createElecting({
		...asking,
		memberChanges,
		chosen: options.settings.consensus.elector,
	});
	const elections = createElections({ ...options, timeoutMs: pauseAnswerMs });

	return {
		transfer,
		memberChanges,
		elections,
		check() {
			elections.check();
			preference.check();
			electing.check();
		},
		// The other node's own code made the bodies.
		handlers: {
			transfer: (_, body) => transfers.carryOut(JSON.parse(body)),
			members: (_, body) => memberChanges.carryOut(JSON.parse(body)),
			"step-down": (_, body) => stepDown.carryOut(JSON.parse(body)),
			stand: (_, body) => electing.standHere(JSON.parse(body) === true),
			elections: (_, body) => elections.hear(JSON.parse(body) as PauseOrder),
		},
		service: {
			transfer: (to, dryRun = false) => transfers.request({ to, dryRun }),
			changeMembers: (request) => memberChanges.request(request),
			stand: (request) => electing.stand(request),
			stepDown: (request) => stepDown.request(request),
			pauseElections: (request) => elections.request(request),
		},
	};
}
