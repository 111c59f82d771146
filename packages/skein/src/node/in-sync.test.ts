/** A member's own knowledge of its lease: from when it counts, and when it is over, by two clocks. */
import { expect, test } from "vitest";
import { defaultConsensusSettings } from "../consensus/settings.ts";
import { maxClockDrift } from "../world/clock.ts";
import { createAppliedIndex } from "./applied-index.ts";
import { createFreshness } from "./freshness.ts";
import { createInSync } from "./in-sync.ts";

function begin() {
	const time = { monotonic: 0, wall: 1_000_000 };
	const state = { term: 5, applied: 10 };
	const clock = {
		now: () => time.monotonic,
		wallTime: () => time.wall,
		setTimer: () => ({ cancel() {} }),
	};
	const applied = createAppliedIndex({ term: 5, index: 10 });
	const inSync = createInSync({
		freshness: createFreshness({ clock, applied }),
		term: () => state.term,
		appliedIndex: () => state.applied,
	});
	const pass = (ms: number): void => {
		time.monotonic += ms;
		time.wall += ms;
	};
	const asked = (round: number, term = 5) => inSync.onLeaseAsked({ type: "lease-asked", term, round });
	const leased = (round: number, index = 10, term = 5, durationMs = 1_000) =>
		inSync.onLeased({ type: "leased", term, round, durationMs, index, reads: null });
	return { time, state, inSync, pass, asked, leased };
}

test("a lease counts from the moment in which it was asked for, not from its arrival", () => {
	const { inSync, pass, asked, leased } = begin();
	expect(inSync.holds()).toBe(false);
	asked(1);
	pass(600);
	leased(1);
	expect(inSync.holds()).toBe(true);
	// A clock that is slow by as much as a clock may be.
	pass(1_000 * (1 - maxClockDrift) - 600 - 2);
	expect(inSync.holds()).toBe(true);
	pass(4);
	expect(inSync.holds()).toBe(false);
});

test("a copy of a round that was answered before begins nothing anew", () => {
	const { inSync, pass, asked, leased } = begin();
	asked(1);
	pass(600);
	asked(1);
	leased(1);
	pass(500);
	expect(inSync.holds()).toBe(false);
	asked(2);
	asked(1);
	leased(1);
	expect(inSync.holds()).toBe(false);
	leased(2);
	expect(inSync.holds()).toBe(true);
	// The older one comes late.
	leased(1);
	expect(inSync.holds()).toBe(true);
});

test("it needs what the lease says, and the term that it is of", () => {
	const { inSync, state, asked, leased } = begin();
	asked(1);
	leased(1, 12);
	expect(inSync.holds()).toBe(false);
	state.applied = 12;
	expect(inSync.holds()).toBe(true);
	state.term = 6;
	expect(inSync.holds()).toBe(false);
	// Rounds begin anew: this one was asked in the term before.
	leased(1, 12, 6);
	expect(inSync.holds()).toBe(false);
});

test("a machine that was suspended does not trust its clock", () => {
	const { inSync, time, asked, leased } = begin();
	asked(1);
	leased(1);
	time.wall += 60_000;
	expect(inSync.holds()).toBe(false);
});

test("what is remembered is bounded", () => {
	const { inSync, asked, leased } = begin();
	for (let round = 1; round <= 1_000; round++) asked(round);
	leased(1);
	expect(inSync.holds()).toBe(false);
	leased(998);
	expect(inSync.holds()).toBe(true);
});

test("both ends of a lease take the same clocks for possible", () => {
	expect(defaultConsensusSettings.maxClockDrift).toBe(maxClockDrift);
});
