import { expect, test } from "vitest";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { program } from "./testing/cluster.ts";
import { createWriteQueue, type QueuedWrite } from "./write-queue.ts";

function write(
	stream: string,
	inTransaction = false,
	acknowledgement: Acknowledgement = { mode: "quorum" },
): QueuedWrite {
	const request = {
		program: program("INSERT"),
		foreignKeys: true,
		interactive: false,
		idempotencyKey: stream === "alone" ? "alone" : null,
		note: null,
		receivedAtMs: 0,
		timeoutMs: 1,
	};
	const answer = (): void => {};
	return {
		stream,
		request,
		acknowledgement,
		inTransaction,
		snapshotIndex: null,
		answer,
		cancelled: false,
		started: false,
	};
}

const limit = {
	requests: 2,
	behind: false,
	mustRunAlone: (request: QueuedWrite["request"]) => request.idempotencyKey === "alone",
};

test("batches keep the order, lone writes are alone, cancelled ones are left out, what is put back is first", () => {
	const queue = createWriteQueue(10);
	const names = ["a", "b", "c", "alone", "d"];
	for (const name of names) queue.add(write(name));
	queue.cancelOf("a");
	const first = queue.takeBatch(limit);
	expect(first.map((one) => one.stream)).toEqual(["b", "c"]);
	queue.putBack(first);
	expect(queue.takeBatch(limit)).toEqual(first);
	expect(queue.takeBatch(limit).map((one) => one.stream)).toEqual(["alone"]);
	expect(queue.takeBatch(limit).map((one) => one.stream)).toEqual(["d"]);
	expect(queue.takeBatch(limit)).toEqual([]);
});

test("a full queue refuses all but the transaction that must end, which gets only its own writes", () => {
	const queue = createWriteQueue(1);
	expect(queue.add(write("s"))).toBe(true);
	expect(queue.add(write("t"))).toBe(false);
	expect(queue.takeOf("s")).toBe(null);
	expect(queue.add(write("s", true))).toBe(true);
	expect(queue.takeOf("s")?.inTransaction).toBe(true);
	expect(queue.length).toBe(1);
});

test("a batch is of one mode, and behind others only what need not be alone", () => {
	const queue = createWriteQueue(10);
	queue.add(write("a", false, { mode: "semi-sync", followers: 1 }));
	queue.add(write("b", false, { mode: "semi-sync", followers: 2 }));
	queue.add(write("c", false, { mode: "async" }));
	queue.add(write("d", false, { mode: "async" }));
	queue.add(write("alone"));
	queue.add({ ...write("e"), snapshotIndex: 3 });
	const names = (behind: boolean): string[] => queue.takeBatch({ ...limit, behind }).map((one) => one.stream);
	expect([names(true), names(true), names(true)]).toEqual([["a"], ["b"], ["c", "d"]]);
	expect([names(true), names(false)]).toEqual([[], ["alone"]]);
	expect([names(true), names(false)]).toEqual([[], ["e"]]);
});
