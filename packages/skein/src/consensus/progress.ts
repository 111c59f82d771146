/**
 * What a leader knows of one member, and the three ways of sending to it. Probing: where the logs
 * agree is unknown; one message, then wait. Replicating: it is known; stream. Snapshot: the log does
 * not reach back far enough; nothing is sent until the snapshot has ended.
 */
import type { LogIndex, MonotonicTime } from "./types.ts";

export type ProgressMode = "probing" | "replicating" | "snapshot";

export interface Progress {
	/** Equal to the leader's log and durable there, up to here. Never goes back in one leadership. */
	matchIndex: LogIndex;
	/** The next entry to send; always above `matchIndex`. */
	nextIndex: LogIndex;
	mode: ProgressMode;
	/** Probing only: the one message is out. */
	probeSent: boolean;
	/** The heartbeat round that was the latest when it went out: the answer to a later one sends another. */
	probeRound: number;
	/** Something was acknowledged since the last heartbeat was answered. */
	moved: boolean;
	/** It is a member for this leader since then: until it could have answered, its silence means nothing. */
	readonly since: MonotonicTime;
	/** Null: not heard in this leadership. */
	lastContact: MonotonicTime | null;
	/** The latest heartbeat round that was answered. */
	confirmedRound: number;
	/** The commit index that the follower was last told with its entries. */
	sentCommitIndex: LogIndex;
	/** It was asked to apply this at once. */
	askedIndex: LogIndex;
	/** In the order of the chain only: what it was to get, at one of the last answers to a heartbeat. */
	owed: Owed | null;
}

interface Owed {
	readonly index: LogIndex;
	readonly matchIndex: LogIndex;
	/** The end of its log. */
	readonly lastIndex: LogIndex;
	readonly at: MonotonicTime;
}

export function createProgress(lastIndex: LogIndex, since: MonotonicTime): Progress {
	return {
		matchIndex: 0,
		nextIndex: lastIndex + 1,
		mode: "probing",
		probeSent: false,
		probeRound: 0,
		moved: false,
		since,
		lastContact: null,
		confirmedRound: 0,
		sentCommitIndex: 0,
		askedIndex: 0,
		owed: null,
	};
}

export function becomeProbing(progress: Progress): void {
	progress.mode = "probing";
	progress.probeSent = false;
	progress.nextIndex = progress.matchIndex + 1;
}

export function becomeSnapshot(progress: Progress): void {
	progress.mode = "snapshot";
	progress.probeSent = false;
}

/** The follower holds everything up to `matchIndex`. `baseIndex`: where the leader's log begins. */
export function acceptUpTo(progress: Progress, matchIndex: LogIndex, baseIndex: LogIndex): void {
	// An older answer that comes late.
	if (matchIndex < progress.matchIndex) return;
	progress.moved ||= matchIndex > progress.matchIndex;
	progress.matchIndex = matchIndex;
	progress.nextIndex = Math.max(progress.nextIndex, matchIndex + 1);
	if (progress.mode === "replicating") return;
	// A follower in snapshot mode is served from the log again as soon as the log reaches it, whoever
	// brought it there (etcd: snapshot_succeed_via_app_resp).
	if (progress.mode === "snapshot" && matchIndex < baseIndex) return;
	progress.mode = "replicating";
	progress.probeSent = false;
	progress.nextIndex = matchIndex + 1;
}

/**
 * The follower does not have the entry `previousIndex` of our log. `agreeIndex`: the latest place
 * that may agree. False: a stale answer, or one that contradicts what the follower acknowledged; the
 * next heartbeat's answer probes again, so an impossible follower cannot make a busy loop.
 */
export function rejectAt(progress: Progress, previousIndex: LogIndex, agreeIndex: LogIndex): boolean {
	if (previousIndex <= progress.matchIndex) return false;
	switch (progress.mode) {
		case "snapshot":
			return false;
		case "replicating":
			becomeProbing(progress);
			return true;
		case "probing":
			if (previousIndex !== progress.nextIndex - 1) return false;
			progress.nextIndex = Math.max(Math.min(previousIndex, agreeIndex + 1), progress.matchIndex + 1);
			progress.probeSent = false;
			return true;
	}
}
