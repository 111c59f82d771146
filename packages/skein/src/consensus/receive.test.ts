/** A message at the door: for whom it is, who may send it, and what its term does before its content does anything. */
import { expect, test } from "vitest";
import { initialConfiguration } from "./configuration.ts";
import type { ConsensusMessage, ElectorHint } from "./message.ts";
import { defaultConsensusSettings } from "./settings.ts";
import type { MessageBody } from "./state.ts";
import { createLoneCore, elect, entriesOf, follow, type LoneCore, messagesIn } from "./testing/lone-core.ts";
import { group } from "./testing/simulation.ts";
import type { ElectorName, NodeId, Position } from "./types.ts";

const nowhere: Position = { index: 0, term: 0 };
/** Long after the start, so that no earlier leader is held to. */
const later = 1_000;

const append = { type: "append-request", previous: nowhere, entries: [], commitIndex: 0 } as const;
const heartbeat = {
	type: "heartbeat-request",
	round: 1,
	commitIndex: 0,
	lease: null,
	endsReads: false,
} as const;

function chainAppend(leader: NodeId): MessageBody {
	return { ...append, type: "chain-append", leader, route: ["n3"] };
}

function askForVote(lone: LoneCore, from: NodeId, term: number, last: Position, transfer = false) {
	return messagesIn(lone.hear(from, term, { type: "vote-request", last, transfer }));
}

test.each([
	["another member", { to: "n2" }],
	["another group", { group: group + 1 }],
	["this member by itself", { from: "n1" }],
])("what is for %s is passed over", (_for, wrong) => {
	const lone = createLoneCore();
	lone.now = later;
	const right: ConsensusMessage = {
		type: "vote-request",
		group,
		from: "n3",
		to: "n1",
		term: 9,
		last: { index: 9, term: 8 },
		transfer: false,
	};
	expect(lone.step({ type: "message", message: { ...right, ...wrong } })).toEqual([]);
	expect(lone.core.view).toMatchObject({ term: 0, votedFor: null });
	lone.step({ type: "message", message: right });
	expect(lone.core.view).toMatchObject({ term: 9, votedFor: "n3" });
});

test("what says that this member leads, and comes from another, is passed over, and not passed on", () => {
	const lone = createLoneCore();
	expect(lone.hear("n2", 2, chainAppend("n1"))).toEqual([]);
	expect(lone.core.view).toMatchObject({ term: 0, leader: null });
});

test("a message of an unknown kind is not passed over", () => {
	const lone = createLoneCore();
	expect(() => lone.hear("n2", 0, { type: "unknown" } as never)).toThrow('unexpected {"type":"unknown"');
});

test.each<[MessageBody, NodeId]>([
	[append, "n9"],
	[chainAppend("n8"), "n8"],
	[heartbeat, "n9"],
	[{ type: "apply-request", index: 1 }, "n9"],
	[{ type: "read-index-response", readId: 1, index: 0, commitIndex: 0 }, "n9"],
])("whoever leads a later term is followed, known as a member or not: %o", (body, leader) => {
	const lone = createLoneCore();
	const roles = lone.hear("n9", 5, body).filter(({ type }) => type === "role");
	// Nobody is told in between that nobody leads.
	expect(roles).toEqual([{ type: "role", role: "follower", term: 5, leader, established: false }]);
	expect(lone.core.view).toMatchObject({ role: "follower", term: 5, leader });
});

test("whoever leads a later term may tell this member to stand", () => {
	const lone = createLoneCore();
	lone.hear("n9", 5, { type: "timeout-now" });
	expect(lone.core.view).toMatchObject({ role: "candidate", term: 6, votedFor: "n1" });
});

test("a stranger takes nobody into another term, and gets nothing from a leader in its own", () => {
	const lone = createLoneCore();
	const term = elect(lone);
	follow(lone);
	const asked = { type: "read-index-request", readId: 1 } as const;
	expect(lone.hear("n9", term, asked)).toEqual([]);
	expect(lone.hear("n9", term + 1, asked)).toEqual([]);
	expect(lone.core.view).toMatchObject({ role: "leader", term, pendingReads: 0 });
	lone.hear("n3", term, asked);
	expect(lone.core.view.pendingReads).toBe(1);
});

test("who asks for a read index hears with it what is committed", () => {
	const lone = createLoneCore();
	lone.hear("n2", 2, { ...append, entries: entriesOf(2, 1, 3) });
	lone.durable();
	const [asked] = messagesIn(lone.step({ type: "read", readId: 7 }));
	if (asked?.type !== "read-index-request") throw new Error("it did not ask");
	const { readId } = asked;
	expect(lone.hear("n2", 2, { type: "read-index-response", readId, index: 3, commitIndex: 3 })).toEqual([
		{ type: "commit", index: 3 },
		{ type: "read-ready", readId: 7, index: 3 },
	]);
});

test("in an older term nobody gets a vote; in the present one whoever comes first, if its log is not behind", () => {
	const lone = createLoneCore({ terms: [1, 1] });
	lone.now = later;
	const refused = { type: "vote-response", granted: false, term: 5 };
	// Its log is behind, but its term is entered.
	expect(askForVote(lone, "n3", 5, { index: 1, term: 1 })).toMatchObject([{ ...refused, to: "n3" }]);
	expect(askForVote(lone, "n3", 4, { index: 9, term: 3 })).toMatchObject([{ ...refused, to: "n3" }]);
	expect(lone.core.view).toMatchObject({ term: 5, votedFor: null });
	expect(askForVote(lone, "n2", 5, { index: 2, term: 1 })).toEqual([]);
	expect(messagesIn(lone.durable())).toMatchObject([{ ...refused, to: "n2", granted: true }]);
	expect(askForVote(lone, "n3", 5, { index: 9, term: 4 })).toMatchObject([{ ...refused, to: "n3" }]);
	expect(lone.core.view).toMatchObject({ term: 5, votedFor: "n2" });
});

test("a longer log that ends in an older term gets no vote, nor the promise of one", () => {
	const lone = createLoneCore({ terms: [1, 3] });
	lone.now = later;
	const asked = (last: Position) => messagesIn(lone.hear("n3", 5, { type: "pre-vote-request", last }));
	expect(asked({ index: 9, term: 2 })).toMatchObject([{ type: "pre-vote-response", granted: false }]);
	expect(asked({ index: 1, term: 4 })).toMatchObject([{ type: "pre-vote-response", granted: true }]);
	expect(askForVote(lone, "n3", 5, { index: 9, term: 2 })).toMatchObject([{ granted: false }]);
	expect(lone.core.view).toMatchObject({ term: 5, votedFor: null });
	expect(askForVote(lone, "n3", 5, { index: 1, term: 4 })).toEqual([]);
	expect(lone.core.view.votedFor).toBe("n3");
});

test("who stands goes on when somebody else stands in the same term", () => {
	const lone = createLoneCore();
	lone.hear("n2", 1, { type: "timeout-now" });
	lone.durable();
	expect(askForVote(lone, "n3", 2, { index: 9, term: 1 })).toMatchObject([{ to: "n3", granted: false }]);
	expect(lone.core.view).toMatchObject({ role: "candidate", votedFor: "n1" });
	lone.hear("n2", 2, { type: "vote-response", granted: true });
	expect(lone.core.view.role).toBe("leader");
});

test("a late request for votes of the present term takes no leader away, also when it has been silent", () => {
	const lone = createLoneCore();
	lone.hear("n2", 2, append);
	lone.now = later;
	expect(askForVote(lone, "n3", 2, nowhere)).toEqual([]);
	expect(lone.core.view).toMatchObject({ term: 2, votedFor: "n3", leader: "n2" });
});

/** n0 ranks below, so that n1 answers it where it answers at all; n5 learns. */
function electing(): LoneCore {
	const voters = initialConfiguration(["n0", "n1", "n2"].map((id) => ({ id, peer: `${id}:1` })));
	const value = {
		...voters,
		members: [...voters.members, { id: "a5", peer: "a5:1" }],
		learners: ["a5"],
	};
	const settings = { ...defaultConsensusSettings, elector: "bully" as const };
	return createLoneCore({ settings, configuration: { index: 0, value } });
}

function hearStanding(lone: LoneCore, from: NodeId, elector: ElectorName = "bully") {
	const hint: ElectorHint = { word: "standing", candidate: from, last: nowhere, round: 0 };
	const outputs = lone.hear(from, lone.core.view.term, { type: "elector-message", elector, hint });
	return messagesIn(outputs).map(({ type, to }) => `${type} to ${to}`);
}

test("an elector hears voters that have the same elector, and nobody else", () => {
	const lone = electing();
	lone.now = later;
	expect(hearStanding(lone, "n0", "zab")).toEqual([]);
	expect(hearStanding(lone, "a5")).toEqual([]);
	expect(hearStanding(lone, "a9")).toEqual([]);
	expect(hearStanding(lone, "n0")).toEqual(["elector-message to n0", "elector-message to n2"]);
});

test("who leads takes no part in what electors say", () => {
	const lone = electing();
	elect(lone);
	expect(lone.core.view.role).toBe("leader");
	lone.now += later;
	expect(hearStanding(lone, "n0")).toEqual([]);
});
