/** Senders and receivers of snapshots, each on a database, disk and network of memory; no core. */
import { initialConfiguration } from "../../consensus/configuration.ts";
import type { LogIndex, NodeId, Term } from "../../consensus/types.ts";
import { decodeMessage, encodeMessage } from "../../peer/codec/message.ts";
import type { SnapshotChunk } from "../../peer/message.ts";
import { silentLogger } from "../../world/logger.ts";
import { createMemoryDisk, type MemoryDisk } from "../../world/testing/memory-disk.ts";
import { createAppliedIndex } from "../applied-index.ts";
import { defaultNodeSettings, type NodeSettings } from "../settings.ts";
import { createSnapshotHolds, type SnapshotHolds } from "../snapshot-holds.ts";
import { createSnapshotReceiver, type SnapshotReceiver } from "../snapshot-receiver.ts";
import { createSnapshotSender, type SnapshotSender } from "../snapshot-sender.ts";
import { createDatabaseFile, type DatabaseFile, openMemoryDatabase } from "./memory-database.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./memory-network.ts";
import { seeded } from "./seeded.ts";
import { createVirtualClock, type VirtualClock } from "./virtual-clock.ts";

export interface SnapshotNode {
	readonly id: NodeId;
	readonly disk: MemoryDisk;
	readonly file: DatabaseFile;
	readonly sender: SnapshotSender;
	readonly receiver: SnapshotReceiver;
	readonly holds: SnapshotHolds;
	/** How its transfers ended. */
	readonly ended: (readonly [NodeId, LogIndex | null])[];
	/** What its log begins after. */
	compactedIndex: LogIndex;
	term: Term;
	installs: number;
}

export interface SnapshotBench {
	readonly clock: VirtualClock;
	readonly network: MemoryNetwork;
	readonly nodes: readonly SnapshotNode[];
	/** Every chunk that arrived anywhere. */
	readonly chunks: SnapshotChunk[];
	/** Called for each chunk as it arrives; what it returns arrives in its place. */
	onChunk: (chunk: SnapshotChunk) => SnapshotChunk | null;
}

export const snapshotItems = Array.from({ length: 40 }, (_, number) => `${number}`.padStart(100, "x"));

/** The first node holds `snapshotItems` at index 50, the others nothing. */
export async function createSnapshotBench(changed: Partial<NodeSettings> = {}): Promise<SnapshotBench> {
	const random = seeded(1);
	const clock = createVirtualClock();
	const network = createMemoryNetwork(clock, random);
	const settings = {
		...defaultNodeSettings,
		snapshotChunkBytes: 256,
		snapshotStallMs: 3_000,
		...changed,
	};
	const ids = ["n1", "n2", "n3"];
	const configuration = initialConfiguration(ids.map((id) => ({ id, peer: `${id}:1` })));
	const nodes: SnapshotNode[] = [];
	for (const id of ids) {
		const disk = createMemoryDisk(random);
		const file = createDatabaseFile();
		if (id === "n1")
			file.content = {
				applied: { term: 2, index: 50 },
				configuration: { index: 1, value: configuration },
				items: snapshotItems,
			};
		const database = openMemoryDatabase(file, disk);
		const own = network.connect(id);
		const applied = createAppliedIndex(file.content.applied);
		const ended: SnapshotNode["ended"] = [];
		const common = {
			self: id,
			group: 1,
			disk,
			network: own,
			clock,
			logger: silentLogger,
			settings,
			database,
		};
		const holds = createSnapshotHolds({ clock, matchIndexOf: () => null, stallMs: settings.snapshotStallMs });
		const node: SnapshotNode = {
			id,
			disk,
			file,
			ended,
			holds,
			compactedIndex: 0,
			term: 2,
			installs: 0,
			sender: createSnapshotSender({
				...common,
				holds,
				stillUseful: (index) => index >= node.compactedIndex,
				onEnd: (to, index) => void ended.push([to, index]),
			}),
			receiver: createSnapshotReceiver({
				...common,
				applied,
				currentTerm: () => node.term,
				async install(path, sha256) {
					node.installs++;
					applied.advance((await database.installSnapshot(path, sha256)).applied);
				},
			}),
		};
		nodes.push(node);
		await own.start({
			onMessage(_from, _lane, bytes) {
				const message = decodeMessage(bytes);
				if (message.type === "snapshot-offer") node.receiver.onOffer(message);
				else if (message.type === "snapshot-chunk") node.receiver.onChunk(message);
				else if (message.type === "snapshot-want") node.sender.onWant(message);
				else if (message.type === "snapshot-done") node.sender.onDone(message);
				else throw new Error(message.type);
			},
			onReachable(other, reachable) {
				if (reachable) node.sender.onReachable(other);
			},
		});
	}
	const bench: SnapshotBench = { clock, network, nodes, chunks: [], onChunk: (chunk) => chunk };
	network.intercept = ({ bytes }) => {
		const message = decodeMessage(bytes);
		if (message.type !== "snapshot-chunk") return bytes;
		bench.chunks.push(message);
		const arrives = bench.onChunk(message);
		return arrives === message ? bytes : arrives === null ? null : encodeMessage(arrives);
	};
	return bench;
}
