/** A follower by itself: what it believes of a leader's messages, what it stores of them, and when it says so. */
import { expect, test } from "vitest";
import { encodeConfiguration } from "./configuration.ts";
import type { LeaseGrant } from "./message.ts";
import type { Output } from "./output.ts";
import { createLoneCore, elect, entriesOf, type LoneCore, messagesIn, three } from "./testing/lone-core.ts";
import type { Configuration, Entry, LogIndex, Position, Term } from "./types.ts";

const nowhere: Position = { index: 0, term: 0 };

function append(
	lone: LoneCore,
	term: Term,
	previous: Position,
	entries: readonly Entry[],
	commitIndex: LogIndex,
): Output[] {
	return lone.hear("n2", term, { type: "append-request", previous, entries, commitIndex });
}

function acknowledged(matchIndex: LogIndex) {
	return { type: "append-response", to: "n2", result: { accepted: true, matchIndex } };
}

function configurationEntry(index: LogIndex, value: Configuration): Entry {
	return { index, term: 2, kind: "configuration", payload: encodeConfiguration(value) };
}

test("what is committed equals the leader's, also where it is compacted here", () => {
	const lone = createLoneCore({ base: { index: 5, term: 1 }, terms: [1, 1], commitIndex: 6 });
	const sent = [...entriesOf(1, 4, 7), ...entriesOf(2, 8, 8)];
	const [, , stored, ...rest] = append(lone, 2, { index: 3, term: 1 }, sent, 6);
	expect(stored).toMatchObject({ type: "append-log", truncateFrom: null, entries: [{ index: 8, term: 2 }] });
	expect(rest).toEqual([]);
	expect(messagesIn(lone.durable())).toMatchObject([acknowledged(8)]);
});

test("what is durable is acknowledged once", () => {
	const lone = createLoneCore();
	append(lone, 2, nowhere, entriesOf(2, 1, 3), 0);
	expect(messagesIn(lone.durable())).toMatchObject([acknowledged(3)]);
	expect(lone.durable()).toEqual([]);
	// The same again is on disk already; a late word of the disk is no reason to say it once more.
	expect(messagesIn(append(lone, 2, nowhere, entriesOf(2, 1, 3), 0))).toMatchObject([acknowledged(3)]);
	expect(lone.durable()).toEqual([]);
});

test("what an older leader's log had is not what the next one counts as committed", () => {
	const lone = createLoneCore();
	append(lone, 2, nowhere, entriesOf(2, 1, 5), 2);
	lone.durable();
	expect(lone.core.view.commitIndex).toBe(2);
	lone.now += 1_000;
	lone.hear("n3", 3, { type: "vote-request", last: { index: 9, term: 2 }, transfer: false });
	// n3 leads, and n1 has heard nothing of its log.
	lone.hear("n3", 3, { type: "read-index-response", readId: 1, index: 5, commitIndex: 5 });
	expect(lone.core.view).toMatchObject({ term: 3, leader: null, commitIndex: 2 });
});

test("a second leader in a term stops the member, whether it leads or follows", () => {
	const follower = createLoneCore();
	append(follower, 2, nowhere, [], 0);
	const body = { type: "append-request", previous: nowhere, entries: [], commitIndex: 0 } as const;
	expect(() => follower.hear("n3", 2, body)).toThrow("two leaders in term 2: n2 and n3");
	const leader = createLoneCore();
	const term = elect(leader);
	expect(leader.core.view.role).toBe("leader");
	expect(() => leader.hear("n3", term, body)).toThrow(`n3 leads our own term ${term}`);
});

test("a leader that counts on more than the log holds stops the member", () => {
	const lone = createLoneCore({ terms: [1, 1] });
	const body = { type: "heartbeat-request", round: 1, lease: null, endsReads: false } as const;
	lone.hear("n2", 1, { ...body, commitIndex: 2 });
	expect(lone.core.view.commitIndex).toBe(2);
	expect(() => lone.hear("n2", 1, { ...body, commitIndex: 3 })).toThrow("n2 counts on 3, our log ends at 2");
});

test("entries and members of another kind stop the member before it has them", () => {
	const [first, ...others] = three.members;
	if (first === undefined) throw new Error("no members");
	const other: Configuration = { ...three, members: [{ id: "n1", peer: "n1:1", witness: true }, ...others] };
	const member = createLoneCore();
	expect(() => append(member, 2, nowhere, entriesOf(2, 1, 1, "metadata"), 0)).toThrow("it is no witness");
	expect(() => append(member, 2, nowhere, [configurationEntry(1, other)], 0)).toThrow(
		"n1 is a member with data",
	);
	const witness = createLoneCore({ witness: true, configuration: { index: 0, value: other } });
	expect(() => append(witness, 2, nowhere, entriesOf(2, 1, 1), 0)).toThrow("n1 is a witness, and is sent");
	expect(() => append(witness, 2, nowhere, entriesOf(2, 1, 1, "fragment"), 0)).toThrow("is sent entry 1");
	expect(() => append(witness, 2, nowhere, [configurationEntry(1, three)], 0)).toThrow(
		"n1 is a witness, and",
	);
});

const reads = { durationMs: 100, index: 0, tail: false };
const lease: LeaseGrant = { round: 1, durationMs: 900, index: 0, reads };

/** Whether the lease of a heartbeat of this round lets the follower read by itself. */
function isLent(lone: LoneCore, term: Term, round: number, endsReads = false): boolean {
	const outputs = lone.hear("n2", term, {
		type: "heartbeat-request",
		commitIndex: 0,
		round,
		lease,
		endsReads,
	});
	const leased = outputs.find((output) => output.type === "leased");
	expect(leased).toMatchObject({ term, round: 1, durationMs: 900 });
	// What it is granted next counts from here, so it is noted before the answer can arrive.
	const place = outputs.findIndex(({ type }) => type === "lease-asked");
	expect(outputs.slice(place)).toMatchObject([
		{ type: "lease-asked", term, round },
		{ type: "send", message: { type: "heartbeat-response", round } },
	]);
	return leased?.type === "leased" && leased.reads !== null;
}

test("a read lease that was given up is over, and what was lent before that comes too late", () => {
	const lone = createLoneCore();
	expect(isLent(lone, 2, 3)).toBe(true);
	expect(isLent(lone, 2, 6, true)).toBe(false);
	expect([5, 6, 7].map((round) => isLent(lone, 2, round))).toEqual([false, false, true]);
	// An older one that says the same comes late: what was over stays over.
	expect(isLent(lone, 2, 4, true)).toBe(false);
	expect([5, 6, 7].map((round) => isLent(lone, 2, round))).toEqual([false, false, true]);
	// Rounds begin anew with each leader.
	expect([1, 2].map((round) => isLent(lone, 3, round))).toEqual([true, true]);
	expect(isLent(lone, 3, 3, true)).toBe(false);
	expect([3, 4].map((round) => isLent(lone, 3, round))).toEqual([false, true]);
});

test("a leader that steps down and has lent nothing votes at once", () => {
	const lone = createLoneCore();
	const term = elect(lone);
	lone.now += 10;
	lone.step({ type: "step-down" });
	lone.hear("n3", term + 1, { type: "vote-request", last: { index: 9, term }, transfer: false });
	expect(lone.core.view.votedFor).toBe("n3");
	expect(messagesIn(lone.durable())).toMatchObject([{ type: "vote-response", to: "n3", granted: true }]);
});
