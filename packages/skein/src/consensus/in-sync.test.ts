/** Who is asked to apply at once, when and how often; and what a member makes of it that is asked. */
import { expect, test } from "vitest";
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import type { Output } from "./output.ts";
import { defaultConsensusSettings } from "./settings.ts";
import type { LoneOptions } from "./testing/lone-core.ts";
import {
	createLoneCore,
	elect,
	entriesOf,
	follow,
	type LoneCore,
	messagesIn,
	three,
} from "./testing/lone-core.ts";
import type { LogIndex, NodeId } from "./types.ts";

const { diskStallMs, heartbeatIntervalMs } = defaultConsensusSettings;
const sync: Acknowledgement = { mode: "sync", strict: false };
const strict: Acknowledgement = { mode: "sync", strict: true };
const chained = { ...defaultConsensusSettings, chain: true };
/** Nobody reads by itself. */
const unlent = { ...chained, leaderLease: false };

/** n1 leads, the others have its barrier; each of them may hold a lease of an earlier leader. */
function leading(options: LoneOptions = {}): LoneCore {
	const lone = createLoneCore(options);
	elect(lone);
	follow(lone, "n2");
	follow(lone, "n3");
	expect(lone.core.view).toMatchObject({ established: true, commitIndex: 1, lastIndex: 1 });
	return lone;
}

/** On the leader's disk. */
function propose(lone: LoneCore, acknowledgement: Acknowledgement | null): void {
	const entries = [{ kind: "command" as const, payload: new Uint8Array(1) }];
	lone.step({ type: "propose", entries, acknowledgement });
	lone.durable();
}

function match(lone: LoneCore, from: NodeId, matchIndex: LogIndex): Output[] {
	const { term } = lone.core.view;
	return lone.hear(from, term, { type: "append-response", result: { accepted: true, matchIndex } });
}

const wait = (lone: LoneCore, index: LogIndex, acknowledgement: Acknowledgement, waiter = 1): Output[] =>
	lone.step({ type: "await-acknowledgement", index, acknowledgement, waiter });

/** The round that these have answered, and have applied this. */
function beat(lone: LoneCore, nodes: readonly NodeId[], appliedIndex: LogIndex): number {
	lone.now += heartbeatIntervalMs;
	const sent = messagesIn(lone.tick()).find((one) => one.type === "heartbeat-request");
	const round = sent?.round ?? 0;
	const { lastIndex, term } = lone.core.view;
	for (const from of nodes)
		lone.hear(from, term, { type: "heartbeat-response", round, lastIndex, appliedIndex });
	return round;
}

const asked = (outputs: readonly Output[]): string[] =>
	messagesIn(outputs).flatMap((one) => (one.type === "apply-request" ? [`${one.to} ${one.index}`] : []));

test("all are asked when what is waited for is committed, once; and the next tick tells who has it not yet", () => {
	const lone = leading();
	propose(lone, null);
	propose(lone, sync);
	expect(asked(match(lone, "n2", 2))).toEqual([]);
	expect(lone.core.view.commitIndex).toBe(2);
	expect(asked(match(lone, "n2", 3))).toEqual(["n2 3", "n3 3"]);
	expect(asked(wait(lone, 3, strict))).toEqual([]);
	lone.now += heartbeatIntervalMs / 2;
	// n2 has the entry, so it knows by the question that it is committed.
	expect(messagesIn(lone.tick())).toMatchObject([
		{ type: "append-request", to: "n3", entries: [], commitIndex: 3 },
	]);
});

test("nobody is asked for who waits in another mode", () => {
	const lone = leading();
	propose(lone, { mode: "semi-sync", followers: 2 });
	expect(asked(match(lone, "n2", 2))).toEqual([]);
	expect(lone.core.view.commitIndex).toBe(2);
});

test("who is not in-sync is asked if one of those that wait wants it, and has data", () => {
	const lone = leading();
	beat(lone, ["n2", "n3"], 1);
	propose(lone, sync);
	expect(asked(match(lone, "n2", 2))).toEqual([]);
	expect(asked(wait(lone, 2, strict))).toEqual(["n2 2", "n3 2"]);
	const members = three.members.map((one) => (one.id === "n3" ? { ...one, witness: true as const } : one));
	const other = leading({ configuration: { index: 0, value: { ...three, members } } });
	beat(other, ["n2", "n3"], 1);
	propose(other, strict);
	expect(asked(match(other, "n2", 2))).toEqual(["n2 2"]);
});

test("a leader whose disk hangs asks nobody", () => {
	const lone = leading();
	const entries = [{ kind: "command" as const, payload: new Uint8Array(1) }];
	lone.step({ type: "propose", entries, acknowledgement: null });
	lone.now += diskStallMs + 1;
	expect(asked(wait(lone, 1, sync))).toEqual([]);
	// It works again: with the disk's word or with the next that asks.
	expect(asked([...lone.durable(), ...wait(lone, 1, sync, 2)])).toEqual(["n2 1", "n3 1"]);
});

test("the tail of the chain is asked for who waits in that mode, and is committed", () => {
	const lone = leading({ settings: unlent });
	propose(lone, { mode: "chain" });
	propose(lone, { mode: "chain" });
	expect(lone.core.view.chain).toEqual(["n2", "n3"]);
	expect(asked(match(lone, "n2", 2))).toEqual(["n3 2"]);
	// Its own is not committed yet.
	const early = leading({ settings: unlent });
	propose(early, null);
	propose(early, { mode: "chain" });
	expect(asked(match(early, "n2", 2))).toEqual([]);
	// Committed, and waits for something else.
	const other = leading({ settings: unlent });
	other.tick();
	propose(other, { mode: "semi-sync", followers: 2 });
	expect(asked(match(other, "n2", 2))).toEqual([]);
	for (const { core } of [early, other])
		expect(core.view).toMatchObject({ commitIndex: 2, chain: ["n2", "n3"] });
});

test("a tail that has applied it is not asked, whoever else is waited for", () => {
	const lone = leading({ settings: unlent });
	propose(lone, null);
	match(lone, "n3", 2);
	beat(lone, ["n2", "n3"], 2);
	expect(asked(wait(lone, 2, { mode: "chain" }))).toEqual([]);
	expect(lone.core.view.unacknowledgedBy({ mode: "chain" })).toBe(1);
});

test("a tail that reads by itself is asked in any mode, as soon as all have it who read by themselves", () => {
	const lone = leading({ settings: chained });
	for (let each = 0; each < 4; each++) beat(lone, ["n2", "n3"], 1);
	expect([lone.core.view.isLending, lone.core.view.chain]).toEqual([true, ["n2", "n3"]]);
	propose(lone, null);
	wait(lone, 2, { mode: "quorum" });
	const held = match(lone, "n3", 2);
	expect(lone.core.view.commitIndex).toBe(2);
	expect(held).toEqual([]);
	expect(match(lone, "n2", 2)).toMatchObject([
		{ type: "send", message: { type: "apply-request", to: "n3", index: 2 } },
	]);
	// Nobody ends a read lease for who merely waits for an earlier write.
	lone.now += heartbeatIntervalMs;
	const beats = messagesIn(lone.tick()).filter((one) => one.type === "heartbeat-request");
	expect(beats.map(({ endsReads }) => endsReads)).toEqual([false, false]);
	const body = { type: "applied-response", round: beats[0]?.round ?? 0, appliedIndex: 2 } as const;
	const shown = lone.hear("n3", lone.core.view.term, body);
	expect(shown.filter(({ type }) => type !== "send")).toEqual([
		{ type: "commit", index: 2 },
		{ type: "acknowledged", index: 2, waiter: 1 },
	]);
});

/** Follows n2 in term 2, and has three entries. */
function following(): LoneCore {
	const lone = createLoneCore();
	const previous = { index: 0, term: 0 };
	lone.hear("n2", 2, { type: "append-request", previous, entries: entriesOf(2, 1, 3), commitIndex: 0 });
	lone.durable();
	return lone;
}

const ask = (lone: LoneCore, index: LogIndex): Output[] =>
	lone.hear("n2", 2, { type: "apply-request", index });
const apply = (lone: LoneCore, index: LogIndex): Output[] => lone.step({ type: "applied", index });
const answer = (appliedIndex: LogIndex) => ({ type: "applied-response", to: "n2", appliedIndex });

test("who is asked is in a hurry once for each index, and says with each that it is nearer", () => {
	const lone = following();
	expect(ask(lone, 2)).toEqual([
		{ type: "apply-at-once", index: 2 },
		{ type: "commit", index: 2 },
	]);
	for (const index of [2, 1, 2]) expect(ask(lone, index)).toEqual([]);
	expect(messagesIn(apply(lone, 1))).toMatchObject([answer(1)]);
	expect(apply(lone, 1)).toEqual([]);
	expect(messagesIn(apply(lone, 2))).toMatchObject([answer(2)]);
	// Nobody has asked for more.
	expect(apply(lone, 3)).toEqual([]);
});

test("who has applied what it is asked for says so at once, and never that it has less than before", () => {
	const lone = following();
	ask(lone, 3);
	apply(lone, 3);
	for (const index of [1, 3]) expect(messagesIn(ask(lone, index))).toMatchObject([answer(3)]);
	expect(ask(lone, 3).map(({ type }) => type)).toEqual(["send"]);
	expect(apply(lone, 2)).toEqual([]);
	expect(messagesIn(ask(lone, 3))).toMatchObject([answer(3)]);
});

test("a question that comes before its leader is known is answered to nobody", () => {
	const lone = createLoneCore({ terms: [1], commitIndex: 1 });
	lone.now = 10_000;
	lone.hear("n2", 2, { type: "vote-request", last: { index: 1, term: 1 }, transfer: false });
	expect(messagesIn(lone.durable())).toMatchObject([{ type: "vote-response", to: "n2", granted: true }]);
	expect(lone.core.view.leader).toBe(null);
	expect(ask(lone, 1)).toEqual([]);
});
