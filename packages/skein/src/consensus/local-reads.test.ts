/** Read leases, a decision at a time: who is lent one and for how long, when it ends, and what is held back for it. */
import { expect, test } from "vitest";
import {
	acknowledgeableIndex,
	endsReads,
	isAnythingLent,
	lendReads,
	lentUntil,
	longest,
	noteReadsEnded,
	showableIndex,
	shownCommitIndex,
	tailOf,
} from "./local-reads.ts";
import { leaderLeaseMs } from "./settings.ts";
import type { Leading } from "./testing/member-state.ts";
import {
	configurationFor,
	establishedLeader,
	leaseOf,
	progressOf,
	settings,
	startedAt,
} from "./testing/member-state.ts";
import type { NodeId } from "./types.ts";

const leaseMs = leaderLeaseMs(settings);
const never = Number.NEGATIVE_INFINITY;

/** n1 leads, the others follow in a chain, and all have everything. */
function world(): Leading {
	const { state, leader } = establishedLeader({ configuration: configurationFor(["n1", "n2", "n3", "n4"]) });
	leader.chain.order = ["n2", "n3", "n4"];
	leader.leases.confirmedRound = leader.leaseFromRound;
	for (const id of leader.chain.order) leaseOf(leader, id).appliedIndex = state.commitIndex;
	return { state, leader };
}

const report = (at = startedAt) => ({ at, round: 1 });

test("what passes on our clock while so many milliseconds truly pass", () => {
	expect(longest(world().state, 1_000)).toBe(1_250);
});

test("a lease lasts as long as the leader's own, less what its holder lacks for; the last of the chain gets that of the tail", () => {
	const { state, leader } = world();
	expect(leaseMs).toBe(280);
	const index = leader.leases.shownIndex;
	expect(lendReads(state, leader, "n3", report())).toEqual({ durationMs: 280, index, tail: false });
	expect([leaseOf(leader, "n3").readsUntil, leader.leases.tail]).toEqual([startedAt + 350, null]);
	expect(lendReads(state, leader, "n4", report())).toEqual({ durationMs: 280, index, tail: true });
	expect(leader.leases.tail).toEqual({ node: "n4", until: startedAt + 350 });
	// It lacks the last entry, committed when this began.
	leaseOf(leader, "n2").appliedIndex = state.commitIndex - 1;
	leaseOf(leader, "n2").readsEndIn = 1;
	state.now = startedAt + 80;
	expect(lendReads(state, leader, "n2", report())).toEqual({ durationMs: 200, index, tail: false });
	expect(leaseOf(leader, "n2")).toMatchObject({ readsUntil: startedAt + 250, readsEndIn: null });
	state.now = startedAt + 279;
	expect(lendReads(state, leader, "n2", report())?.durationMs).toBe(1);
	state.now = startedAt + 280;
	expect(lendReads(state, leader, "n2", report())).toBe(null);
	state.now = startedAt + 281;
	expect(lendReads(state, leader, "n2", report())).toBe(null);
	// What it was lent before counts.
	expect(leaseOf(leader, "n2").readsUntil).toBe(startedAt + 250);
});

test("nobody else gets the lease of the tail while that lasts, and it is never taken for shorter than it was", () => {
	const { state, leader } = world();
	lendReads(state, leader, "n4", report());
	const before = leader.leases.tail;
	// A later one that is shorter: it lacks something.
	leaseOf(leader, "n4").appliedIndex = state.commitIndex - 1;
	state.now = startedAt + 100;
	expect(lendReads(state, leader, "n4", report())).toMatchObject({ durationMs: 180, tail: true });
	expect(leader.leases.tail).toEqual(before);
	leader.chain.order = ["n4", "n2", "n3"];
	state.now = startedAt + 350;
	expect(lendReads(state, leader, "n3", report(state.now))?.tail).toBe(false);
	state.now = startedAt + 351;
	expect(lendReads(state, leader, "n3", report(state.now))?.tail).toBe(true);
	expect(leader.leases.tail).toEqual({ node: "n3", until: startedAt + 701 });
});

test("nothing is lent without a lease of the leader's own, nor by one in a hurry, nor to who stands in no chain", () => {
	const refuses = (arrange: (world: Leading) => void, to: NodeId = "n2"): boolean => {
		const { state, leader } = world();
		arrange({ state, leader });
		return lendReads(state, leader, to, report()) === null;
	};
	expect(refuses(() => {})).toBe(false);
	expect(refuses(() => {}, "n9")).toBe(true);
	expect(refuses(({ leader }) => (leader.chain.order = ["n3"]))).toBe(true);
	expect(refuses(({ leader }) => (leader.established = false))).toBe(true);
	expect(refuses(({ leader }) => (leader.leaseForfeited = true))).toBe(true);
	expect(refuses(({ leader }) => (leader.leases.confirmedRound = leader.leaseFromRound - 1))).toBe(true);
	expect(refuses(({ state }) => (state.transfer = { to: "n2", deadline: startedAt + 9 }))).toBe(true);
	expect(refuses(({ leader }) => (leader.chain.lendsFrom = startedAt + 1))).toBe(true);
	expect(refuses(({ leader }) => (leader.chain.lendsFrom = startedAt))).toBe(false);
	const { state, leader } = establishedLeader({ settings: { leaderLease: false } });
	leader.chain.order = ["n2"];
	leader.leases.confirmedRound = leader.leaseFromRound;
	expect(lendReads(state, leader, "n2", report())).toBe(null);
});

test("something is lent up to the last moment of the last lease", () => {
	const { state, leader } = world();
	expect([lentUntil(leader), isAnythingLent(state, leader), tailOf(state, leader)]).toEqual([
		never,
		false,
		null,
	]);
	leaseOf(leader, "n2").readsUntil = startedAt + 5;
	expect(lentUntil(leader)).toBe(startedAt + 5);
	leader.leases.tail = { node: "n4", until: startedAt + 9 };
	expect(lentUntil(leader)).toBe(startedAt + 9);
	state.now = startedAt + 9;
	expect([isAnythingLent(state, leader), tailOf(state, leader)]).toEqual([true, "n4"]);
	state.now += 1;
	expect([isAnythingLent(state, leader), tailOf(state, leader)]).toEqual([false, null]);
});

test("nothing is shown before all who read by themselves have it, and the tail alone may show what it has applied first", () => {
	const { state, leader } = world();
	state.commitIndex = 8;
	leader.leases.shownIndex = 0;
	const shown = () => [
		acknowledgeableIndex(state, leader),
		showableIndex(state, leader),
		shownCommitIndex(state, leader, null),
		shownCommitIndex(state, leader, "n4"),
	];
	const infinity = Number.POSITIVE_INFINITY;
	expect(shown()).toEqual([infinity, 8, 8, 8]);
	progressOf(leader, "n2").matchIndex = 6;
	leaseOf(leader, "n2").readsUntil = startedAt + 5;
	expect(shown()).toEqual([6, 6, 6, 6]);
	leaseOf(leader, "n4").appliedIndex = 5;
	leader.leases.tail = { node: "n4", until: startedAt + 9 };
	expect(shown()).toEqual([5, 5, 5, 6]);
	state.now = startedAt + 5;
	expect(shown()).toEqual([5, 5, 5, 6]);
	state.now = startedAt + 6;
	expect(shown()).toEqual([5, 5, 5, 8]);
	state.now = startedAt + 9;
	expect(shown()).toEqual([5, 5, 5, 8]);
	state.now = startedAt + 10;
	expect(shown()).toEqual([infinity, 8, 8, 8]);
	expect(leader.leases.shownIndex).toBe(8);
	// Whose progress is forgotten has nothing for sure.
	leaseOf(leader, "n3").readsUntil = state.now;
	leader.progress.delete("n3");
	expect(showableIndex(state, leader)).toBe(0);
});

test("who reads by itself is told to give that up by a leader in a hurry, or once it is removed, and then until its answer", () => {
	const told = (arrange: (world: Leading) => void): boolean => {
		const { state, leader } = world();
		leaseOf(leader, "n2").readsUntil = state.now;
		arrange({ state, leader });
		return endsReads(state, leader, "n2");
	};
	const transfer = { to: "n3", deadline: startedAt + 9 };
	expect(told(() => {})).toBe(false);
	expect(told(({ state }) => (state.transfer = transfer))).toBe(true);
	expect(told(({ leader }) => (leader.chain.lendsFrom = startedAt + 1))).toBe(true);
	expect(told(({ leader }) => (leader.chain.lendsFrom = startedAt))).toBe(false);
	const without = { index: 5, value: configurationFor(["n1", "n3", "n4"]) };
	expect(told(({ state }) => state.configurations.push(without))).toBe(true);
	// It has none any more.
	expect(
		told(({ state, leader }) => {
			state.transfer = transfer;
			leaseOf(leader, "n2").readsUntil = startedAt - 1;
		}),
	).toBe(false);
	const { state, leader } = world();
	expect(endsReads(state, leader, "n9")).toBe(false);
	leaseOf(leader, "n2").readsUntil = state.now;
	[state.transfer, leader.round] = [transfer, 5];
	endsReads(state, leader, "n2");
	[state.transfer, leader.round] = [null, 6];
	expect([endsReads(state, leader, "n2"), leaseOf(leader, "n2").readsEndIn]).toEqual([true, 5]);
});

test("its answer to that round, or a later one, ends its lease, and that of the tail if it was that", () => {
	const { leader } = world();
	const tail = { node: "n4", until: startedAt + 9 };
	leader.leases.tail = tail;
	for (const id of ["n2", "n3", "n4"]) leaseOf(leader, id).readsUntil = startedAt + 9;
	for (const id of ["n2", "n4"]) leaseOf(leader, id).readsEndIn = 5;
	// One that was told nothing, one whose answer is older, and one that has no lease at all.
	noteReadsEnded(leader, "n3", 5);
	noteReadsEnded(leader, "n2", 4);
	noteReadsEnded(leader, "n9", 5);
	const until = () => ["n2", "n3", "n4"].map((id) => leaseOf(leader, id).readsUntil - startedAt);
	expect(until()).toEqual([9, 9, 9]);
	noteReadsEnded(leader, "n2", 5);
	expect([until(), leader.leases.tail, leaseOf(leader, "n2").readsEndIn]).toEqual([
		[never, 9, 9],
		tail,
		null,
	]);
	noteReadsEnded(leader, "n4", 6);
	expect([until(), leader.leases.tail]).toEqual([[never, 9, never], null]);
});
