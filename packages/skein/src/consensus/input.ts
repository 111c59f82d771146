/**
 * What can happen to the core, as data. Every input carries the time at which it happened;
 * time never goes back between two inputs.
 */
import type { ConsensusMessage } from "./message.ts";
import type {
	Configuration,
	EntryKind,
	LogIndex,
	MemberChange,
	Milliseconds,
	MonotonicTime,
	NodeId,
	Term,
} from "./types.ts";

export interface ProposedEntry {
	readonly kind: Exclude<EntryKind, "barrier" | "configuration">;
	readonly payload: Uint8Array;
}

interface At {
	readonly now: MonotonicTime;
}

export type Input =
	/** Time has passed; sent at least once every `tickIntervalMs`. */
	| (At & { readonly type: "tick" })
	/**
	 * This process did not run for so long, up to now (stopped, or busy with something else), and may not
	 * have looked yet at what arrived meanwhile. Sent before the tick that comes late.
	 */
	| (At & { readonly type: "slept"; readonly forMs: Milliseconds })
	| (At & { readonly type: "message"; readonly message: ConsensusMessage })
	/** The leader's runtime wants these entries in the log, in this order, one after the other. */
	| (At & { readonly type: "propose"; readonly entries: readonly ProposedEntry[] })
	/** A linearizable read (or a batch of them that all began before now). `readId` is never used twice. */
	| (At & { readonly type: "read"; readonly readId: number })
	/** The caller no longer waits for this read. */
	| (At & { readonly type: "cancel-read"; readonly readId: number })
	/** The disk work of this ticket, and of every earlier one, is durable. */
	| (At & { readonly type: "durable"; readonly ticket: number })
	/** The connection to a node broke: what was in flight may be lost. */
	| (At & { readonly type: "unreachable"; readonly node: NodeId })
	/** A snapshot that covers up to `index` replaced this member's database; the log restarts after it. */
	| (At & {
			readonly type: "snapshot-installed";
			readonly index: LogIndex;
			readonly term: Term;
			readonly configuration: Configuration;
			readonly configurationIndex: LogIndex;
	  })
	/** The end of a `send-snapshot`: the follower installed the snapshot at `index`, or it failed (index null). */
	| (At & { readonly type: "snapshot-sent"; readonly to: NodeId; readonly index: LogIndex | null })
	/**
	 * The operator wants other members. `force`: also if no quorum of them answers just now. `dryRun`: only says
	 * what would come of it.
	 */
	| (At & {
			readonly type: "change-members";
			readonly changes: readonly MemberChange[];
			readonly force: boolean;
			readonly dryRun: boolean;
	  })
	/** The log no longer holds entries up to and including `index`. */
	| (At & { readonly type: "compacted"; readonly index: LogIndex })
	/** Hand leadership to `to`, or to the most up-to-date voter when null. */
	| (At & { readonly type: "transfer"; readonly to: NodeId | null })
	/** Stop leading at once (full disk, stuck writer): the others elect. A no-op when not leader. */
	| (At & { readonly type: "step-down" });
