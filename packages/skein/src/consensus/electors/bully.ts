/**
 * Bully (Garcia-Molina 1982), guarded by a quorum: whoever misses the leader asks the voters that rank above it. One that
 * is up to date answers `wait` and stands itself; if none answers, the one that asked stands. By rank alone nobody leads:
 * the promise round decides. Rank: preferred before normal, then the name that sorts last.
 *
 * | event                        | resting                            | asking              | deferring      |
 * | ---------------------------- | ---------------------------------- | ------------------- | -------------- |
 * | its wait is over             | nobody above: stands; → asking     | → resting, stands   | the same       |
 * | `standing` from below        | answers, begins as above           | answers             | answers        |
 * | `wait` from above            | –                                  | → deferring         | –              |
 * | a leader, a vote, a round    | –                                  | → resting           | → resting      |
 *
 * It answers only if it could win: it misses the leader too, may stand, and its log is not behind the one that asks. Nor does
 * who gave leadership up of its own will, for a while: it would be asked at once, and lead again (seed 149828165). One that
 * was waited for in vain (nobody hears it, say) is not waited for again in this turn.
 */
import { isUpToDate } from "../log-view.ts";
import { allVoters, neverLeads } from "../quorum.ts";
import type { Configuration, MonotonicTime, NodeId } from "../types.ts";
import type { Decision, Elector, Surroundings } from "./elector.ts";
import { createPatience } from "./patience.ts";

export function createBullyElector(around: Surroundings, now: MonotonicTime): Elector {
	const { self, electionTimeoutMs, heartbeatIntervalMs, random } = around;
	const patience = createPatience(electionTimeoutMs);
	let phase: "resting" | "asking" | "deferring" = "resting";
	/** It gave leadership up: until then it answers nobody. */
	let yieldsUntil: MonotonicTime = Number.NEGATIVE_INFINITY;

	function rest(since: MonotonicTime, besidesMs = 0): void {
		phase = "resting";
		// A little more than the timeout: by then the others miss the leader too, and do not refuse us for its sake.
		patience.wait(since, electionTimeoutMs + heartbeatIntervalMs * (1 + random()) + besidesMs);
	}

	function begin(time: MonotonicTime): Decision {
		const { configuration } = around;
		const above = allVoters(configuration).filter((voter) => ranksAbove(configuration, voter, self));
		if (above.length === 0 || !around.mayStand) return "stand";
		phase = "asking";
		patience.wait(time, Math.max(heartbeatIntervalMs, electionTimeoutMs / 4));
		for (const voter of above) tell(voter, "standing");
		return "wait";
	}

	function tell(to: NodeId, word: "standing" | "wait"): void {
		around.tell(to, { word, candidate: self, last: around.last, round: 0 });
	}

	rest(now);
	return {
		name: "bully",
		rest,
		heardLeader(since) {
			yieldsUntil = Number.NEGATIVE_INFINITY;
			rest(since);
		},
		yieldToOthers(since) {
			rest(since, 2 * electionTimeoutMs);
			yieldsUntil = patience.until;
		},
		slept: (since) => patience.slept(since),
		dueAt: () => patience.until,
		tick(time) {
			if (time < patience.until) return "wait";
			return phase === "resting" ? begin(time) : "stand";
		},
		hear(from, { word, last }, time) {
			const isAbove = ranksAbove(around.configuration, from, self);
			if (word === "wait" && isAbove && phase === "asking") {
				phase = "deferring";
				patience.wait(time, electionTimeoutMs * (2 + random()));
			}
			if (word !== "standing" || isAbove || time < yieldsUntil) return "wait";
			if (around.isLeaderFresh || !around.mayStand || !isUpToDate(around.last, last)) return "wait";
			tell(from, "wait");
			return phase === "resting" && !around.isStanding ? begin(time) : "wait";
		},
	};
}

function ranksAbove(configuration: Configuration, one: NodeId, other: NodeId): boolean {
	const [first, second] = [rankOf(configuration, one), rankOf(configuration, other)];
	return first === second ? one > other : first > second;
}

function rankOf(configuration: Configuration, node: NodeId): number {
	if (neverLeads(configuration, node)) return 0;
	const member = configuration.members.find(({ id }) => id === node);
	return member?.priority === "preferred" ? 2 : 1;
}
