import { expect, test } from "vitest";
import { program } from "./testing/cluster.ts";
import { createWriteQueue, type QueuedWrite } from "./write-queue.ts";

function write(stream: string, inTransaction = false): QueuedWrite {
	const request = {
		program: program("INSERT"),
		foreignKeys: true,
		interactive: false,
		idempotencyKey: stream === "alone" ? "alone" : null,
		receivedAtMs: 0,
		timeoutMs: 1,
	};
	const answer = (): void => {};
	return { stream, request, inTransaction, snapshotIndex: null, answer, cancelled: false, started: false };
}

const limit = {
	requests: 2,
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
