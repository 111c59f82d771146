/**
 * Members as far as consensus goes: each a real core, log and core-runner, on a memory disk and
 * network. For tests of what stands on top of a runner; a whole node is in cluster.ts.
 */
import { encodeConfiguration, initialConfiguration } from "../../consensus/configuration.ts";
import { createCore } from "../../consensus/core.ts";
import type { ConsensusMessage } from "../../consensus/message.ts";
import { type ConsensusSettings, defaultConsensusSettings } from "../../consensus/settings.ts";
import type { Configuration, NodeId } from "../../consensus/types.ts";
import type { Database } from "../../database/database.ts";
import type { Log } from "../../log/log.ts";
import { openLog } from "../../log/segmented-log.ts";
import { decodeMessage, encodeMessage } from "../../peer/codec/message.ts";
import type { PeerMessage } from "../../peer/message.ts";
import { silentLogger } from "../../world/logger.ts";
import type { Network } from "../../world/network.ts";
import { createMemoryDisk, type MemoryDisk } from "../../world/testing/memory-disk.ts";
import { type CoreListener, type CoreRunner, createCoreRunner } from "../core-runner.ts";
import { createDeadlines, type Deadlines } from "../deadlines.ts";
import { coreState } from "../recovery.ts";
import { defaultNodeSettings } from "../settings.ts";
import { createDatabaseFile, type DatabaseFile, openMemoryDatabase } from "./memory-database.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./memory-network.ts";
import { seeded } from "./seeded.ts";
import { createVirtualClock, type VirtualClock } from "./virtual-clock.ts";

/** `defaultGroup` of node.ts, which is not imported for it. */
const group = 1;

export interface RunnerMember {
	readonly id: NodeId;
	readonly disk: MemoryDisk;
	readonly log: Log;
	readonly file: DatabaseFile;
	readonly database: Database;
	readonly network: Network;
	readonly runner: CoreRunner;
	/** What a test wants to hear of the core. */
	readonly listener: Partial<CoreListener>;
	/** Everything that is not the core's: what a node would pass to its other parts. */
	onMessage: (message: PeerMessage) => void;
	onReachable: (node: NodeId, reachable: boolean) => void;
	readonly failures: unknown[];
	send(message: PeerMessage): void;
}

export interface Runners {
	readonly clock: VirtualClock;
	readonly deadlines: Deadlines;
	readonly network: MemoryNetwork;
	readonly configuration: Configuration;
	readonly members: readonly RunnerMember[];
	/** Established; the clock runs until there is one. */
	leader(): Promise<RunnerMember>;
	/** Those that do not lead. */
	followers(): RunnerMember[];
}

export async function createRunners(options: {
	size: number;
	seed?: number;
	consensus?: Partial<ConsensusSettings>;
	logCacheBytes?: number;
}): Promise<Runners> {
	const random = seeded(options.seed ?? 1);
	const clock = createVirtualClock();
	const deadlines = createDeadlines(clock);
	const network = createMemoryNetwork(clock, random);
	const ids = Array.from({ length: options.size }, (_, number) => `n${number + 1}`);
	const configuration = initialConfiguration(ids.map((id) => ({ id, peer: `${id}:1` })));
	const consensus = { ...defaultConsensusSettings, ...options.consensus };
	const logSettings = options.logCacheBytes === undefined ? {} : { cacheBytes: options.logCacheBytes };
	const members: RunnerMember[] = [];

	for (const [number, id] of ids.entries()) {
		const disk = createMemoryDisk(random);
		const log = await openLog({
			disk,
			directory: "log",
			create: { clusterId: "c", nodeId: id, incarnation: "00".repeat(16) },
			bootstrap: [{ index: 1, term: 1, kind: "configuration", payload: encodeConfiguration(configuration) }],
			settings: { segmentBytes: 16 * 1024, ...logSettings },
		});
		members.push(await createMember({ id, disk, log, seed: number + 1 }));
	}
	for (const member of members) {
		const { id, runner } = member;
		await member.network.start({
			onMessage: (from, _lane, bytes) => {
				const message = decodeMessage(bytes);
				if (message.from !== from || message.to !== id) throw new Error("a message for somebody else");
				if (isConsensus(message)) runner.step({ type: "message", message });
				else member.onMessage(message);
			},
			onReachable: (node, reachable) => {
				if (!reachable) runner.step({ type: "unreachable", node });
				member.onReachable(node, reachable);
			},
		});
		runner.start();
	}

	async function createMember(own: {
		id: NodeId;
		disk: MemoryDisk;
		log: Log;
		seed: number;
	}): Promise<RunnerMember> {
		const { id, disk, log } = own;
		const connection = network.connect(id);
		const listener: Partial<CoreListener> = {};
		const failures: unknown[] = [];
		const file = createDatabaseFile();
		const database = openMemoryDatabase(file, disk);
		const runner = createCoreRunner({
			core: createCore({
				...(await coreState({ log, database, bootstrap: configuration })),
				self: id,
				group,
				settings: consensus,
				seed: own.seed,
				now: clock.now(),
			}),
			group,
			self: id,
			checksum: disk.checksum,
			log,
			network: connection,
			clock,
			logger: silentLogger,
			diskStallMs: consensus.diskStallMs,
			beforeCut: async () => {},
			onAppended() {},
			tickIntervalMs: defaultNodeSettings.tickIntervalMs,
			listener: {
				onRole: (state) => listener.onRole?.(state),
				onCommit: (index) => listener.onCommit?.(index),
				onAcknowledged: (index) => listener.onAcknowledged?.(index),
				onAwaited: (waiter) => listener.onAwaited?.(waiter),
				onApplyAtOnce: (index) => listener.onApplyAtOnce?.(index),
				onLeaseAsked: (asked) => listener.onLeaseAsked?.(asked),
				onLeased: (leased) => listener.onLeased?.(leased),
				onReadsEnded: () => listener.onReadsEnded?.(),
				onReadReady: (readId, index) => listener.onReadReady?.(readId, index),
				onSnapshotNeeded: (to, term) => listener.onSnapshotNeeded?.(to, term),
				onTransferEnded: (end) => listener.onTransferEnded?.(end),
				onConfiguration: (configuration) => listener.onConfiguration?.(configuration),
				onFailure: (error) => {
					failures.push(error);
					listener.onFailure?.(error);
				},
			},
		});
		return {
			id,
			disk,
			log,
			file,
			database,
			network: connection,
			runner,
			listener,
			failures,
			onMessage: () => {},
			onReachable: () => {},
			send: (message) => void connection.send(message.to, "log", encodeMessage(message)),
		};
	}

	async function leader(): Promise<RunnerMember> {
		for (let turn = 0; turn < 1_000; turn++) {
			const found = members.find(({ runner }) => runner.core.view.established);
			if (found !== undefined) return found;
			await clock.run(10);
		}
		throw new Error("no leader");
	}

	return {
		clock,
		deadlines,
		network,
		configuration,
		members,
		leader,
		followers: () => members.filter(({ runner }) => runner.state.role !== "leader"),
	};
}

function isConsensus(message: PeerMessage): message is ConsensusMessage {
	switch (message.type) {
		case "run-request":
		case "run-response":
		case "close-stream":
		case "call-request":
		case "call-response":
		case "status":
		case "snapshot-offer":
		case "snapshot-want":
		case "snapshot-chunk":
		case "snapshot-done":
			return false;
		default:
			return true;
	}
}
