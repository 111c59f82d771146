// The gate between readers that begin and the writer: while it is closed nobody is inside, and a thread that was ended inside is forgotten.
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { createSharedGate, gateOf, gateOfWriter } from "./begin-gate.ts";

const module = new URL("./begin-gate.ts", import.meta.url).href;

/** A thread that goes in and out, and counts in [0] how often; [1] is what the writer changes while it is closed. */
function visitor(seat: object, shared: Int32Array): Worker {
	const text = `
		import { workerData } from "node:worker_threads";
		import { gateOf } from ${JSON.stringify(module)};
		const { seat, shared } = workerData;
		const gate = gateOf(seat);
		for (;;) gate.begin(() => {
			if (Atomics.load(shared, 1) % 2 !== 0) Atomics.add(shared, 2, 1);
			Atomics.add(shared, 0, 1);
		});`;
	return new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`), {
		workerData: { seat, shared },
	});
}

test("nobody is inside while it is closed, and everybody comes in again", async () => {
	const gate = createSharedGate();
	const shared = new Int32Array(new SharedArrayBuffer(12));
	const visitors = [1, 2].map(() => visitor(gate.lend(), shared));
	while (Atomics.load(shared, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
	const writer = gateOfWriter(gate.shared);
	for (let round = 0; round < 3_000; round++)
		writer.whileClosed(() => {
			Atomics.add(shared, 1, 1);
			for (let wait = 0; wait < 50; wait++) Atomics.load(shared, 0);
			Atomics.add(shared, 1, 1);
		});
	const visits = Atomics.load(shared, 0);
	while (Atomics.load(shared, 0) < visits + 10) await new Promise((resolve) => setTimeout(resolve, 5));
	await Promise.all(visitors.map((one) => one.terminate()));
	expect(Atomics.load(shared, 2)).toBe(0);
});

test("a thread that ended inside holds up nobody once its seat is given back", () => {
	const gate = createSharedGate();
	const seat = gate.lend();
	Atomics.store(seat.shared, seat.number, 1);
	gate.giveBack(seat);
	expect(gateOfWriter(gate.shared).whileClosed(() => "closed")).toBe("closed");
	expect(gateOf(gate.lend()).begin(() => "inside")).toBe("inside");
});
