/**
 * From payloads to entries in the log: the part of a write's way that goes through the log.
 * Large transactions go in slices, the next when the one before the last is committed, so that
 * neither the disk nor a follower ever has more of them in hand than it can take in a heartbeat.
 */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { ProposedEntry } from "../consensus/input.ts";
import type { RefusalReason } from "../consensus/output.ts";
import type { LogIndex, Position } from "../consensus/types.ts";
import type { CoreRunner } from "./core-runner.ts";
import { splitPayload } from "./fragments.ts";

export type Replicated =
	/** All of it is in the log: the position of each payload's last entry. */
	| { readonly type: "proposed"; readonly positions: readonly Position[]; readonly last: Position }
	/** Nothing is in the log. */
	| { readonly type: "refused"; readonly reason: RefusalReason }
	/** Leadership ended first: any part of it may still be committed by the next leader. */
	| { readonly type: "lost" };

export interface ReplicateOptions {
	readonly runner: CoreRunner;
	readonly fragmentBytes: number;
	readonly maxProposedBytes: number;
	/** When the last entry may be answered. */
	readonly acknowledgement: Acknowledgement;
	/** Resolves true when `index` is committed, false when leadership was lost before. */
	readonly committed: (index: LogIndex) => Promise<boolean>;
	/** A slice is in the log; nothing came between it and the one before if that ended inside a transaction. */
	readonly onProposed?: (firstIndex: LogIndex, slice: readonly ProposedEntry[]) => void;
	/** The last slice is: called before anything can be said of it, such as its acknowledgement. */
	readonly onLast: (lastIndex: LogIndex) => void;
}

export async function replicate(
	payloads: readonly Uint8Array[],
	options: ReplicateOptions,
): Promise<Replicated> {
	const { runner, fragmentBytes, maxProposedBytes, committed } = options;
	const positions: Position[] = [];
	const lastIndexOfSlice: LogIndex[] = [];
	let isInTransaction = false;
	for (const { slice, isLast } of slices(payloads, fragmentBytes, maxProposedBytes / 2)) {
		const acknowledgement = isLast ? options.acknowledgement : null;
		const earlier = lastIndexOfSlice.at(-2);
		if (earlier !== undefined && !(await committed(earlier))) return { type: "lost" };
		let proposal = runner.propose(slice, acknowledgement);
		const onItsWay = lastIndexOfSlice.at(-1);
		if (!proposal.accepted && proposal.reason === "overloaded" && onItsWay !== undefined) {
			// There is room, or the disk is well again, when what is on its way is committed (found by simulation).
			if (!(await committed(onItsWay))) return { type: "lost" };
			proposal = runner.propose(slice, acknowledgement);
		}
		if (!proposal.accepted) {
			if (lastIndexOfSlice.length === 0) return { type: "refused", reason: proposal.reason };
			// Half of the transaction is in the log. Its client cannot be told that nothing happened as
			// long as this node could go on proposing: it must not.
			runner.step({ type: "step-down" });
			return { type: "lost" };
		}
		const before = lastIndexOfSlice.at(-1);
		// The core changes members by itself, but never in the middle of a transaction.
		if (before !== undefined && isInTransaction && proposal.firstIndex !== before + 1) {
			throw new Error("another proposal came between the pieces of a transaction");
		}
		isInTransaction = slice.at(-1)?.kind === "fragment";
		lastIndexOfSlice.push(proposal.lastIndex);
		options.onProposed?.(proposal.firstIndex, slice);
		if (isLast) options.onLast(proposal.lastIndex);
		for (const [place, { kind }] of slice.entries()) {
			if (kind === "command") positions.push({ term: proposal.term, index: proposal.firstIndex + place });
		}
	}
	const last = positions.at(-1);
	if (last === undefined || positions.length !== payloads.length) throw new Error("nothing to replicate");
	return { type: "proposed", positions, last };
}

/** Cut up only as they are taken: see `splitPayload`. */
function* slices(
	payloads: readonly Uint8Array[],
	fragmentBytes: number,
	maxBytes: number,
): Generator<{ readonly slice: readonly ProposedEntry[]; readonly isLast: boolean }> {
	let slice: ProposedEntry[] = [];
	let bytes = 0;
	for (const payload of payloads) {
		for (const entry of splitPayload(payload, fragmentBytes)) {
			if (slice.length > 0 && bytes + entry.payload.length > maxBytes) {
				yield { slice, isLast: false };
				slice = [];
				bytes = 0;
			}
			slice.push(entry);
			bytes += entry.payload.length;
		}
	}
	yield { slice, isLast: true };
}
