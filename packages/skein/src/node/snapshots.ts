/**
 * Snapshots of one node, to others and from others. A member with data is sent a copy of the database; a witness, which
 * needs no more than the place where the leader's log begins and the configuration in force there, a small file with these.
 */
import { isWitness } from "../consensus/quorum.ts";
import type { GroupId, LogIndex, NodeId } from "../consensus/types.ts";
import type { Database } from "../database/database.ts";
import { createWitnessSnapshot } from "../database/witness-database.ts";
import type { Clock } from "../world/clock.ts";
import type { Disk } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import type { Network } from "../world/network.ts";
import type { AppliedIndex } from "./applied-index.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";
import type { NodeSettings } from "./settings.ts";
import { createSnapshotHolds, type SnapshotHolds } from "./snapshot-holds.ts";
import { createSnapshotReceiver, type SnapshotReceiver } from "./snapshot-receiver.ts";
import { createSnapshotRequests, type SnapshotRequests } from "./snapshot-requests.ts";
import { createSnapshotSender, type SnapshotSender } from "./snapshot-sender.ts";
import type { StateMachine } from "./state-machine.ts";

export interface Snapshots {
	readonly holds: SnapshotHolds;
	readonly sender: SnapshotSender;
	readonly requests: SnapshotRequests;
	readonly receiver: SnapshotReceiver;
}

export interface SnapshotsOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly runner: () => CoreRunner;
	readonly database: Database;
	readonly stateMachine: () => StateMachine;
	readonly applied: AppliedIndex;
	readonly forwarding: Forwarding;
	readonly disk: Disk;
	readonly network: Network;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly settings: NodeSettings;
	/** No entry up to it is in the log. */
	readonly compactedIndex: () => LogIndex;
}

export function createSnapshots(options: SnapshotsOptions): Snapshots {
	const { runner, disk, clock, settings } = options;
	const view = () => runner().core.view;
	const holds = createSnapshotHolds({
		clock,
		matchIndexOf: (node) => view().progress.get(node)?.matchIndex ?? null,
		stallMs: settings.snapshotStallMs,
	});
	const sending = {
		...options,
		holds,
		stillUseful: (index: LogIndex) => index >= options.compactedIndex(),
		onEnd: (to: NodeId, index: LogIndex | null) => runner().step({ type: "snapshot-sent", to, index }),
	};
	const ofData = createSnapshotSender(sending);
	const ofMetadata = createSnapshotSender({ ...sending, database: { createSnapshot: beginningOfLog } });
	const sender = bothOf(ofData, ofMetadata, (node) => isWitness(view().configuration, node));

	async function beginningOfLog() {
		const { base } = view();
		return await createWitnessSnapshot(disk, {
			applied: base,
			configuration: view().configurationAt(base.index),
		});
	}

	return {
		holds,
		sender,
		requests: createSnapshotRequests({
			...options,
			timeoutMs: settings.statusIntervalMs,
			send: (to, term, atLeast) => sender.send(to, term, atLeast),
		}),
		receiver: createSnapshotReceiver({
			...options,
			currentTerm: () => runner().state.term,
			install: (path, sha256, position) => options.stateMachine().installSnapshot(path, sha256, position),
		}),
	};
}

/** Each knows its own transfers: what is about another's does nothing. */
function bothOf(
	data: SnapshotSender,
	metadata: SnapshotSender,
	isWitnessNode: (node: NodeId) => boolean,
): SnapshotSender {
	const both = [data, metadata];
	return {
		send: (to, term, atLeast) => (isWitnessNode(to) ? metadata.send(to, term) : data.send(to, term, atLeast)),
		onWant: (message) => both.forEach((one) => one.onWant(message)),
		onDone: (message) => both.forEach((one) => one.onDone(message)),
		onReachable: (node) => both.forEach((one) => one.onReachable(node)),
		onTermOver: () => both.forEach((one) => one.onTermOver()),
		async stop() {
			await data.stop();
			await metadata.stop();
		},
	};
}
