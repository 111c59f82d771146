/**
 * The disk work of the core, strictly in its order. While the disk is full, the work that failed is
 * tried again, from the first piece that failed: the core sees a disk that stalls (it stops leading
 * and does not stand), and the node comes back by itself when there is room. Any other failure is
 * final: what a failed fsync has written cannot be trusted (reference bug 40).
 */

import type { Output } from "../consensus/output.ts";
import type { Entry, LogIndex } from "../consensus/types.ts";
import type { Log } from "../log/log.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import { isDiskFull } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import type { Cut } from "./lost-transactions.ts";
import { createRepeatedLines } from "./repeated-lines.ts";

const retryWhenFullMs: Milliseconds = 500;

export type DiskWork = Extract<Output, { type: "write-promise" | "append-log" | "reset-log" }>;

export interface DiskQueue {
	add(work: DiskWork): void;
	/** True until what the disk had no room for is written. */
	readonly full: boolean;
}

export interface DiskQueueOptions {
	readonly log: Log;
	readonly clock: Clock;
	readonly logger: Logger;
	/** Where the log ends. */
	readonly lastIndex: LogIndex;
	/** Before entries go: what of them was answered early is written down. Nothing else is done meanwhile. */
	readonly beforeCut: (cut: Cut) => Promise<void>;
	/** These are in the log, durably. */
	readonly onAppended: (entries: readonly Entry[]) => void;
	/** Up to here entries are known to be committed. */
	readonly commitIndex: () => LogIndex;
	readonly onDurable: (ticket: number) => void;
	readonly onFull: () => void;
	readonly onFailure: (error: unknown) => void;
}

/** Work, and what it cuts from the log that is not reported yet. */
interface Item {
	readonly work: DiskWork;
	cut: Cut | null;
}

export function createDiskQueue(options: DiskQueueOptions): DiskQueue {
	const { log, clock, logger, onDurable, onFull, onFailure } = options;
	/** Not begun, oldest first: behind a cut whose report is being written. */
	const unbegun: Item[] = [];
	/** Given to the log and not finished, oldest first; then the work that waits for room. */
	const issued: Item[] = [];
	const waiting: Item[] = [];
	/** Where the log ends once everything that was added is done. */
	let { lastIndex } = options;
	let reporting = false;
	const isLineDue = createRepeatedLines(clock);
	/** The latest work that there was no room for. What is smaller and came before it may fit for long. */
	let refusedTicket = 0;
	let failed = false;

	function cutBy(work: DiskWork): Cut | null {
		const last = lastIndex;
		switch (work.type) {
			case "write-promise":
				return null;
			case "append-log": {
				const { truncateFrom, entries } = work;
				lastIndex = entries.at(-1)?.index ?? (truncateFrom === null ? last : truncateFrom - 1);
				return truncateFrom === null ? null : cutOf(truncateFrom, last, true);
			}
			case "reset-log":
				lastIndex = work.base.index;
				return cutOf(options.commitIndex() + 1, last, false);
		}
	}

	function start(work: DiskWork): Promise<void> {
		switch (work.type) {
			case "write-promise":
				return log.writePromise(work.promise);
			case "append-log":
				return log.append({ truncateFrom: work.truncateFrom, entries: work.entries });
			case "reset-log":
				return log.reset(work.base);
		}
	}

	function issueUnbegun(): void {
		while (!reporting) {
			const item = unbegun.shift();
			if (item === undefined) return;
			if (waiting.length > 0) waiting.push(item);
			else if (item.cut !== null) issueBehindReport(item, item.cut);
			else issue(item);
		}
	}

	/** The report first: once the entries are gone nobody can make it. After a crash in between it is made again. */
	function issueBehindReport(item: Item, cut: Cut): void {
		reporting = true;
		options
			.beforeCut(cut)
			.then(
				() => {
					reporting = false;
					item.cut = null;
					unbegun.unshift(item);
				},
				(error: unknown) => {
					reporting = false;
					refused(item, error);
				},
			)
			.then(issueUnbegun)
			.catch(failFinally);
	}

	function issue(item: Item): void {
		issued.push(item);
		start(item.work)
			.then(
				() => written(item),
				(error: unknown) => {
					// The log refuses everything behind a failed piece too, so what was issued later comes back
					// after it, in order.
					issued.splice(issued.indexOf(item), 1);
					refused(item, error);
				},
			)
			.catch(failFinally);
	}

	function written(item: Item): void {
		const first = issued.shift();
		const { work } = item;
		if (first !== item) throw new Error(`disk work finished out of order: ticket ${work.ticket}`);
		if (queue.full && waiting.length === 0 && work.ticket >= refusedTicket) {
			queue.full = false;
			if (isLineDue("room")) logger.info({}, "the disk has room again");
		}
		if (work.type === "append-log") options.onAppended(work.entries);
		onDurable(work.ticket);
	}

	function failFinally(error: unknown): void {
		if (failed) return;
		failed = true;
		onFailure(error);
	}

	function refused(item: Item, error: unknown): void {
		if (failed) return;
		if (!isDiskFull(error)) return failFinally(error);
		refusedTicket = Math.max(refusedTicket, item.work.ticket);
		waiting.push(item);
		// Before the news, which may bring more work: the timer runs whenever something waits.
		if (waiting.length === 1) clock.setTimer(retryWhenFullMs, retry);
		if (queue.full) return;
		queue.full = true;
		if (isLineDue("full")) logger.error({}, "the disk is full: this node does not lead until there is room");
		onFull();
	}

	function retry(): void {
		if (failed) return;
		if (issued.length > 0 || reporting) {
			clock.setTimer(retryWhenFullMs, retry);
			return;
		}
		unbegun.unshift(...waiting.splice(0).sort((a, b) => a.work.ticket - b.work.ticket));
		issueUnbegun();
	}

	const queue: DiskQueue & { full: boolean } = {
		add(work) {
			if (failed) return;
			unbegun.push({ work, cut: cutBy(work) });
			issueUnbegun();
		},
		full: false,
	};
	return queue;
}

function cutOf(first: LogIndex, last: LogIndex, certain: boolean): Cut | null {
	return last < first ? null : { first, last, certain };
}
