/**
 * Which disk work is under way, and what is durable. Tickets complete in order. When a tail is cut,
 * the tickets that wrote it are clamped to what is left, so that their late completion acknowledges
 * nothing that was written again since (the ABA race of asynchronous storage; reference bug 25).
 */
import { assert } from "./assert.ts";
import type { LogIndex, Milliseconds, MonotonicTime } from "./types.ts";

interface PendingWork {
	readonly ticket: number;
	readonly requestedAt: MonotonicTime;
	readonly isPromise: boolean;
	/** The last entry that this makes durable; clamped when it is cut before that. */
	lastIndex: LogIndex;
}

export interface DiskLedger {
	nextTicket: number;
	readonly pending: PendingWork[];
	/** All entries up to here are durable on this member. */
	durableIndex: LogIndex;
}

export function createDiskLedger(durableIndex: LogIndex): DiskLedger {
	return { nextTicket: 1, pending: [], durableIndex };
}

export function issuePromise(ledger: DiskLedger, now: MonotonicTime): number {
	return issue(ledger, now, true, 0);
}

export function issueAppend(
	ledger: DiskLedger,
	now: MonotonicTime,
	truncateFrom: LogIndex | null,
	lastIndex: LogIndex,
): number {
	if (truncateFrom !== null) clamp(ledger, truncateFrom - 1);
	return issue(ledger, now, false, lastIndex);
}

/** After a snapshot: the database holds everything up to `baseIndex` durably, whatever the log does. */
export function issueReset(ledger: DiskLedger, now: MonotonicTime, baseIndex: LogIndex): number {
	clamp(ledger, 0);
	ledger.durableIndex = baseIndex;
	return issue(ledger, now, false, baseIndex);
}

/** This ticket and all earlier ones are durable. A ticket that completed before changes nothing. */
export function complete(ledger: DiskLedger, ticket: number): void {
	assert(ticket < ledger.nextTicket, () => `disk ticket ${ticket} was never issued`);
	for (
		let first = ledger.pending[0];
		first !== undefined && first.ticket <= ticket;
		first = ledger.pending[0]
	) {
		ledger.durableIndex = Math.max(ledger.durableIndex, first.lastIndex);
		ledger.pending.shift();
	}
}

export function isDurable(ledger: DiskLedger, ticket: number): boolean {
	return ticket < (ledger.pending[0]?.ticket ?? ledger.nextTicket);
}

export function isPromisePending(ledger: DiskLedger): boolean {
	return ledger.pending.some((work) => work.isPromise);
}

export function isStalled(ledger: DiskLedger, now: MonotonicTime, stallMs: Milliseconds): boolean {
	const oldest = ledger.pending[0];
	return oldest !== undefined && now - oldest.requestedAt > stallMs;
}

function issue(ledger: DiskLedger, now: MonotonicTime, isPromise: boolean, lastIndex: LogIndex): number {
	const ticket = ledger.nextTicket++;
	ledger.pending.push({ ticket, requestedAt: now, isPromise, lastIndex });
	return ticket;
}

function clamp(ledger: DiskLedger, lastIndex: LogIndex): void {
	for (const work of ledger.pending) work.lastIndex = Math.min(work.lastIndex, lastIndex);
	ledger.durableIndex = Math.min(ledger.durableIndex, lastIndex);
}
