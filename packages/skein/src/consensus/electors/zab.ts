/**
 * ZooKeeper's fast leader election: whoever misses the leader tells all voters whom it favours, itself at first; whoever hears
 * of a better one (a later end of the log, then the name that sorts last) favours that one and says so. When a quorum favours
 * the same one, and nothing better is heard for a moment, that one stands; the others wait for it. ZAB's discovery is the
 * promise round, its synchronisation the leader's appends up to its barrier.
 *
 * | event                         | resting                   | looking                          | settling         | waiting           |
 * | ----------------------------- | ------------------------- | -------------------------------- | ---------------- | ----------------- |
 * | its wait is over              | → looking, a new round    | says it again; at last: stands   | stands, or → waiting | → resting, stands |
 * | a favourite of a later round  | → looking, that round     | enters the round                 | → looking        | → looking         |
 * | a favourite of this round     | → looking                 | a better one: favours it         | the same         | answers           |
 * | a favourite of an older round | → looking                 | answers                          | answers          | answers           |
 * | an answer                     | –                         | as a favourite                   | as a favourite   | –                 |
 * | a quorum favours the same     | –                         | → settling                       | –                | –                 |
 * | a leader, a vote, a round     | –                         | → resting                        | → resting        | → resting         |
 *
 * Who answers asks nothing: an answer (the word `wait`) gets none. Two that have both settled would otherwise answer each
 * other for ever, at the speed of the network, once one word of a round before came late (ZooKeeper tells the state of who
 * speaks along with its favourite, and answers only who looks).
 *
 * All of it is gossip: a wrong favourite is refused by the voters that hold more. One that is waited for in vain is not
 * waited for again: after a random time the others stand all the same.
 */
import { isUpToDate } from "../log-view.ts";
import type { ElectorHint } from "../message.ts";
import { allVoters, isQuorum, isVoter } from "../quorum.ts";
import type { MonotonicTime, NodeId, Position } from "../types.ts";
import type { Decision, Elector, Surroundings } from "./elector.ts";
import { createPatience } from "./patience.ts";

interface Favourite {
	readonly candidate: NodeId;
	readonly last: Position;
}

/**
 * For so many election timeouts, and a random part of one more, it looks before it stands without a quorum's word. Counted from
 * when it missed the leader, whatever rounds others begin meanwhile: one whose configuration is behind may begin one after the
 * other, and agree with nobody (seed 149828081).
 */
const lookedForTimeouts = 4;

export function createZabElector(around: Surroundings, now: MonotonicTime): Elector {
	const { self, electionTimeoutMs, heartbeatIntervalMs, random } = around;
	const patience = createPatience(electionTimeoutMs);
	let phase: "resting" | "looking" | "settling" | "waiting" = "resting";
	let round = 0;
	let favourite: Favourite = { candidate: self, last: { term: 0, index: 0 } };
	/** Whom each voter favours in this round. */
	const heard = new Map<NodeId, NodeId>();
	/** It is said again after longer and longer waits. */
	let sayings = 0;
	let standsBy: MonotonicTime = now;
	/** It gave leadership up: until then it favours anybody before itself. */
	let yieldsUntil: MonotonicTime = Number.NEGATIVE_INFINITY;

	function rest(since: MonotonicTime, besidesMs = 0): void {
		phase = "resting";
		patience.wait(since, electionTimeoutMs + heartbeatIntervalMs * (1 + random()) + besidesMs);
	}

	/** Somebody who may not stand favours anybody before itself. */
	function look(inRound: number, time: MonotonicTime): void {
		if (phase === "resting") standsBy = time + electionTimeoutMs * (lookedForTimeouts + random());
		phase = "looking";
		round = inRound;
		const isWilling = around.mayStand && time >= yieldsUntil;
		favourite = { candidate: self, last: isWilling ? around.last : { term: 0, index: 0 } };
		heard.clear();
		sayings = 0;
		say(time);
	}

	function say(time: MonotonicTime): void {
		heard.set(self, favourite.candidate);
		const pauseMs = heartbeatIntervalMs * 2 ** (1 + Math.min(sayings, 3)) * (1 + random() / 4);
		patience.wait(time, Math.max(0, Math.min(pauseMs, standsBy - time)));
		for (const voter of allVoters(around.configuration)) if (voter !== self) tell(voter, "favourite");
	}

	function tell(to: NodeId, word: "favourite" | "wait"): void {
		around.tell(to, { word, ...favourite, round });
	}

	function consider(from: NodeId, { candidate, last }: ElectorHint, time: MonotonicTime): void {
		heard.set(from, candidate);
		if (isBetter({ candidate, last }, favourite)) {
			favourite = { candidate, last };
			phase = "looking";
			say(time);
		}
		const agrees = (voter: NodeId): boolean => heard.get(voter) === favourite.candidate;
		if (phase !== "looking" || !isQuorum(around.configuration, agrees)) return;
		phase = "settling";
		patience.wait(time, heartbeatIntervalMs);
	}

	function onWaited(time: MonotonicTime): Decision {
		switch (phase) {
			case "resting":
				look(round + 1, time);
				return "wait";
			case "looking":
				if (time >= standsBy) return "stand";
				sayings++;
				say(time);
				return "wait";
			case "settling":
				if (favourite.candidate === self) return "stand";
				phase = "waiting";
				patience.wait(time, electionTimeoutMs * (1 + random()));
				return "wait";
			case "waiting":
				return "stand";
		}
	}

	rest(now);
	return {
		name: "zab",
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
		tick: (time) => (time >= patience.until ? onWaited(time) : "wait"),
		hear(from, hint, time) {
			if (!isVoter(around.configuration, hint.candidate) || around.isLeaderFresh) return "wait";
			const isLater = hint.round > round;
			const isLooking = phase === "looking" || phase === "settling";
			if (hint.word === "wait" && !isLooking) return "wait";
			const isSettled = phase === "waiting" || (phase === "resting" && around.isStanding);
			if (isSettled ? !isLater : isLooking && hint.round < round) {
				if (hint.word === "favourite") tell(from, "wait");
				return "wait";
			}
			if (phase === "resting" || isLater) look(Math.max(round, hint.round), time);
			if (hint.round === round) consider(from, hint, time);
			return "wait";
		},
	};
}

function isBetter(one: Favourite, other: Favourite): boolean {
	const isSame = one.last.term === other.last.term && one.last.index === other.last.index;
	return isSame ? one.candidate > other.candidate : isUpToDate(one.last, other.last);
}
