/** The time of a database's threads. */
import { expect, test } from "vitest";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import { createWorkQueue } from "./work-queue.ts";

test("work that was begun on a slow disk ends soon after that is healed, once, and what waits behind it too", async () => {
	const scheduler = createScheduler(() => new Promise((resolve) => setImmediate(resolve)));
	const healedCalls: (() => void)[] = [];
	let slowness = 1_000_000;
	const queue = createWorkQueue({
		after: (delayMs, callback) => void scheduler.after(delayMs, callback),
		chance: createChance(1),
		device: {
			get slowness() {
				return slowness;
			},
			whenHealed: (call) => void healedCalls.push(call),
			whenAwake: null,
			failIfTold() {},
			checkpointBegins() {},
		},
	});
	const done: string[] = [];
	void queue.onWriter(1, () => done.push("checkpoint"), { onDisk: true });
	void queue.onWriter(1, () => done.push("apply"), { onDisk: true });
	await scheduler.runUntil(60_000);
	expect(done).toEqual([]);
	slowness = 1;
	for (const call of healedCalls.splice(0)) call();
	await scheduler.runUntil(60_100);
	expect(done).toEqual(["checkpoint", "apply"]);
	await scheduler.runUntil(100_000_000);
	expect(done).toEqual(["checkpoint", "apply"]);
});
