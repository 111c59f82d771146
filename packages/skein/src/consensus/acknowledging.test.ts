/** Who waits for an acknowledgement on one leader: for whom it counts, when it comes, and when nobody waits any more. */
import { expect, test } from "vitest";
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import { initialConfiguration } from "./configuration.ts";
import type { Output } from "./output.ts";
import { defaultConsensusSettings } from "./settings.ts";
import type { LoneOptions } from "./testing/lone-core.ts";
import { createLoneCore, elect, follow, type LoneCore, messagesIn, three } from "./testing/lone-core.ts";
import type { LogIndex, NodeId } from "./types.ts";

const { heartbeatIntervalMs } = defaultConsensusSettings;
const sync: Acknowledgement = { mode: "sync", strict: false };

/** n1 leads, and n2 helped it to commit its barrier. */
function leading(options: LoneOptions = {}): LoneCore {
	const lone = createLoneCore(options);
	elect(lone);
	follow(lone);
	expect(lone.core.view).toMatchObject({ established: true, commitIndex: 1, lastIndex: 1 });
	return lone;
}

/** Not on the leader's disk yet. */
function propose(lone: LoneCore, acknowledgement: Acknowledgement | null): void {
	const entries = [{ kind: "command" as const, payload: new Uint8Array(1) }];
	lone.step({ type: "propose", entries, acknowledgement });
}

function match(lone: LoneCore, from: NodeId, matchIndex: LogIndex): Output[] {
	const { term } = lone.core.view;
	return lone.hear(from, term, { type: "append-response", result: { accepted: true, matchIndex } });
}

/** These answer the next round, and have applied this; what comes of that. */
function beat(lone: LoneCore, nodes: readonly NodeId[], appliedIndex: LogIndex): Output[] {
	lone.now += heartbeatIntervalMs;
	const sent = messagesIn(lone.tick()).filter((one) => one.type === "heartbeat-request");
	const round = sent[0]?.round ?? 0;
	const { lastIndex, term } = lone.core.view;
	return nodes.flatMap((from) =>
		lone.hear(from, term, { type: "heartbeat-response", round, lastIndex, appliedIndex }),
	);
}

const acknowledged = (outputs: readonly Output[]) => outputs.filter(({ type }) => type === "acknowledged");

const modes: Readonly<Record<string, Acknowledgement>> = {
	async: { mode: "async" },
	one: { mode: "semi-sync", followers: 1 },
	two: { mode: "semi-sync", followers: 2 },
	quorum: { mode: "quorum" },
	sync,
	strict: { mode: "sync", strict: true },
	chain: { mode: "chain" },
};

test.each([
	["async", []],
	["one", ["one", "two"]],
	["two", ["two"]],
	["quorum", []],
	["sync", ["sync", "strict"]],
	["strict", ["strict"]],
	["chain", ["chain"]],
])("what waits in mode %s holds up those that ask for the same or for more: %s", (name, expected) => {
	const lone = leading();
	propose(lone, modes[name] ?? null);
	const heldUp = Object.entries(modes).filter(([, mode]) => lone.core.view.unacknowledgedBy(mode) > 0);
	expect(heldUp.map(([one]) => one)).toEqual(expected);
});

test("nobody waits any more: of this waiter, index and term, and of no other", () => {
	const lone = leading();
	const { term } = lone.core.view;
	propose(lone, sync);
	for (const index of [1, 2])
		lone.step({ type: "await-acknowledgement", index, acknowledgement: sync, waiter: 7 });
	const waiting = () => lone.core.view.unacknowledgedBy(sync);
	expect(waiting()).toBe(3);
	lone.step({ type: "forget-acknowledgement", term: term - 1, index: 2, waiter: 7 });
	expect(waiting()).toBe(3);
	for (let each = 0; each < 2; each++)
		lone.step({ type: "forget-acknowledgement", term, index: 2, waiter: 7 });
	expect(waiting()).toBe(2);
	lone.durable();
	match(lone, "n2", 2);
	lone.step({ type: "applied", index: 2 });
	expect(acknowledged(beat(lone, ["n2", "n3"], 2))).toEqual([
		{ type: "acknowledged", index: 2, waiter: null },
		{ type: "acknowledged", index: 1, waiter: 7 },
	]);
	// Whoever leads no more has forgotten all of it.
	lone.step({ type: "step-down" });
	expect(lone.step({ type: "forget-acknowledgement", term, index: 2, waiter: null })).toEqual([]);
});

test("in-sync are those that applied what was acknowledged for that reason: other modes do not raise it", () => {
	const lone = leading();
	const leased = (outputs: readonly Output[]) =>
		outputs.flatMap((output) => (output.type === "leased" ? [output.index] : []));
	propose(lone, { mode: "quorum" });
	lone.durable();
	expect(acknowledged(match(lone, "n2", 2))).toHaveLength(1);
	expect(leased(beat(lone, ["n2"], 2))).toEqual([1]);
	propose(lone, sync);
	lone.durable();
	match(lone, "n2", 3);
	lone.step({ type: "applied", index: 3 });
	expect(acknowledged(beat(lone, ["n2", "n3"], 3))).toHaveLength(1);
	expect(leased(beat(lone, ["n2"], 3))).toEqual([3]);
});

test("while voters change, semi-sync asks for followers among the new ones and among the old ones", () => {
	const lone = leading();
	const changes = [
		{ change: "add", id: "n4", peer: "n4:1", as: "voter" },
		{ change: "remove", id: "n3" },
	] as const;
	lone.step({ type: "change-members", changes, force: true, dryRun: false });
	const { voters, outgoingVoters } = lone.core.view.configuration;
	expect([voters, outgoingVoters]).toEqual([
		["n1", "n2", "n4"],
		["n1", "n2", "n3"],
	]);
	propose(lone, { mode: "semi-sync", followers: 1 });
	lone.durable();
	expect(acknowledged(match(lone, "n4", 3))).toEqual([]);
	expect(acknowledged(match(lone, "n3", 3))).toEqual([{ type: "acknowledged", index: 3, waiter: null }]);
});

test("a witness has no data: it helps to commit, and is no follower of semi-sync", () => {
	const members = three.members.map((one) => (one.id === "n3" ? { ...one, witness: true as const } : one));
	const lone = leading({ configuration: { index: 0, value: { ...three, members } } });
	propose(lone, { mode: "semi-sync", followers: 1 });
	lone.durable();
	expect(acknowledged(match(lone, "n3", 2))).toEqual([]);
	expect(lone.core.view.commitIndex).toBe(2);
	expect(acknowledged(match(lone, "n2", 2))).toEqual([{ type: "acknowledged", index: 2, waiter: null }]);
});

test("a leader that nobody follows in the chain is its own tail", () => {
	const value = initialConfiguration([{ id: "n1", peer: "n1:1" }]);
	const lone = createLoneCore({ configuration: { index: 0, value } });
	elect(lone);
	propose(lone, { mode: "chain" });
	expect(acknowledged(lone.durable())).toEqual([]);
	expect(lone.core.view.commitIndex).toBe(2);
	const applied = lone.step({ type: "applied", index: 2 });
	expect(acknowledged(applied)).toEqual([{ type: "acknowledged", index: 2, waiter: null }]);
});
