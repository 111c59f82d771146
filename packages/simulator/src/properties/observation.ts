/**
 * What the properties get to know about the members: what production code asked of its log and its
 * database, what it sent, and where it says that it is. All of it is seen from outside, at the four
 * interfaces of the world and in the core's view; nothing in production code knows of it.
 */
import type { ConsensusMessage } from "../../../skein/src/consensus/message.ts";
import type {
	Entry,
	LogIndex,
	NodeId,
	Position,
	Term,
	VotePromise,
} from "../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../skein/src/consensus/view.ts";
import type { RecoveredLog } from "../../../skein/src/log/log.ts";

/** What the log was asked to do, one after the other. */
export type LogWork =
	| { readonly type: "promise"; readonly promise: VotePromise }
	| { readonly type: "append"; readonly truncateFrom: LogIndex | null; readonly entries: readonly Entry[] }
	| { readonly type: "reset"; readonly base: Position };

export type Observation =
	/** A life begins, with what was found on disk. Before its core exists. */
	| {
			readonly type: "started";
			readonly node: NodeId;
			readonly recovered: Pick<RecoveredLog, "promise" | "base" | "headers"> &
				Partial<Pick<RecoveredLog, "configurations">>;
			readonly applied: Position;
			/** Of the configuration that the database holds; null: none. */
			readonly configurationIndex?: LogIndex | null;
	  }
	/** A life ended, however. */
	| { readonly type: "ended"; readonly node: NodeId }
	/** The disk is gone. What starts under this id from now on is another member, which nobody may count. */
	| { readonly type: "disk-lost"; readonly node: NodeId }
	| { readonly type: "log-work"; readonly node: NodeId; readonly work: LogWork }
	/** The log says that the oldest work that it had not done is durable. */
	| { readonly type: "log-durable"; readonly node: NodeId }
	/** The log could not do this work (the disk is full, or worse); parts of it may be on disk. It may be asked again. */
	| { readonly type: "log-refused"; readonly node: NodeId; readonly work: LogWork }
	/** The log was allowed to drop what it has up to here. */
	| { readonly type: "log-compacted"; readonly node: NodeId; readonly index: LogIndex }
	/** The database was asked to hold the effects of everything up to here: it may, from now on. */
	| { readonly type: "applying"; readonly node: NodeId; readonly position: Position }
	/** The database says that everything up to here survives a loss of power: after a checkpoint, or a snapshot that it installed. */
	| { readonly type: "database-durable"; readonly node: NodeId; readonly index: LogIndex }
	/** The database holds the effects of everything up to here; `digest` of its content, if it is known. */
	| {
			readonly type: "applied";
			readonly node: NodeId;
			readonly position: Position;
			readonly digest: string | null;
	  }
	/** The database could not apply committed entries, and not for want of a disk that works. */
	| {
			readonly type: "apply-refused";
			readonly node: NodeId;
			readonly position: Position;
			readonly reason: string;
	  }
	/** The database made a snapshot of itself. */
	| {
			readonly type: "snapshot";
			readonly node: NodeId;
			readonly position: Position;
			/** Of the configuration in it. */
			readonly configurationIndex: LogIndex;
	  }
	/** But for appends. */
	| { readonly type: "sent"; readonly message: ConsensusMessage }
	/** Only the first of a term: the next ones say nothing new of who leads it. */
	| { readonly type: "append-sent"; readonly node: NodeId; readonly term: Term }
	/** After every event in which a member did something. */
	| { readonly type: "view"; readonly node: NodeId; readonly view: CoreView };

export type Observed<Type extends Observation["type"]> = Extract<Observation, { type: Type }>;
