/** What stands on one runner, wired as node.ts does it, for tests of one part among its real neighbours. */
import { decodeMessage } from "../../peer/codec/message.ts";
import { defaultPeerLimits } from "../../peer/limits.ts";
import type { RunRequest, RunResponse } from "../../peer/message.ts";
import { silentLogger } from "../../world/logger.ts";
import { createAnswers } from "../answers.ts";
import { type AppliedIndex, createAppliedIndex } from "../applied-index.ts";
import { createForwarding, type Forwarding } from "../forwarding.ts";
import { createFreshness } from "../freshness.ts";
import { createLeaderWatch, type LeaderWatch } from "../leader-watch.ts";
import { createOutbox } from "../outbox.ts";
import { createReadIndex, type ReadIndex } from "../read-index.ts";
import { createRemoteWrites, type RemoteWrites } from "../remote-writes.ts";
import { createRouting, type Routing } from "../routing.ts";
import { defaultNodeSettings, type NodeSettings } from "../settings.ts";
import { createStateMachine, type StateMachine } from "../state-machine.ts";
import type { Sent } from "./memory-network.ts";
import type { RunnerMember, Runners } from "./runners.ts";

export interface Parts {
	readonly member: RunnerMember;
	readonly settings: NodeSettings;
	readonly applied: AppliedIndex;
	readonly readIndex: ReadIndex;
	readonly stateMachine: StateMachine;
	readonly forwarding: Forwarding;
	readonly remoteWrites: RemoteWrites;
	readonly leaderWatch: LeaderWatch;
	readonly routing: Routing;
}

export function createParts(
	runners: Runners,
	member: RunnerMember,
	changed: Partial<NodeSettings> = {},
): Parts {
	const { clock, deadlines } = runners;
	const { id: self, runner, log, database, network } = member;
	const settings = { ...defaultNodeSettings, ...changed };
	const { leaderWaitMs, statementTimeoutMs } = settings;
	const applied = createAppliedIndex(database.opened.applied);
	const common = {
		runner: () => runner,
		clock,
		deadlines,
		logger: silentLogger,
		settings,
		database,
		log,
		applied,
	};
	const leaderWatch = createLeaderWatch(clock, deadlines);
	const outbox = createOutbox({ network, clock, maxBytes: settings.maxWaitingAnswerBytes });
	const forwarding = createForwarding({
		self,
		group: 1,
		network,
		clock,
		deadlines,
		outbox,
		maxPending: settings.maxForwarded,
		maxMessageBytes: defaultPeerLimits.maxMessageBytes.log,
		firstRequestId: 1,
	});
	const readIndex = createReadIndex({
		leasedIndex: () => null,
		...common,
		freshness: createFreshness({ clock, applied }),
		leaderWaitMs,
		maxQueued: settings.maxQueuedReads,
	});
	const stateMachine = createStateMachine({
		...common,
		self,
		readIndex,
		mustRunAlone: (request) => request.interactive,
		askForSnapshot: () => {},
		lost: {
			count: 0,
			report: async () => {},
			appended: async () => {},
			doubt: async () => {},
			recount: async () => {},
			settle: async () => {},
		},
		onServing() {},
		onAcknowledgement() {},
		onFailure: (error) => member.failures.push(error),
	});
	const mode = { current: { mode: "quorum" } } as const;
	const remoteWrites = createRemoteWrites({
		...common,
		stateMachine,
		mode,
		statementTimeoutMs,
		leads: () => runner.state.role === "leader",
		respond: createAnswers({
			self,
			group: 1,
			network,
			outbox,
			maxMessageBytes: defaultPeerLimits.maxMessageBytes.log,
		}),
	});
	const routing = createRouting({
		...common,
		self,
		stateMachine,
		mode,
		forwarding,
		leaderWatch,
		leaderWaitMs,
		statementTimeoutMs,
	});
	member.listener.onRole = (state) => {
		stateMachine.onRole(state);
		if (state.leader !== null) forwarding.onLeader(state.leader);
		leaderWatch.changed();
	};
	member.listener.onCommit = (index) => stateMachine.onCommit(index);
	member.listener.onAcknowledged = (index) => stateMachine.onAcknowledged(index);
	member.listener.onAwaited = (waiter) => stateMachine.onAwaited(waiter);
	member.listener.onApplyAtOnce = (index) => stateMachine.onApplyAtOnce(index);
	member.listener.onReadReady = (readId, index) => readIndex.onReady(readId, index);
	member.onMessage = (message) => {
		if (message.type === "run-request") remoteWrites.onRunRequest(message);
		else if (message.type === "close-stream") remoteWrites.onCloseStream(message.from, message.streamId);
		else if (message.type === "run-response") forwarding.onRunResponse(message);
		else if (message.type === "call-response") forwarding.onCallResponse(message);
	};
	member.onReachable = (node, reachable) => {
		if (!reachable) {
			outbox.onUnreachable(node);
			forwarding.onUnreachable(node);
			remoteWrites.onUnreachable(node);
		}
		leaderWatch.changed();
	};
	stateMachine.start();
	return {
		member,
		settings,
		applied,
		readIndex,
		stateMachine,
		forwarding,
		remoteWrites,
		leaderWatch,
		routing,
	};
}

export function respond(
	member: RunnerMember,
	to: string,
	requestId: number,
	result: RunResponse["result"],
): void {
	member.send({ type: "run-response", group: 1, from: member.id, to, requestId, result });
}

/** Every member answers the requests that are passed to it by this; null: with silence. */
export function answerRequests(
	members: readonly RunnerMember[],
	answer: (request: RunRequest) => RunResponse["result"] | null,
): void {
	for (const member of members) {
		member.onMessage = (message) => {
			if (message.type !== "run-request") return;
			const result = answer(message);
			if (result !== null) respond(member, message.from, message.requestId, result);
		};
	}
}

export function isOfType(sent: Sent, type: string): boolean {
	return decodeMessage(sent.bytes).type === type;
}
