/**
 * What can happen to the core, as data. Every input carries the time at which it happened;
 * time never goes back between two inputs.
 */
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import type { ConsensusMessage } from "./message.ts";
import type {
	Configuration,
	EntryKind,
	HoldBackReason,
	LogIndex,
	MemberChange,
	Milliseconds,
	MonotonicTime,
	NodeId,
	Term,
} from "./types.ts";

export interface ProposedEntry {
	readonly kind: Exclude<EntryKind, "barrier" | "configuration" | "metadata">;
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
	/**
	 * The leader's runtime wants these entries in the log, in this order, one after the other. When the mode is
	 * met for the last of them, `acknowledged` says so once; null: nobody waits for that.
	 */
	| (At & {
			readonly type: "propose";
			readonly entries: readonly ProposedEntry[];
			readonly acknowledgement: Acknowledgement | null;
	  })
	/**
	 * Nobody waits any more for the acknowledgement that was asked for in this term: of what was proposed and ends at
	 * `index` (`waiter` null), or of what this waiter asked for.
	 */
	| (At & {
			readonly type: "forget-acknowledgement";
			readonly term: Term;
			readonly index: LogIndex;
			readonly waiter: number | null;
	  })
	/** Says `acknowledged` with this waiter when the mode is met for `index`, which is in the log. Not if leadership ends first. */
	| (At & {
			readonly type: "await-acknowledgement";
			readonly index: LogIndex;
			readonly acknowledgement: Acknowledgement;
			readonly waiter: number;
	  })
	/** This member's database holds all effects up to `index`, for all who read it from now on. */
	| (At & { readonly type: "applied"; readonly index: LogIndex })
	/** A linearizable read (or a batch of them that all began before now). `readId` is never used twice. */
	| (At & { readonly type: "read"; readonly readId: number })
	/** Another member asks for a read index, and the runtime finds that this leader's lease holds just now. */
	| (At & { readonly type: "read-under-lease"; readonly from: NodeId; readonly readId: number })
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
	/** An operator wants this member to ask for leadership, whatever its elector says. Nobody who leads is deposed by it. */
	| (At & { readonly type: "stand" })
	/** Stop leading at once (full disk, stuck writer): the others elect. A no-op when not leader. */
	| (At & { readonly type: "step-down" })
	/** Entries travel along the chain, and members read by themselves, also before a write asks for mode `chain`. */
	| (At & { readonly type: "use-chain"; readonly always: boolean })
	/** Do not stand by yourself for so long; 0: do again. */
	| (At & { readonly type: "hold-back"; readonly reason: HoldBackReason; readonly forMs: Milliseconds });
