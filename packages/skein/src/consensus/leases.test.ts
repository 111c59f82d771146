/** In-sync leases, a decision at a time: who may hold one, who gets one and for how long, and who is forgotten. */
import { expect, test } from "vitest";
import type { Lease } from "./lease.ts";
import {
	believeApplied,
	confirmLeases,
	createLeases,
	forgetEndedLeases,
	grantLease,
	mayHold,
	onLeaseAsked,
} from "./leases.ts";
import {
	configurationFor,
	establishedLeader,
	leaseOf,
	memberState,
	newLeader,
	progressOf,
	settings,
	startedAt,
	takeOutputs,
} from "./testing/member-state.ts";

const { syncLeaseMs } = settings;
/** By whatever clocks. */
const longestLeaseMs = syncLeaseMs * (1 + settings.maxClockDrift);

const ended: Lease = {
	round: 3,
	appliedIndex: 1,
	endsAt: startedAt - 1,
	pending: null,
	ready: null,
	readsUntil: startedAt - 1,
	readsEndIn: null,
};

test("a new leader waits for all who may hold a lease of an earlier one: members with data, and whoever was removed lately", () => {
	const configuration = { ...configurationFor(["n1", "n2", "n3", "w4"]), retired: ["n8", "n9"] };
	const state = memberState({ configuration });
	state.removalSeenAt = startedAt - longestLeaseMs;
	const endsAt = [...createLeases(state).members].map(([id, lease]) => [id, lease.endsAt]);
	expect(endsAt).toEqual([
		["n8", startedAt],
		["n9", startedAt],
		["n2", startedAt + longestLeaseMs],
		["n3", startedAt + longestLeaseMs],
	]);
	state.removalSeenAt -= 1;
	expect([...createLeases(state).members.keys()]).toEqual(["n2", "n3"]);
});

test("all that earlier leaders showed is below the barrier", () => {
	const { leader } = newLeader();
	expect([leader.barrierIndex, leader.leases.shownIndex]).toEqual([4, 4]);
});

test("a lease may be held up to its last moment", () => {
	const state = memberState();
	expect(mayHold(state, { ...ended, endsAt: state.now })).toBe(true);
	expect(mayHold(state, { ...ended, endsAt: state.now - 1 })).toBe(false);
});

test("who is no member and holds nothing any more is forgotten, and only who is", () => {
	const { state, leader } = establishedLeader();
	const { members } = leader.leases;
	const isForgotten = (lease: Partial<Lease>): boolean => {
		members.set("n9", { ...ended, ...lease });
		forgetEndedLeases(state, leader);
		return !members.delete("n9");
	};
	Object.assign(leaseOf(leader, "n2"), ended);
	expect(isForgotten({})).toBe(true);
	expect(isForgotten({ endsAt: state.now })).toBe(false);
	expect(isForgotten({ readsUntil: state.now })).toBe(false);
	// It departs.
	leader.progress.set("n9", { ...progressOf(leader, "n2") });
	expect(isForgotten({})).toBe(false);
	expect([...members.keys()]).toEqual(["n2", "n3"]);
});

test("what a member says that it has applied: of a later round whatever it is, of the same one the most, of an older one nothing", () => {
	const { state, leader } = establishedLeader();
	const lease = leaseOf(leader, "n2");
	const says = (round: number, applied: number): [boolean, number] => [
		believeApplied(state, leader, "n2", round, applied),
		lease.appliedIndex,
	];
	const before = lease.endsAt;
	// A word of an older term: it may hold on to what an earlier leader gave it.
	expect([says(0, 9), lease.endsAt]).toEqual([[false, 0], before]);
	expect([says(2, 3), lease.endsAt]).toEqual([[true, 3], Number.NEGATIVE_INFINITY]);
	expect(says(2, 2)).toEqual([true, 3]);
	expect(says(2, 4)).toEqual([true, 4]);
	expect(says(1, 9)).toEqual([false, 4]);
	expect(says(3, 1)).toEqual([true, 1]);
	expect(lease.round).toBe(3);
});

test("a lease is shorter by the age of what its holder lacks, down to none", () => {
	const { state, leader } = establishedLeader();
	const lease = leaseOf(leader, "n2");
	const asked = (lacksForMs: number) => {
		lease.pending = null;
		state.now = startedAt + lacksForMs;
		onLeaseAsked(state, leader, "n2", 1, 3);
		return lease.pending;
	};
	leader.round = 7;
	expect(asked(300)).toEqual({
		round: 1,
		at: startedAt + 300,
		durationMs: syncLeaseMs - 300,
		confirmedBy: 8,
	});
	expect(asked(syncLeaseMs - 1)).toMatchObject({ durationMs: 1 });
	expect(asked(syncLeaseMs)).toBe(null);
	// It has all that is committed.
	onLeaseAsked(state, leader, "n3", 1, 4);
	expect(leaseOf(leader, "n3").pending).toMatchObject({ durationMs: syncLeaseMs });
});

test("a leader has a lease of its own from each round that a quorum confirms, but none while it removes itself", () => {
	const { state, leader } = establishedLeader();
	const confirmed = (round: number) => {
		leader.round = round;
		for (const id of ["n2", "n3"]) progressOf(leader, id).confirmedRound = round;
		confirmLeases(state, leader);
		return takeOutputs(state);
	};
	expect(confirmed(2)).toEqual([
		{ type: "leased", term: 2, round: 2, durationMs: syncLeaseMs, index: leader.barrierIndex, reads: null },
	]);
	expect(confirmed(2)).toEqual([]);
	// In the log, and not committed.
	state.configurations.push({ index: 5, value: configurationFor(["n2", "n3"]) });
	const lease = leaseOf(leader, "n2");
	lease.pending = { round: 1, at: state.now, durationMs: 5, confirmedBy: 3 };
	expect(confirmed(3)).toEqual([]);
	expect([leader.leases.confirmedRound, lease.pending, lease.ready?.round]).toEqual([3, null, 1]);
});

test("what was confirmed for a member is granted once, and not if it is being removed by now", () => {
	const { state, leader } = establishedLeader();
	const ready = { round: 2, at: startedAt, durationMs: 400, confirmedBy: 3 };
	for (const id of ["n2", "n3"]) Object.assign(leaseOf(leader, id), { ready, endsAt: startedAt - 1 });
	state.now += 10;
	expect(grantLease(state, leader, "n2")).toEqual({ round: 2, durationMs: 400, index: 4, reads: null });
	expect(leaseOf(leader, "n2").endsAt).toBe(startedAt + 500);
	expect(grantLease(state, leader, "n2")).toBe(null);
	state.configurations.push({ index: 5, value: configurationFor(["n1", "n2"]) });
	expect(grantLease(state, leader, "n3")).toBe(null);
	expect(leaseOf(leader, "n3").endsAt).toBe(startedAt - 1);
	expect(grantLease(state, leader, "n9")).toBe(null);
});
