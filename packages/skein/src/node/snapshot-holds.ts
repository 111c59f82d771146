/**
 * Which entries the log must keep for followers that a snapshot is on its way to: those after it, or
 * it would be outdated when it arrives, and the follower would need another, for ever if writes come
 * fast (reference bug 37 is the other way to get this wrong, hence the bound in compaction.ts).
 * After the snapshot is installed the follower still has to catch up; a hold lasts until then, or
 * until nothing of it has arrived for a while.
 */
import type { LogIndex, NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";

interface Hold {
	/** Entries after it are needed. */
	index: LogIndex;
	/** Null: the snapshot is on its way, and its sender sees to it that it ends. */
	catchingUp: { progressAt: MonotonicTime } | null;
}

export interface SnapshotHolds {
	/** A snapshot will be made for `to`: nothing is cut until it is known what it holds. */
	prepare(to: NodeId): void;
	/** A snapshot that holds everything up to `index` is on its way. */
	begin(to: NodeId, index: LogIndex): void;
	end(to: NodeId, installed: boolean): void;
	/** This member does not lead any more. */
	clear(): void;
	/** How far the log may be cut when it could be cut up to `index`. */
	limit(index: LogIndex): LogIndex;
}

export interface SnapshotHoldsOptions {
	readonly clock: Clock;
	/** What the follower is known to have; null: it is no follower. */
	readonly matchIndexOf: (node: NodeId) => LogIndex | null;
	readonly stallMs: Milliseconds;
}

export function createSnapshotHolds(options: SnapshotHoldsOptions): SnapshotHolds {
	const { clock } = options;
	const holds = new Map<NodeId, Hold>();

	/** False: nobody waits for these entries any more. */
	function follow(node: NodeId, hold: Hold, upTo: LogIndex): boolean {
		if (hold.catchingUp === null) return true;
		const matchIndex = options.matchIndexOf(node);
		if (matchIndex === null || matchIndex >= upTo) return false;
		const now = clock.now();
		if (matchIndex > hold.index) {
			hold.index = matchIndex;
			hold.catchingUp.progressAt = now;
		}
		return now - hold.catchingUp.progressAt <= options.stallMs;
	}

	return {
		prepare(to) {
			holds.set(to, { index: 0, catchingUp: null });
		},
		begin(to, index) {
			holds.set(to, { index, catchingUp: null });
		},
		end(to, installed) {
			const hold = holds.get(to);
			if (installed && hold !== undefined) hold.catchingUp = { progressAt: clock.now() };
			else holds.delete(to);
		},
		clear() {
			holds.clear();
		},
		limit(index) {
			let lowest = index;
			for (const [node, hold] of holds) {
				if (follow(node, hold, index)) lowest = Math.min(lowest, hold.index);
				else holds.delete(node);
			}
			return lowest;
		},
	};
}
