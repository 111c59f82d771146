/**
 * What happens in a simulated world, as plain data: the form in which a run is printed, hashed, and can
 * be played by a web page. DESIGN.md says what each event means. Times are the world's.
 *
 * New kinds are added at the end of the list that they belong to; no field changes its meaning.
 */
import type { LogIndex, NodeId, Role, Term } from "../../../skein/src/consensus/types.ts";
import type { WorldTime } from "../engine/scheduler.ts";

/** Members: their lives, and what an observer sees of them. */
type MemberEvent =
	| { readonly type: "start"; readonly node: NodeId; readonly life: number }
	/** Its log and database are open, and it takes part. */
	| { readonly type: "started"; readonly node: NodeId; readonly applied: LogIndex; readonly last: LogIndex }
	/** It could not start: the disk is damaged beyond what a member may repair by itself. */
	| { readonly type: "refused"; readonly node: NodeId; readonly reason: string }
	| { readonly type: "stopped"; readonly node: NodeId }
	| { readonly type: "crash"; readonly node: NodeId; readonly kind: "kill" | "power" }
	/** It ended by itself, as a process that exits with an error. */
	| { readonly type: "failed"; readonly node: NodeId; readonly reason: string }
	| { readonly type: "pause"; readonly node: NodeId; readonly kind: string }
	| { readonly type: "resume"; readonly node: NodeId }
	| { readonly type: "wipe"; readonly node: NodeId }
	/** After every event in which one of these changed. */
	| {
			readonly type: "role";
			readonly node: NodeId;
			readonly role: Role;
			readonly term: Term;
			readonly leader: NodeId | null;
			readonly established: boolean;
	  }
	| {
			readonly type: "log";
			readonly node: NodeId;
			readonly last: LogIndex;
			readonly durable: LogIndex;
			readonly commit: LogIndex;
			readonly base: LogIndex;
			readonly lastTerm: Term;
	  }
	| { readonly type: "applied"; readonly node: NodeId; readonly index: LogIndex; readonly digest: string }
	| { readonly type: "snapshot-made"; readonly node: NodeId; readonly index: LogIndex }
	| { readonly type: "snapshot-installed"; readonly node: NodeId; readonly index: LogIndex };

/** Clients: numbered operations, as in the history. */
type ClientEvent =
	| {
			readonly type: "invoke";
			readonly operation: number;
			readonly client: string;
			readonly node: NodeId;
			readonly what: string;
	  }
	| {
			readonly type: "complete";
			readonly operation: number;
			readonly outcome: string;
			readonly code: string | null;
	  };

/** The run itself. */
type RunEvent =
	| {
			readonly type: "phase";
			readonly phase: "safety" | "liveness" | "reunion" | "end";
			readonly healed: string;
	  }
	| { readonly type: "broken"; readonly property: string; readonly what: string }
	| { readonly type: "history"; readonly operations: number; readonly hash: string }
	| { readonly type: "final-digest"; readonly node: NodeId; readonly digest: string };

/** What the parts of the world (disk, network, clocks) tell: each documents its own. */
export interface WorldEvent {
	readonly type: string;
	readonly [field: string]: string | number | boolean | null;
}

export type TraceEvent = MemberEvent | ClientEvent | RunEvent | WorldEvent;

export type TimedEvent = TraceEvent & { readonly at: WorldTime };

/** How a part of the world tells what happens; of a message also its bytes, which are read when somebody looks at it. */
export type Tell = (event: TraceEvent, message?: Uint8Array) => void;

/** How it says, by name, what no event tells: that is counted, and changes no trace. */
export type Count = (name: string) => void;
