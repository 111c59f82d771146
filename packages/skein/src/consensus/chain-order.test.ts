/** The chain, a decision at a time: who stands in it, what is sent along it, and when a link counts as broken. */
import { expect, test } from "vitest";
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import {
	noteMode,
	onRefusedInChain,
	orderMembers,
	sendAlongChain,
	sendCommitIndexAlongChain,
} from "./relaying.ts";
import { appendOwn } from "./replication.ts";
import type { ConsensusSettings } from "./settings.ts";
import type { Leading } from "./testing/member-state.ts";
import {
	configurationFor,
	establishedLeader,
	progressOf,
	startedAt,
	takeOutputs,
} from "./testing/member-state.ts";

const ids = ["n2", "n3", "n4"];
const termOfBarrier = 2;
/** Of an entry with 68 bytes, and of an empty one. */
const [entryBytes, barrierBytes] = [100, 32];

/** n1 leads, and all have everything, up to the barrier at 4. */
function world(settings: Partial<ConsensusSettings> = {}): Leading {
	const { state, leader } = establishedLeader({
		configuration: configurationFor(["n1", ...ids]),
		settings: { chain: true, ...settings },
	});
	leader.chain.order = ids;
	return { state, leader };
}

function append({ state }: Leading, count: number): void {
	appendOwn(
		state,
		Array.from({ length: count }, () => ({ kind: "command" as const, payload: new Uint8Array(68) })),
	);
	takeOutputs(state);
}

test("a write that does not want to wait for those who read by themselves stops the lending for a second", () => {
	const lendsFromAfter = (acknowledgement: Acknowledgement): number => {
		const { state, leader } = world();
		noteMode(state, leader, acknowledgement);
		return leader.chain.lendsFrom;
	};
	expect(lendsFromAfter({ mode: "async" })).toBe(startedAt + 1_000);
	expect(lendsFromAfter({ mode: "semi-sync", followers: 1 })).toBe(startedAt + 1_000);
	expect(lendsFromAfter({ mode: "quorum" })).toBe(startedAt + 1_000);
	expect(lendsFromAfter({ mode: "sync", strict: false })).toBe(Number.NEGATIVE_INFINITY);
	expect(lendsFromAfter({ mode: "chain" })).toBe(Number.NEGATIVE_INFINITY);
});

test("who is a member no more, or is being probed, leaves the order", () => {
	const { state, leader } = world();
	progressOf(leader, "n4").mode = "probing";
	state.configurations.push({ index: 5, value: configurationFor(["n1", "n2", "n4"]) });
	orderMembers(state, leader);
	expect(leader.chain.order).toEqual(["n2"]);
});

test("who has been sent all there is joins the order, and nobody else", () => {
	const { state, leader } = world();
	leader.chain.order = [];
	// n2 was sent it, and what it has is not known; the last entry is on its way to nobody yet.
	progressOf(leader, "n2").mode = "probing";
	progressOf(leader, "n3").nextIndex = state.log.last.index;
	orderMembers(state, leader);
	expect(leader.chain.order).toEqual(["n4"]);
	progressOf(leader, "n2").mode = "replicating";
	progressOf(leader, "n3").nextIndex = state.log.last.index + 1;
	orderMembers(state, leader);
	expect(leader.chain.order).toEqual(["n4", "n2", "n3"]);
});

test("entries go along the chain as far as the window of the slowest allows", () => {
	const maxInFlightBytes = entryBytes + barrierBytes;
	const all = world({ maxInFlightBytes, maxAppendBytes: entryBytes });
	const { state, leader } = all;
	append(all, 3);
	const slow = progressOf(leader, "n3");
	slow.matchIndex = 2;
	sendAlongChain(state, leader);
	expect(takeOutputs(state)).toEqual([]);
	slow.matchIndex = 3;
	sendAlongChain(state, leader);
	expect(takeOutputs(state)).toEqual([
		{
			type: "send-entries",
			to: "n2",
			term: termOfBarrier,
			previous: { index: 4, term: termOfBarrier },
			firstIndex: 5,
			lastIndex: 5,
			commitIndex: 4,
			route: ["n3", "n4"],
			withoutPayloads: false,
		},
	]);
	expect(ids.map((id) => progressOf(leader, id).nextIndex)).toEqual([6, 6, 6]);
});

test("who was sent something else than the first, or is being probed, or is not known, has no place in the chain", () => {
	const all = world();
	const { state, leader } = all;
	leader.chain.order = [...ids, "n9"];
	append(all, 1);
	progressOf(leader, "n3").mode = "probing";
	progressOf(leader, "n4").nextIndex = 4;
	sendAlongChain(state, leader);
	expect(takeOutputs(state)).toMatchObject([{ type: "send-entries", to: "n2", route: [] }]);
	expect(leader.chain.order).toEqual(["n2"]);
});

test("the commit index goes along the chain while somebody has not been told, and no entry is there to carry it", () => {
	const all = world();
	const { state, leader } = all;
	const told = (...indexes: readonly number[]): void =>
		ids.forEach((id, place) => {
			progressOf(leader, id).sentCommitIndex = indexes[place] ?? 0;
		});
	told(4, 4, 4);
	sendCommitIndexAlongChain(state, leader);
	expect(takeOutputs(state)).toEqual([]);
	told(4, 3, 4);
	sendCommitIndexAlongChain(state, leader);
	expect(takeOutputs(state)).toMatchObject([
		{
			type: "send",
			message: { type: "chain-append", to: "n2", entries: [], commitIndex: 4, route: ["n3", "n4"] },
		},
	]);
	expect(ids.map((id) => progressOf(leader, id).sentCommitIndex)).toEqual([4, 4, 4]);
	append(all, 1);
	told(3, 3, 3);
	sendCommitIndexAlongChain(state, leader);
	expect(takeOutputs(state)).toEqual([]);
});

test("a link counts as broken if the one before had what was refused behind it, and not if that had not come so far itself", () => {
	const { state, leader } = world();
	const result = { accepted: false, previousIndex: 5, hint: { index: 4, term: termOfBarrier } } as const;
	onRefusedInChain(state, leader, "n3", result);
	expect([leader.chain.order, leader.chain.broken.size]).toEqual([["n2", "n4"], 0]);
	progressOf(leader, "n2").matchIndex = 5;
	onRefusedInChain(state, leader, "n4", result);
	expect([leader.chain.order, [...leader.chain.broken.keys()]]).toEqual([["n2"], ["n2 n4"]]);
	// Before the first there is the leader, and no link of the chain.
	onRefusedInChain(state, leader, "n2", { ...result, previousIndex: 0 });
	expect([leader.chain.order, leader.chain.broken.size]).toEqual([[], 1]);
});
