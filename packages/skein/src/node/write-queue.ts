/**
 * Writes that wait for the writer, on the leader. Whatever gathers while one batch is on its way
 * is the next one (group commit). A write leaves the queue exactly once: into a batch, or refused.
 */

import type { SkeinError } from "../../../client/src/errors.ts";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { LogIndex, Position } from "../consensus/types.ts";
import type { WriteRequest } from "../database/database.ts";
import type { ProgramOutcome } from "../database/program.ts";

/** Who a write belongs to: a stream, unique among all nodes. */
export type StreamKey = string;

export type WriteAnswer =
	| {
			readonly type: "done";
			readonly outcome: ProgramOutcome;
			readonly position: Position;
			readonly replayed: boolean;
	  }
	| { readonly type: "failed"; readonly error: SkeinError }
	/** Nothing happened here: this node does not lead. Whoever leads may be asked. */
	| { readonly type: "not-leader" };

export interface QueuedWrite {
	readonly stream: StreamKey;
	readonly request: WriteRequest;
	/** When it may be answered. */
	readonly acknowledgement: Acknowledgement;
	/** The stream believes that its transaction is open here. */
	readonly inTransaction: boolean;
	/** The state that a read transaction saw which now wants to write: it must still be the newest. */
	readonly snapshotIndex: LogIndex | null;
	readonly answer: (answer: WriteAnswer) => void;
	/** The client no longer waits. What was not begun is then not begun any more. */
	cancelled: boolean;
	/** Its result is ready and waits for the log: called when it is cancelled, so that the result is let go. */
	onCancelled?: (() => void) | undefined;
	/** From here on the outcome is unknown until it is answered. */
	started: boolean;
}

export function cancel(write: QueuedWrite): void {
	write.cancelled = true;
	write.onCancelled?.();
}

export interface BatchLimit {
	readonly requests: number;
	readonly behind: boolean;
	readonly mustRunAlone: (request: WriteRequest) => boolean;
}

export interface WriteQueue {
	readonly length: number;
	/** False: the queue is full. */
	add(write: QueuedWrite): boolean;
	/**
	 * The next batch, oldest first, of one acknowledgement mode; empty when nothing waits. `behind`: it will run behind
	 * others in their transaction; empty also when the next must not.
	 */
	takeBatch(limit: BatchLimit): QueuedWrite[];
	/** The next write of one stream inside its transaction, for an interactive transaction that owns the writer. */
	takeOf(stream: StreamKey): QueuedWrite | null;
	/** Puts writes back in front, in their order: nothing of them happened. */
	putBack(writes: readonly QueuedWrite[]): void;
	/** Marks what the stream has waiting: it is not begun any more. */
	cancelOf(stream: StreamKey): void;
	/** Empties the queue. */
	drain(): QueuedWrite[];
}

export function createWriteQueue(maxLength: number): WriteQueue {
	let writes: QueuedWrite[] = [];

	return {
		get length() {
			return writes.length;
		},
		add(write) {
			// Whoever holds the writer must be able to finish: everybody in the queue waits for that.
			if (writes.length >= maxLength && !write.inTransaction) return false;
			writes.push(write);
			return true;
		},
		takeBatch({ requests, behind, mustRunAlone }) {
			const batch: QueuedWrite[] = [];
			let taken = 0;
			for (const write of writes) {
				if (write.cancelled) {
					taken++;
					continue;
				}
				const alone = mustRunAlone(write.request);
				if (alone && batch.length > 0) break;
				// A transaction that goes on from a snapshot looks at what is committed.
				if (behind && (alone || write.snapshotIndex !== null)) break;
				const [first] = batch;
				if (first !== undefined && !isSameMode(first.acknowledgement, write.acknowledgement)) break;
				batch.push(write);
				taken++;
				if (alone || batch.length >= requests) break;
			}
			writes = taken === writes.length ? [] : writes.slice(taken);
			return batch;
		},
		takeOf(stream) {
			const position = writes.findIndex(
				(write) => write.stream === stream && write.inTransaction && !write.cancelled,
			);
			return position < 0 ? null : (writes.splice(position, 1)[0] ?? null);
		},
		putBack(batch) {
			writes = [...batch, ...writes];
		},
		cancelOf(stream) {
			for (const write of writes) if (write.stream === stream) write.cancelled = true;
		},
		drain() {
			const all = writes;
			writes = [];
			return all;
		},
	};
}

function isSameMode(one: Acknowledgement, other: Acknowledgement): boolean {
	if (one.mode !== other.mode) return false;
	if (one.mode === "sync" && other.mode === "sync") return one.strict === other.strict;
	return one.mode !== "semi-sync" || other.mode !== "semi-sync" || one.followers === other.followers;
}
