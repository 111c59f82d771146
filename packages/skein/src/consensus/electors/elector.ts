/**
 * Who stands, and when. An elector only ever makes a member ask for leadership; how leadership is
 * granted is the promise round's alone (promise.ts), so no elector can break safety, only liveness.
 * Members may run different ones at once. What each does, and why it is safe: docs/decisions/electors.md.
 */
import type { ElectorHint } from "../message.ts";
import type { RandomSource } from "../random.ts";
import type {
	Configuration,
	ElectorName,
	Milliseconds,
	MonotonicTime,
	NodeId,
	Position,
	Term,
} from "../types.ts";

/** `forget-leader`: it has been silent for so long that nobody is to be sent there any more. */
export type Decision = "wait" | "stand" | "forget-leader";

export interface Elector {
	readonly name: ElectorName;
	/** A vote was given, or a round begun: wait anew. */
	rest(now: MonotonicTime): void;
	/** A leader was heard: as `rest`, and what was tried before is over. */
	heardLeader(now: MonotonicTime): void;
	/** This member gave leadership up of its own will: let the others go first. */
	yieldToOthers(now: MonotonicTime): void;
	/** This process did not run, so it heard nobody: it listens once more before it stands. */
	slept(now: MonotonicTime): void;
	/** Before this `tick` says "wait", and nothing else. */
	dueAt(): MonotonicTime;
	/** Time has passed without a leader. */
	tick(now: MonotonicTime): Decision;
	/** Another voter's elector, of the same name, said something. Not while this member leads. */
	hear(from: NodeId, hint: ElectorHint, now: MonotonicTime): Decision;
}

/** What an elector may know, as of now, and say. */
export interface Surroundings {
	readonly self: NodeId;
	readonly random: RandomSource;
	readonly electionTimeoutMs: Milliseconds;
	readonly heartbeatIntervalMs: Milliseconds;
	readonly term: Term;
	/** Where this member's log ends. */
	readonly last: Position;
	/** The last in this member's log. */
	readonly configuration: Configuration;
	/** A leader was heard so lately that this member would refuse everybody else its vote. */
	readonly isLeaderFresh: boolean;
	/** Its round is under way. */
	readonly isStanding: boolean;
	/** Nothing but the elector keeps this member from standing. */
	readonly mayStand: boolean;
	tell(to: NodeId, hint: ElectorHint): void;
}
