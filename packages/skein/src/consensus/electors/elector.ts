/**
 * Who stands, and when. An elector only ever makes a member ask for leadership; how leadership is
 * granted is the promise round's alone (promise.ts), so no elector can break safety, only liveness.
 */
import type { MonotonicTime } from "../types.ts";

export interface Elector {
	/** A leader was heard, a vote given, or a round begun: wait anew. */
	rest(now: MonotonicTime): void;
	/** This member gave leadership up of its own will: let the others go first. */
	yieldToOthers(now: MonotonicTime): void;
	/** This process did not run, so it heard nobody: it listens once more before it stands. */
	slept(now: MonotonicTime): void;
	/** Before this `tick` says "wait". */
	dueAt(): MonotonicTime;
	/** Time has passed without a leader. */
	tick(now: MonotonicTime): "wait" | "stand";
}
