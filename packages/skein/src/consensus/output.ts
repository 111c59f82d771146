/**
 * What the core wants done, as data. The runtime carries outputs out in order; disk work
 * (`write-promise`, `append-log`, `reset-log`) strictly one after the other, and reports each
 * ticket with a `durable` input. The core itself holds back every message that depends on disk
 * work until that input, so the runtime may send messages at once.
 */
import type { ConsensusMessage, ReadGrant } from "./message.ts";
import type {
	Configuration,
	Entry,
	LogIndex,
	Milliseconds,
	NodeId,
	Position,
	Role,
	Term,
	VotePromise,
} from "./types.ts";

export type ChangeRefusal =
	| "not-leader"
	| "not-established"
	| "transferring"
	| "disk-stalled"
	| "in-transaction"
	| "change-under-way"
	| "invalid"
	| "id-used-up"
	| "quorum-at-risk";

export type RefusalReason =
	| "not-leader"
	| "not-established"
	| "transferring"
	| "overloaded"
	/** Its mode asks for more followers than there are other voters. */
	| "too-few-voters";

export type Output =
	| { readonly type: "write-promise"; readonly ticket: number; readonly promise: VotePromise }
	/** Cut the log from `truncateFrom` on (if not null), then append, as one step. */
	| {
			readonly type: "append-log";
			readonly ticket: number;
			readonly truncateFrom: LogIndex | null;
			readonly entries: readonly Entry[];
	  }
	/** Forget the whole log: the next entry is `base.index + 1` (after a snapshot). */
	| { readonly type: "reset-log"; readonly ticket: number; readonly base: Position }
	| { readonly type: "send"; readonly message: ConsensusMessage }
	/**
	 * Read entries `firstIndex … lastIndex` from the log and send them to `to` as one append-request
	 * with these fields. Drop it if by then the term is another.
	 */
	| {
			readonly type: "send-entries";
			readonly to: NodeId;
			readonly term: Term;
			readonly previous: Position;
			readonly firstIndex: LogIndex;
			readonly lastIndex: LogIndex;
			readonly commitIndex: LogIndex;
			/** As a chain-append that goes on to these; empty: as an append-request. */
			readonly route: readonly NodeId[];
			/** To a witness: of commands and fragments it gets the metadata alone (witness.ts). */
			readonly withoutPayloads: boolean;
	  }
	/** The log no longer reaches back far enough for `to`: send it a snapshot, then say `snapshot-sent`. */
	| { readonly type: "send-snapshot"; readonly to: NodeId; readonly term: Term }
	/**
	 * Entries up to `index` may be applied: committed, and durable here. Never goes back.
	 */
	| { readonly type: "commit"; readonly index: LogIndex }
	/**
	 * The proposal that ends at `index` may be answered: its mode is met. Before or after its commit, as the mode
	 * says, and not in the order of the log where modes differ. Of a proposal that is never said it when leadership ends first.
	 */
	| { readonly type: "acknowledged"; readonly index: LogIndex; readonly waiter: number | null }
	/** Somebody waits until this member has applied `index`, which may not be committed yet. */
	| { readonly type: "apply-at-once"; readonly index: LogIndex }
	/** Note this moment: a lease of this round will count from it. Said before the round's message is sent. */
	| { readonly type: "lease-asked"; readonly term: Term; readonly round: number }
	/** This member is in-sync for so long from that moment on, while it is in this term, once it has applied `index`. */
	| {
			readonly type: "leased";
			readonly term: Term;
			readonly round: number;
			readonly durationMs: Milliseconds;
			readonly index: LogIndex;
			/** It may answer linearizable reads by itself, from the same moment on. */
			readonly reads: ReadGrant | null;
	  }
	/** The read lease of this term is over: the leader is told so next. */
	| { readonly type: "reads-ended" }
	/** The role, term, leader or establishment changed. Established: the barrier of this leader's term is committed. */
	| {
			readonly type: "role";
			readonly role: Role;
			readonly term: Term;
			readonly leader: NodeId | null;
			readonly established: boolean;
	  }
	/** The answer to `propose`, in the same step: the entries got these indexes. */
	| {
			readonly type: "proposal-accepted";
			readonly term: Term;
			readonly firstIndex: LogIndex;
			readonly lastIndex: LogIndex;
	  }
	/** The answer to `propose`, in the same step: nothing was appended. */
	| { readonly type: "proposal-refused"; readonly reason: RefusalReason }
	/**
	 * The answer to `change-members`, in the same step. The change has begun with the entry at `index`, and is
	 * over when `target` is committed; it goes on by itself, whoever leads. Index null: `target` is what is.
	 */
	| {
			readonly type: "change-accepted";
			readonly index: LogIndex | null;
			readonly target: Configuration;
	  }
	/** The answer to `change-members`, in the same step: nothing happens. `why` is for people. */
	| {
			readonly type: "change-refused";
			readonly reason: ChangeRefusal;
			readonly why: string;
			/** quorum-at-risk: who did not answer lately, or lacks too much. Else empty. */
			readonly missing: readonly NodeId[];
	  }
	/** The last configuration in this member's log is another: appended, cut, or from a snapshot. It counts at once. */
	| { readonly type: "configuration"; readonly index: LogIndex; readonly value: Configuration }
	/** A read may be answered once this member has applied `index`. */
	| { readonly type: "read-ready"; readonly readId: number; readonly index: LogIndex }
	/** A transfer of leadership ended on the side that asked. `lost`: another leader than asked for. */
	| {
			readonly type: "transfer-ended";
			readonly to: NodeId | null;
			readonly outcome: "done" | "refused" | "timed-out" | "lost";
			readonly why: string;
	  };
