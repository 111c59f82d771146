/** Disk work in the order in which it was asked for: what is durable when, and what a late completion may say. */
import { expect, test } from "vitest";
import {
	complete,
	createDiskLedger,
	isDurable,
	isPromisePending,
	isStalled,
	issueAppend,
	issuePromise,
	issueReset,
} from "./disk-ledger.ts";

test("what was being written when a snapshot came makes nothing durable beyond it", () => {
	const ledger = createDiskLedger(5);
	const append = issueAppend(ledger, 0, null, 10);
	const reset = issueReset(ledger, 0, 7);
	expect([ledger.durableIndex, isPromisePending(ledger)]).toEqual([7, false]);
	complete(ledger, append);
	expect([ledger.durableIndex, isDurable(ledger, reset)]).toEqual([7, false]);
	complete(ledger, reset);
	expect([ledger.durableIndex, isDurable(ledger, reset)]).toEqual([7, true]);
});

test("what was durable beyond a snapshot is so no more", () => {
	const ledger = createDiskLedger(12);
	const reset = issueReset(ledger, 0, 7);
	complete(ledger, reset);
	expect(ledger.durableIndex).toBe(7);
});

test("a tail that was cut and written again is durable when the second write is", () => {
	const ledger = createDiskLedger(5);
	const first = issueAppend(ledger, 0, null, 8);
	const second = issueAppend(ledger, 0, 6, 8);
	complete(ledger, first);
	expect(ledger.durableIndex).toBe(5);
	complete(ledger, second);
	expect(ledger.durableIndex).toBe(8);
});

test("a promise is pending until its own ticket completes, or a later one", () => {
	const ledger = createDiskLedger(0);
	const append = issueAppend(ledger, 0, null, 1);
	const promise = issuePromise(ledger, 0);
	expect(isPromisePending(ledger)).toBe(true);
	complete(ledger, append);
	expect([isPromisePending(ledger), isDurable(ledger, promise)]).toEqual([true, false]);
	complete(ledger, promise);
	expect([isPromisePending(ledger), isDurable(ledger, promise), ledger.durableIndex]).toEqual([
		false,
		true,
		1,
	]);
});

test("a ticket that was never issued is somebody's mistake, one that completed before is not", () => {
	const ledger = createDiskLedger(0);
	expect(() => complete(ledger, 1)).toThrow("disk ticket 1 was never issued");
	const ticket = issueAppend(ledger, 0, null, 3);
	complete(ledger, ticket);
	complete(ledger, ticket);
	expect(ledger.durableIndex).toBe(3);
	expect(() => complete(ledger, ticket + 1)).toThrow("was never issued");
});

test("a disk hangs when its oldest work is older than it may be, whatever came after it", () => {
	const ledger = createDiskLedger(0);
	expect(isStalled(ledger, 9_000, 1_000)).toBe(false);
	const ticket = issueAppend(ledger, 500, null, 1);
	issueAppend(ledger, 1_400, null, 2);
	expect([isStalled(ledger, 1_500, 1_000), isStalled(ledger, 1_501, 1_000)]).toEqual([false, true]);
	complete(ledger, ticket);
	expect(isStalled(ledger, 1_501, 1_000)).toBe(false);
});
