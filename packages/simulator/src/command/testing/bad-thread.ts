// A thread whose runs end in every way in which no outcome is heard: by the seed.
import { parentPort } from "node:worker_threads";
import type { Order } from "../run-one.ts";

parentPort?.on("message", ({ seed }: Order) => {
	switch (seed) {
		case 1:
			return void Promise.reject(new Error("nobody handles this"));
		case 2:
			return void setImmediate(() => {
				throw new Error("nobody catches this");
			});
		case 3:
			return process.exit(7);
		case 4:
			return void spin();
		default:
			throw new Error(`seed ${seed}`);
	}
});

/** Turns no event loop. */
async function spin(): Promise<never> {
	for (;;) await Promise.resolve();
}
