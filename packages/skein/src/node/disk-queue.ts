/**
 * The disk work of the core, strictly in its order. While the disk is full, the work that failed is
 * tried again, from the first piece that failed: the core sees a disk that stalls (it stops leading
 * and does not stand), and the node comes back by itself when there is room. Any other failure is
 * final: what a failed fsync has written cannot be trusted (reference bug 40).
 */

import type { Output } from "../consensus/output.ts";
import type { Log } from "../log/log.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import { isDiskFull } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
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
	readonly onDurable: (ticket: number) => void;
	readonly onFull: () => void;
	readonly onFailure: (error: unknown) => void;
}

export function createDiskQueue(options: DiskQueueOptions): DiskQueue {
	const { log, clock, logger, onDurable, onFull, onFailure } = options;
	/** Given to the log and not finished, oldest first; then the work that waits for room. */
	const issued: DiskWork[] = [];
	const waiting: DiskWork[] = [];
	const isLineDue = createRepeatedLines(clock);
	/** The latest work that there was no room for. What is smaller and came before it may fit for long. */
	let refusedTicket = 0;
	let failed = false;

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

	function issue(work: DiskWork): void {
		issued.push(work);
		start(work)
			.then(
				() => written(work),
				(error: unknown) => refused(work, error),
			)
			.catch(failFinally);
	}

	function written(work: DiskWork): void {
		const first = issued.shift();
		if (first !== work) throw new Error(`disk work finished out of order: ticket ${work.ticket}`);
		if (queue.full && waiting.length === 0 && work.ticket >= refusedTicket) {
			queue.full = false;
			if (isLineDue("room")) logger.info({}, "the disk has room again");
		}
		onDurable(work.ticket);
	}

	function failFinally(error: unknown): void {
		if (failed) return;
		failed = true;
		onFailure(error);
	}

	function refused(work: DiskWork, error: unknown): void {
		if (failed) return;
		if (!isDiskFull(error)) return failFinally(error);
		const position = issued.indexOf(work);
		// The log refuses everything behind a failed piece too, so what was issued later comes back
		// here after it, in order.
		issued.splice(position, 1);
		refusedTicket = Math.max(refusedTicket, work.ticket);
		waiting.push(work);
		// Before the news, which may bring more work: the timer runs whenever something waits.
		if (waiting.length === 1) clock.setTimer(retryWhenFullMs, retry);
		if (queue.full) return;
		queue.full = true;
		if (isLineDue("full")) logger.error({}, "the disk is full: this node does not lead until there is room");
		onFull();
	}

	function retry(): void {
		if (failed) return;
		if (issued.length > 0) {
			clock.setTimer(retryWhenFullMs, retry);
			return;
		}
		waiting.sort((a, b) => a.ticket - b.ticket);
		for (const work of waiting.splice(0)) issue(work);
	}

	const queue: DiskQueue & { full: boolean } = {
		add(work) {
			if (failed) return;
			if (waiting.length > 0) waiting.push(work);
			else issue(work);
		},
		full: false,
	};
	return queue;
}
