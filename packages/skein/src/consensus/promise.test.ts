/** The promise round, a voter at a time: one candidate a term, told once it is durable. */
import { expect, test } from "vitest";
import { adoptTerm, grantVote, promiseToSelf, tellGrant } from "./promise.ts";
import type { CoreState } from "./state.ts";
import { flushDisk, memberState, takeOutputs } from "./testing/member-state.ts";

/** In term 2, with a log that ends at 3 in term 1. */
function voter(): CoreState {
	const state = memberState();
	adoptTerm(state, 2);
	flushDisk(state);
	takeOutputs(state);
	return state;
}

const last = { term: 1, index: 3 };
const told = (to: string) => ({ type: "send", message: { type: "vote-response", to, granted: true } });

test("no term is entered twice, nor one that is over", () => {
	for (const term of [1, 2]) {
		expect(() => adoptTerm(voter(), term)).toThrow(`term ${term} after 2`);
		expect(() => promiseToSelf(voter(), term)).toThrow(`standing for term ${term} in 2`);
	}
	expect(() => grantVote(voter(), "n2", 1, last)).toThrow("a vote for term 1 in 2");
});

test("a vote is told when it is durable, and is nobody else's in its term", () => {
	const state = voter();
	expect(grantVote(state, "n2", 2, last)).toBe(true);
	expect(takeOutputs(state)).toMatchObject([{ type: "write-promise", promise: { term: 2, votedFor: "n2" } }]);
	expect(grantVote(state, "n3", 2, last)).toBe(false);
	expect(state.promise).toEqual({ term: 2, votedFor: "n2" });
	tellGrant(state);
	expect(takeOutputs(state)).toEqual([]);
	flushDisk(state);
	tellGrant(state);
	expect(takeOutputs(state)).toMatchObject([told("n2")]);
	tellGrant(state);
	expect(takeOutputs(state)).toEqual([]);
});

test("asked again, it is told again, at once if it is durable, and not written again", () => {
	const state = voter();
	grantVote(state, "n2", 2, last);
	takeOutputs(state);
	// The answer to the first question waits for the disk, and is that to the second too.
	expect(grantVote(state, "n2", 2, last)).toBe(true);
	expect(takeOutputs(state)).toEqual([]);
	flushDisk(state);
	tellGrant(state);
	expect(takeOutputs(state)).toMatchObject([told("n2")]);
	expect(grantVote(state, "n2", 2, last)).toBe(true);
	expect(takeOutputs(state)).toMatchObject([told("n2")]);
	// A later term is another promise, to whomever.
	expect(grantVote(state, "n2", 3, last)).toBe(true);
	expect(takeOutputs(state)).toMatchObject([{ type: "write-promise", promise: { term: 3, votedFor: "n2" } }]);
});

test("no vote for a log that is behind", () => {
	const state = voter();
	expect(grantVote(state, "n2", 2, { term: 1, index: 2 })).toBe(false);
	expect([state.promise.votedFor, takeOutputs(state)]).toEqual([null, []]);
});

test("a late vote does not forget who leads its term, and a later term does", () => {
	const state = voter();
	state.leader = "n3";
	grantVote(state, "n2", 2, last);
	expect(state.leader).toBe("n3");
	adoptTerm(state, 3);
	expect(state.leader).toBe(null);
});
