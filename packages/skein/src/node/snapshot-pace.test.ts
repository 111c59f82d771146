import { expect, test } from "vitest";
import { createSnapshotPace } from "./snapshot-pace.ts";

const limits = { maxChunkBytes: 256 * 1024, stallMs: 10_000 };

test("chunks grow while answers come quickly, and shrink on a link that takes seconds for one", () => {
	const pace = createSnapshotPace(limits);
	let [offset, now] = [0, 0];
	function exchange(tookMs: number): void {
		offset += pace.chunkBytes;
		pace.sent(offset, now);
		now += tookMs;
		pace.answered(offset, now);
	}
	expect(pace.chunkBytes).toBe(16 * 1024);
	for (let time = 0; time < 6; time++) exchange(5);
	expect(pace.chunkBytes).toBe(256 * 1024);
	exchange(500);
	expect(pace.chunkBytes).toBe(256 * 1024);
	for (let time = 0; time < 10; time++) exchange(3_000);
	expect(pace.chunkBytes).toBe(4 * 1024);
});

test("it asks sooner where answers come quickly, less often the longer nothing comes, and before it gives up", () => {
	const pace = createSnapshotPace(limits);
	expect(pace.waitMs).toBe(250);
	pace.sent(100, 0);
	pace.answered(100, 2);
	expect(pace.waitMs).toBe(100);
	const waits = Array.from({ length: 8 }, () => {
		pace.asked();
		return pace.waitMs;
	});
	expect(waits).toEqual([200, 250, 250, 250, 250, 250, 250, 250]);
	pace.sent(200, 10);
	pace.answered(200, 12);
	expect(pace.waitMs).toBe(100);
	pace.sent(300, 20);
	pace.answered(300, 20_000);
	expect(pace.waitMs).toBe(250);
	for (let time = 0; time < 8; time++) pace.asked();
	expect(pace.waitMs).toBe(1_000);
});

test("what was sent twice tells nothing of the way, and goes again only when its answer is overdue", () => {
	const pace = createSnapshotPace(limits);
	pace.sent(100, 0);
	pace.sent(200, 0);
	expect([pace.isOverdue(374), pace.isOverdue(375)]).toEqual([false, true]);
	pace.sentAgain(375);
	expect(pace.isOverdue(749)).toBe(false);
	pace.answered(100, 380);
	expect(pace.waitMs).toBe(250);
	pace.answered(200, 3_000);
	// Three seconds a chunk: nothing is overdue much before.
	pace.sent(300, 3_000);
	expect([pace.isOverdue(7_499), pace.isOverdue(7_500), pace.isWaiting]).toEqual([false, true, true]);
	pace.lost();
	expect([pace.isOverdue(12_000), pace.isWaiting]).toEqual([false, false]);
});

test("the answer to an offer shows how long the way is", () => {
	const pace = createSnapshotPace(limits);
	pace.offerTook(5);
	expect(pace.waitMs).toBe(100);
	expect(pace.chunkBytes).toBe(16 * 1024);
});
