/** Who never leads, to the moment: when it may stand all the same, when it gives way, and to whom it hands over. */
import { expect, test } from "vitest";
import { handOverAsCaretaker, isSpared, isUseless } from "./priority.ts";
import {
	configurationFor,
	establishedLeader,
	memberState,
	progressOf,
	settings,
	startedAt,
	takeOutputs,
} from "./testing/member-state.ts";
import type { Configuration } from "./types.ts";

const { electionTimeoutMs } = settings;

function withNever(...ids: string[]): Configuration {
	const configuration = configurationFor(["n1", "n2", "n3"]);
	const members = configuration.members.map((member) =>
		ids.includes(member.id) ? ({ ...member, priority: "never" } as const) : member,
	);
	return { ...configuration, members };
}

test("who never leads waits for eight election timeouts, and twice as long after each time that it led in vain", () => {
	const state = memberState({ configuration: withNever("n1") });
	const isSparedAfter = (timeouts: number, ms = 0): boolean => {
		state.now = startedAt + timeouts * electionTimeoutMs + ms;
		return isSpared(state);
	};
	expect([isSparedAfter(8, -1), isSparedAfter(8)]).toEqual([true, false]);
	state.uselessReigns = 2;
	expect([isSparedAfter(32, -1), isSparedAfter(32)]).toEqual([true, false]);
	state.uselessReigns = 9;
	expect([isSparedAfter(512, -1), isSparedAfter(512)]).toEqual([true, false]);
	state.gaveWayAt = startedAt + 1;
	expect([isSparedAfter(512), isSparedAfter(512, 1)]).toEqual([true, false]);
	expect(isSpared(memberState())).toBe(false);
});

test("a caretaker leads for twenty election timeouts, and twice as long after each time in vain, and on while it sends a snapshot", () => {
	const { state, leader } = establishedLeader({ configuration: withNever("n1") });
	const isUselessAfter = (timeouts: number, ms = 0): boolean => {
		state.now = startedAt + timeouts * electionTimeoutMs + ms;
		return isUseless(state, leader);
	};
	expect([isUselessAfter(20, -1), isUselessAfter(20)]).toEqual([false, true]);
	progressOf(leader, "n3").mode = "snapshot";
	expect(isUselessAfter(20)).toBe(false);
	progressOf(leader, "n3").mode = "replicating";
	state.uselessReigns = 2;
	expect([isUselessAfter(80, -1), isUselessAfter(80)]).toEqual([false, true]);
	state.uselessReigns = 9;
	expect([isUselessAfter(1_280, -1), isUselessAfter(1_280)]).toEqual([false, true]);
	const other = establishedLeader();
	other.state.now = startedAt + 10_000 * electionTimeoutMs;
	expect(isUseless(other.state, other.leader)).toBe(false);
});

test("a caretaker hands over to who may lead and was heard, one at a time, and says nothing while there is nobody", () => {
	const { state, leader } = establishedLeader({ configuration: withNever("n1", "n2") });
	handOverAsCaretaker(state, leader);
	expect(takeOutputs(state)).toMatchObject([{ type: "send", message: { type: "timeout-now", to: "n3" } }]);
	expect(state.transfer?.to).toBe("n3");
	handOverAsCaretaker(state, leader);
	expect(takeOutputs(state)).toEqual([]);
	// It counts as heard, since this leader has just begun, and was not.
	state.transfer = null;
	progressOf(leader, "n3").lastContact = null;
	handOverAsCaretaker(state, leader);
	expect([takeOutputs(state), state.transfer]).toEqual([[], null]);
	progressOf(leader, "n3").lastContact = state.now - electionTimeoutMs;
	handOverAsCaretaker(state, leader);
	expect([takeOutputs(state), state.transfer]).toEqual([[], null]);
	const other = establishedLeader();
	handOverAsCaretaker(other.state, other.leader);
	expect([takeOutputs(other.state), other.state.transfer]).toEqual([[], null]);
});
