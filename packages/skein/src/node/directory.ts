/** What the other nodes last said about themselves: where clients reach them, their version, how far they are. */
import type { LogIndex, NodeId, Role } from "../consensus/types.ts";
import type { StatusMessage } from "../peer/message.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { WireVersions } from "../world/network.ts";

export interface PeerStatus {
	readonly role: Role;
	readonly url: string;
	readonly version: string;
	readonly appliedIndex: LogIndex;
	readonly ready: boolean;
	/** For how long it has been saying that it is not ready; 0 when it is. */
	readonly unreadyMs: Milliseconds;
	readonly lostTransactions: number;
	/** Of messages between nodes, that it understands. */
	readonly wire: WireVersions;
	/** For how long the node has been known to lack something that is committed; 0 when it lacks nothing. */
	readonly behindMs: Milliseconds;
}

export interface Directory {
	onStatus(message: StatusMessage, commitIndex: LogIndex): void;
	statusOf(node: NodeId): PeerStatus | null;
}

interface Known {
	readonly message: StatusMessage;
	/** When it was last known to have everything. */
	readonly completeAt: MonotonicTime;
	/** Since when it says that it is not ready; null: it is. */
	readonly unreadySince: MonotonicTime | null;
}

export function createDirectory(clock: Clock): Directory {
	const known = new Map<NodeId, Known>();

	return {
		onStatus(message, commitIndex) {
			const now = clock.now();
			const before = known.get(message.from);
			// The commit index has moved on while the status was on its way: complete if it had all that
			// was committed when it last spoke.
			const complete = message.appliedIndex >= Math.min(commitIndex, message.commitIndex);
			known.set(message.from, {
				message,
				completeAt: complete ? now : (before?.completeAt ?? now),
				unreadySince: message.ready ? null : (before?.unreadySince ?? now),
			});
		},
		statusOf(node) {
			const entry = known.get(node);
			if (entry === undefined) return null;
			const { role, url, version, appliedIndex, ready, commitIndex, lostTransactions, wire } = entry.message;
			const behindMs = appliedIndex >= commitIndex ? 0 : clock.now() - entry.completeAt;
			const unreadyMs = entry.unreadySince === null ? 0 : clock.now() - entry.unreadySince;
			return { role, url, version, appliedIndex, ready, unreadyMs, behindMs, lostTransactions, wire };
		},
	};
}
