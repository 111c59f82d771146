/**
 * Puts an observer between a node and its world: the log, the database and the network that are given to
 * createNode, wrapped. Production code does not know. What only the core knows comes from its view.
 *
 * Each wrapper observes a call before it is passed on, and its end before the caller hears of it, so
 * that what the caller does next is judged by what it could know.
 */
import type { NodeId, Term } from "../../../skein/src/consensus/types.ts";
import type { Database } from "../../../skein/src/database/database.ts";
import { LogFailedError } from "../../../skein/src/log/errors.ts";
import type { Log } from "../../../skein/src/log/log.ts";
import { isEffect } from "../../../skein/src/node/applied-entries.ts";
import { decodeMessage } from "../../../skein/src/peer/codec/message.ts";
import type { Network } from "../../../skein/src/world/network.ts";
import { leaderOf, senderOf, termOf } from "../trace/message-head.ts";
import type { LogWork, Observation } from "./observation.ts";

export type Observe = (observation: Observation) => void;

export function observeLog(log: Log, node: NodeId, observe: Observe): Log {
	/** For good: nothing that is asked from then on happens, whatever the node knows of it yet (seed 314001988). */
	let failed = false;

	function work(asked: LogWork, begin: () => Promise<void>): Promise<void> {
		if (failed) return begin();
		observe({ type: "log-work", node, work: asked });
		return begin().then(
			() => observe({ type: "log-durable", node }),
			(error: unknown) => {
				observe({ type: "log-refused", node, work: asked });
				failed ||= error instanceof LogFailedError;
				throw error;
			},
		);
	}
	return {
		recovered: log.recovered,
		append: (asked) => work({ type: "append", ...asked }, () => log.append(asked)),
		writePromise: (promise) => work({ type: "promise", promise }, () => log.writePromise(promise)),
		reset: (base) => work({ type: "reset", base }, () => log.reset(base)),
		readCached: (first, last, maxBytes) => log.readCached(first, last, maxBytes),
		read: (first, last, maxBytes) => log.read(first, last, maxBytes),
		compact(index) {
			observe({ type: "log-compacted", node, index });
			return log.compact(index);
		},
		sizeBytes: () => log.sizeBytes(),
		close: () => log.close(),
	};
}

/** `digest` of what the database holds at this moment; null: not known, or too dear. */
export function observeDatabase(
	database: Database,
	node: NodeId,
	observe: Observe,
	digest: () => string | null,
): Database {
	return {
		...database,
		async commit(position, configuration = null) {
			observe({ type: "applying", node, position });
			await database.commit(position, configuration);
			observe({ type: "applied", node, position, digest: digest() });
		},
		async apply(entries) {
			const position = entries.findLast(isEffect)?.position;
			if (position !== undefined) observe({ type: "applying", node, position });
			try {
				await database.apply(entries);
			} catch (error) {
				const reason = String(error);
				if (position !== undefined && !isOfTheDisk(error))
					observe({ type: "apply-refused", node, position, reason });
				throw error;
			}
			if (position !== undefined) observe({ type: "applied", node, position, digest: digest() });
		},
		async applied() {
			// A commit that failed may have happened all the same: this is how it is known.
			const position = await database.applied();
			observe({ type: "applied", node, position, digest: digest() });
			return position;
		},
		async installSnapshot(path, sha256) {
			const state = await database.installSnapshot(path, sha256);
			observe({ type: "applying", node, position: state.applied });
			observe({ type: "applied", node, position: state.applied, digest: digest() });
			observe({ type: "database-durable", node, index: state.applied.index });
			return state;
		},
		async checkpoint() {
			const index = await database.checkpoint();
			observe({ type: "database-durable", node, index });
			return index;
		},
		async createSnapshot() {
			const snapshot = await database.createSnapshot();
			const { applied: position, configuration } = snapshot;
			observe({ type: "snapshot", node, position, configurationIndex: configuration.index });
			return snapshot;
		},
	};
}

/** A disk that is made to refuse work does so to the database as well. */
function isOfTheDisk(error: unknown): boolean {
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	return /EIO|ENOSPC|DISK_FULL|IOERR/.test(`${code} ${String(error)}`);
}

/** Numbers of the codec for messages that a property asks for whole. */
const observedTypes: ReadonlySet<number | undefined> = new Set([3, 4, 6, 7, 9]);
/** Of these the head only: to decode entries again would cost as much as to receive them. */
const appendRequest = 5;
const chainAppend = 14;

/** For one life of a member. */
export function observeNetwork(network: Network, observe: Observe): Network {
	let appendTerm: Term | null = null;

	function observeAppend(bytes: Uint8Array): void {
		const term = termOf(bytes);
		if (term === appendTerm) return;
		appendTerm = term;
		observe({ type: "append-sent", node: senderOf(bytes), term });
	}

	return {
		start: (receiver) => network.start(receiver),
		send(to, lane, bytes) {
			if (bytes[1] === appendRequest) observeAppend(bytes);
			// Who passes one on does not lead.
			if (bytes[1] === chainAppend && leaderOf(bytes) === senderOf(bytes)) observeAppend(bytes);
			if (lane === "control" && observedTypes.has(bytes[1])) {
				const message = decodeMessage(bytes);
				switch (message.type) {
					case "vote-request":
					case "vote-response":
					case "append-response":
					case "heartbeat-request":
					case "timeout-now":
						observe({ type: "sent", message });
						break;
					default:
						throw new Error(`the codec has another number for ${message.type}`);
				}
			}
			return network.send(to, lane, bytes);
		},
		queuedBytes: (to, lane) => network.queuedBytes(to, lane),
		reachable: (node) => network.reachable(node),
		wire: network.wire,
		wireVersion: (to, lane) => network.wireVersion(to, lane),
		meet: (nodes) => network.meet(nodes),
		stop: () => network.stop(),
	};
}
