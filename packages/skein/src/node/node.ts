/**
 * One running node: puts the parts together and passes what happens from one to the other. No
 * decision of its own. Everything that touches the world comes from outside, so that a simulation
 * runs this very wiring.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import { createCore } from "../consensus/core.ts";
import type { Configuration, GroupId, NodeId, Term } from "../consensus/types.ts";
import type { CoreView } from "../consensus/view.ts";
import type { Database, WriteRequest } from "../database/database.ts";
import type { Log } from "../log/log.ts";
import { decodeMessage } from "../peer/codec/message.ts";
import { encodeFor } from "../peer/encode-for.ts";
import { defaultPeerLimits } from "../peer/limits.ts";
import type { PeerMessage } from "../peer/message.ts";
import type { Clock, Timer } from "../world/clock.ts";
import type { Disk } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import type { Network } from "../world/network.ts";
import type { Random } from "../world/random.ts";
import { createAnswers } from "./answers.ts";
import { createAppliedIndex } from "./applied-index.ts";
import { createCallAnswers } from "./call-answers.ts";
import { createClusterRequests } from "./cluster-requests.ts";
import { createCompaction } from "./compaction.ts";
import { createCoreRunner, type RoleState } from "./core-runner.ts";
import { createDeadlines } from "./deadlines.ts";
import { createDefaultAcknowledgement } from "./default-acknowledgement.ts";
import { createDegradations } from "./degradation.ts";
import { createDirectory } from "./directory.ts";
import { createFitDatabase } from "./fit-database.ts";
import { createForwarding } from "./forwarding.ts";
import { createFreshness } from "./freshness.ts";
import { createInSync } from "./in-sync.ts";
import { createLeaderLease } from "./leader-lease.ts";
import { createLeaderWatch } from "./leader-watch.ts";
import { createLocalReads } from "./local-reads.ts";
import { createLostTransactions, type LostTransactionsOptions } from "./lost-transactions.ts";
import { createMissingMembers } from "./missing-members.ts";
import { createOperator } from "./operator.ts";
import { createOutbox } from "./outbox.ts";
import { createPlanner } from "./plan.ts";
import { createReadIndex } from "./read-index.ts";
import { createReadLevels } from "./read-levels.ts";
import { readinessOf } from "./readiness.ts";
import { coreState } from "./recovery.ts";
import { createRemoteWrites } from "./remote-writes.ts";
import { createRepeatedLines } from "./repeated-lines.ts";
import { createRouting } from "./routing.ts";
import { requestsOfLife } from "./seen-requests.ts";
import type { Readiness, Service, Stream } from "./service.ts";
import { createSettingRequests } from "./setting-requests.ts";
import type { NodeSettings } from "./settings.ts";
import { createSnapshots } from "./snapshots.ts";
import { createStateMachine } from "./state-machine.ts";
import { createStatusSender } from "./status-sender.ts";
import { createStream } from "./stream.ts";
import { handOverToAnybody } from "./transfer.ts";
import { holdsNoData } from "./witness.ts";

/** The one group there is so far: the database `default`. */
export const defaultGroup: GroupId = 1;

export interface NodeOptions {
	readonly self: NodeId;
	readonly version: string;
	readonly url: string;
	readonly bootstrap: Configuration;
	readonly log: Log;
	readonly database: Database;
	/** It votes and keeps no data, and its database is a witness's; default: false. */
	readonly witness?: boolean;
	readonly network: Network;
	readonly clock: Clock;
	readonly random: Random;
	readonly disk: Disk;
	readonly logger: Logger;
	readonly settings: NodeSettings;
	readonly mustRunAlone: (request: WriteRequest) => boolean;
	/** What a payload tells of its transaction, if it may have been answered before its commit. */
	readonly notedIn: LostTransactionsOptions["notedIn"];
}

export interface Node {
	readonly service: Service;
	/** What the core may be asked by those who watch it; nothing of it can be changed. */
	readonly core: CoreView;
	/** Resolves with the reason when the node had to stop by itself. */
	readonly failed: Promise<Error>;
	start(): Promise<void>;
	/** Gives leadership away if this node has it and somebody can take it. Never throws. */
	handOver(): Promise<void>;
	stop(): Promise<void>;
}

export async function createNode(options: NodeOptions): Promise<Node> {
	const { self, log, database, network, clock, disk, logger, settings, witness = false } = options;
	const group = defaultGroup;
	let resolveFailed: (error: Error) => void = () => {};
	const failed = new Promise<Error>((resolve) => {
		resolveFailed = resolve;
	});
	const onFailure = (error: unknown): void => {
		operator.transfer.stop();
		resolveFailed(error instanceof Error ? error : new Error(String(error)));
	};

	const deadlines = createDeadlines(clock);
	const isLineDue = createRepeatedLines(clock);
	/**
	 * Requests and streams are numbered from a place of this life's own: others may still hold, and answer,
	 * what an earlier life of this node asked of them.
	 */
	const firstId = (): number => options.random.below(2 ** 31) * requestsOfLife + 1;
	const applied = createAppliedIndex(database.opened.applied);
	const freshness = createFreshness({ clock, applied });
	const leaderWatch = createLeaderWatch(clock, deadlines);
	const directory = createDirectory(clock);
	const planner = createPlanner();
	const outbox = createOutbox({ network, clock, maxBytes: settings.maxWaitingAnswerBytes });
	const forwarding = createForwarding({
		self,
		group,
		network,
		clock,
		deadlines,
		outbox,
		maxPending: settings.maxForwarded,
		maxMessageBytes: defaultPeerLimits.maxMessageBytes.log,
		firstRequestId: firstId(),
	});
	const mode = createDefaultAcknowledgement({
		own: settings.acknowledgement,
		opened: database.opened.acknowledgement,
		logger,
		onChange: ({ mode: name }) => runner.step({ type: "use-chain", always: name === "chain" }),
	});
	const lost = await createLostTransactions({ disk, log, logger, notedIn: options.notedIn });
	const runner = createCoreRunner({
		core: createCore({
			...(await coreState({ log, database, bootstrap: options.bootstrap })),
			self,
			witness,
			group,
			settings: { ...settings.consensus, chain: mode.current.mode === "chain" },
			seed: options.random.below(2 ** 31),
			now: clock.now(),
		}),
		group,
		self,
		log,
		network,
		checksum: disk.checksum,
		clock,
		logger,
		diskStallMs: settings.consensus.diskStallMs,
		tickIntervalMs: settings.tickIntervalMs,
		beforeCut: (cut) => lost.report(cut),
		onAppended: (entries) => void lost.appended(entries).catch(onFailure),
		listener: {
			onRole,
			onCommit(index) {
				stateMachine.onCommit(index);
				operator.memberChanges.onCommit();
			},
			onAcknowledged: (index) => stateMachine.onAcknowledged(index),
			onAwaited: (waiter) => stateMachine.onAwaited(waiter),
			onApplyAtOnce: (index) => stateMachine.onApplyAtOnce(index),
			onLeaseAsked: (asked) => inSync.onLeaseAsked(asked),
			onLeased: (leased) => inSync.onLeased(leased),
			onReadsEnded: () => inSync.onReadsEnded(),
			onReadReady: (readId, index) => readIndex.onReady(readId, index),
			onSnapshotNeeded: (to, term) => snapshots.sender.send(to, term),
			onTransferEnded: (end) => operator.transfer.onEnded(end),
			onConfiguration,
			onFailure,
		},
	});
	const common = { runner: () => runner, clock, deadlines, logger, settings, database, log, applied };
	const inSync = createInSync({
		freshness,
		term: () => runner.core.view.term,
		appliedIndex: () => applied.position.index,
	});
	const held = { view: () => runner.core.view, inSync, settings: settings.consensus };
	const leasedIndex = createLeaderLease(held);
	const localIndex = createLocalReads({ ...held, appliedIndex: () => applied.reflected });
	const degradations = createDegradations({
		view: () => runner.core.view,
		clock,
		logger,
		silentMs: settings.consensus.electionTimeoutMs,
		briefMs: settings.consensus.syncLeaseMs,
	});
	const { leaderWaitMs, statementTimeoutMs } = settings;
	const readIndex = createReadIndex({
		...common,
		freshness,
		leasedIndex: () => leasedIndex() ?? localIndex(),
		leaderWaitMs,
		maxQueued: settings.maxQueuedReads,
	});
	const readable = createFitDatabase(database, () => stateMachine.unfit);
	const missing = createMissingMembers({ ...common, self, forwarding });
	const levels = createReadLevels({
		...common,
		database: readable,
		readIndex,
		freshness,
		history: () => runner.core.view,
		inSync: () => inSync.holds(),
		statementTimeoutMs,
		diskFull,
		missing: () => missing.inWords({ mode: "quorum" }),
		leaderWaitMs,
	});
	const stateMachine = createStateMachine({
		...common,
		self,
		readIndex,
		mustRunAlone: options.mustRunAlone,
		askForSnapshot: (atLeast) => snapshots.requests.ask(atLeast),
		lost,
		onServing: () => settingRequests.chooseFirst(),
		onAcknowledgement: (chosen) => mode.chosen(chosen),
		onFailure,
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
	const remoteWrites = createRemoteWrites({
		...common,
		stateMachine,
		mode,
		statementTimeoutMs,
		leads: () => runner.state.role === "leader",
		respond: createAnswers({
			self,
			group,
			network,
			outbox,
			maxMessageBytes: defaultPeerLimits.maxMessageBytes.log,
		}),
	});
	const snapshots = createSnapshots({
		...common,
		self,
		group,
		stateMachine: () => stateMachine,
		forwarding,
		disk,
		network,
		compactedIndex: () => compaction.compactedIndex,
	});
	const compaction = createCompaction({
		...common,
		holds: snapshots.holds,
		checkpoint: () => stateMachine.checkpoint(),
	});
	const operator = createOperator({
		...common,
		self,
		group,
		configuration,
		stateMachine,
		leaderWatch,
		directory,
		forwarding,
		wire: network.wire,
		stopped: () => stopped,
	});
	const tellStatus = createStatusSender({ self, group, network });
	const settingRequests = createSettingRequests({
		...common,
		self,
		mode,
		stateMachine,
		forwarding,
		leaderWatch,
		leaderWaitMs,
		statementTimeoutMs,
		stopped: () => stopped,
	});
	const clusterRequests = createClusterRequests({
		...common,
		self,
		url: options.url,
		version: options.version,
		network,
		directory,
		forwarding,
		inSync,
		degradations,
		lost,
		mode,
		settingRequests,
	});
	/** The newest whose leader was heard of. */
	let lastLedTerm: Term = 0;
	let statusTimer: Timer | null = null;
	let nextStreamId = firstId();
	let openStreams = 0;
	let stopped = false;

	const answerCall = createCallAnswers({
		self,
		group,
		send,
		handlers: {
			cluster: () => clusterRequests.own(),
			setting: (_, body) => settingRequests.hear(body),
			snapshot: (from, body) => snapshots.requests.answer(from, body),
			...operator.handlers,
		},
	});

	function send(to: NodeId, message: PeerMessage): void {
		network.send(to, "log", encodeFor(network, "log", message));
	}

	function onRole(state: RoleState): void {
		// Who stands in vain does so several times a second, and its term stays.
		if (isLineDue(JSON.stringify(state))) logger.info({ ...state }, "role");
		stateMachine.onRole(state);
		if (state.role !== "leader") snapshots.sender.onTermOver();
		if (state.leader !== null) forwarding.onLeader(state.leader);
		if (state.leader !== null && state.term > lastLedTerm) {
			lastLedTerm = state.term;
			applied.leaderChanged();
		}
		leaderWatch.changed();
		sendStatus();
	}

	function onConfiguration({ members, voters, outgoingVoters, learners }: Configuration): void {
		mode.onConfiguration({ members, voters });
		logger.info({ voters, outgoingVoters, learners }, "members");
		network.meet(members);
		operator.memberChanges.onConfiguration();
	}

	function onMessage(from: NodeId, bytes: Uint8Array): void {
		const message = decodeMessage(bytes, network.wire);
		if (message.from !== from || message.to !== self || message.group !== group) {
			logger.warn({ from, type: message.type }, "a message for somebody else was dropped");
			return;
		}
		switch (message.type) {
			case "read-index-request":
				// What comes from another term must be judged by the core first.
				if (message.term !== runner.state.term || leasedIndex() === null) break;
				return runner.step({ type: "read-under-lease", from, readId: message.readId });
			case "run-request":
				return remoteWrites.onRunRequest(message);
			case "run-response":
				return forwarding.onRunResponse(message);
			case "close-stream":
				return remoteWrites.onCloseStream(from, message.streamId);
			case "call-request":
				return answerCall(message);
			case "call-response":
				return forwarding.onCallResponse(message);
			case "status":
				return directory.onStatus(message, runner.commitIndex);
			case "snapshot-offer":
				return snapshots.receiver.onOffer(message);
			case "snapshot-chunk":
				return snapshots.receiver.onChunk(message);
			case "snapshot-want":
				return snapshots.sender.onWant(message);
			case "snapshot-done":
				return snapshots.sender.onDone(message);
			default:
		}
		runner.step({ type: "message", message });
	}

	function onReachable(node: NodeId, reachable: boolean): void {
		logger.info({ peer: node }, reachable ? "connected to peer" : "lost the connection to peer");
		if (reachable) {
			snapshots.sender.onReachable(node);
			operator.elections.onReachable(node);
			sendStatus([node]);
		} else {
			runner.step({ type: "unreachable", node });
			outbox.onUnreachable(node);
			forwarding.onUnreachable(node);
			remoteWrites.onUnreachable(node);
		}
		leaderWatch.changed();
	}

	function sendStatus(to: readonly NodeId[] = configuration().members.map(({ id }) => id)): void {
		tellStatus(to, {
			...runner.state,
			url: options.url,
			version: options.version,
			appliedIndex: applied.position.index,
			commitIndex: runner.commitIndex,
			ready: witness || readiness().ready,
			lostTransactions: lost.count,
			wire: network.wire,
		});
	}

	function keepSendingStatus(): void {
		// Best effort: the files are an operator's as well as ours.
		void lost.recount().catch(() => {});
		sendStatus();
		degradations.check();
		operator.check();
		settingRequests.chooseFirst();
		statusTimer = clock.setTimer(settings.statusIntervalMs, keepSendingStatus);
	}

	function configuration(): Configuration {
		return runner.core.view.configuration;
	}

	function diskFull(): boolean {
		return runner.diskFull() || stateMachine.full;
	}

	function readiness(): Readiness {
		return readinessOf({
			self,
			witness,
			configuration: configuration(),
			stopped,
			diskFull: diskFull(),
			stateMachine,
			runner,
			appliedIndex: applied.position.index,
			logTailEntries: settings.logTailEntries,
		});
	}

	function openStream(): Stream {
		if (witness) throw holdsNoData(runner.state.leader, (node) => directory.statusOf(node)?.url ?? null);
		if (openStreams >= settings.maxStreams) {
			throw new SkeinError("too many streams are open on this node: close some, or try another node", {
				code: "OVERLOADED",
			});
		}
		openStreams++;
		return createStream({
			...common,
			streamId: nextStreamId++,
			routing,
			levels,
			planner,
			describe: (sql) => readable.describe(sql),
			transactionIdleMs: settings.transactionIdleMs,
			statementTimeoutMs,
			closeAt(node, streamId) {
				const at = node ?? runner.state.leader;
				if (at === self) stateMachine.closeStream(`${self}/${streamId}`);
				else if (at !== null) forwarding.closeStream(at, streamId);
			},
			onClosed: () => {
				openStreams--;
			},
		});
	}

	return {
		service: {
			nodeId: self,
			openStream,
			cluster: () => clusterRequests.cluster(),
			ownView: () => clusterRequests.ownNow(),
			readiness,
			...operator.service,
			changeSetting: (change) => settingRequests.change(change),
			explain: (sql, format) => readable.explain(sql, format),
		},
		core: runner.core.view,
		failed,
		async start() {
			const { view: held } = runner.core;
			mode.onConfiguration(held.configuration);
			await lost.settle(({ term, index }) => held.termAt(index) === term);
			await snapshots.receiver.clean();
			await network.start({ onMessage: (from, _lane, bytes) => onMessage(from, bytes), onReachable });
			// What was configured by hand counts as long as the members are those that the group began with.
			if (runner.core.view.configurationIndex > 1) network.meet(configuration().members);
			stateMachine.start();
			runner.start();
			compaction.start();
			keepSendingStatus();
		},
		async handOver() {
			if (runner.state.role !== "leader") return;
			if (!configuration().voters.some((voter) => voter !== self && network.reachable(voter))) return;
			await handOverToAnybody(operator.transfer, logger);
		},
		async stop() {
			if (stopped) return;
			stopped = true;
			operator.transfer.stop();
			statusTimer?.cancel();
			await compaction.stop();
			await snapshots.sender.stop();
			routing.stop();
			outbox.stop();
			await stateMachine.stop();
			runner.stop();
			readIndex.stop();
			await network.stop();
			await snapshots.receiver.stop();
			deadlines.stop();
			await log.close();
			await database.close();
		},
	};
}
