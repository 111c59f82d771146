import { expect, test } from "vitest";
import { createSettle } from "./settle.ts";

/** Begins it, and gives how many of its promises have settled. */
function beginChain(length: number): () => number {
	let steps = 0;
	const chain = async (left: number): Promise<void> => {
		await Promise.resolve();
		steps++;
		if (left > 1) await chain(left - 1);
	};
	void chain(length);
	return () => steps;
}

const lengthIn = (round: number): number => 1 + (round % 20);

test("every promise that can settle has settled, however long the chain", async () => {
	const settle = createSettle();
	await Promise.resolve();
	// Beyond the turns of the event loop that come now and then.
	for (let round = 1; round <= 3_000; round++) {
		const steps = beginChain(lengthIn(round));
		await settle();
		expect(steps()).toBe(lengthIn(round));
	}
});

test("who is no promise callback need not wait: all have settled at once, but for the turns of the event loop", async () => {
	const settle = createSettle();
	const { settleNow = () => false } = settle;
	let turns = 0;
	await new Promise<void>((resolve) => {
		let round = 0;
		const goOn = (): void => {
			for (; round < 3_000; round++) {
				const steps = beginChain(lengthIn(round));
				if (settleNow()) expect(steps()).toBe(lengthIn(round));
				else {
					turns++;
					settle.whenSettled?.(goOn);
					round++;
					return;
				}
			}
			resolve();
		};
		settle.whenSettled?.(goOn);
	});
	expect(turns).toBe(2);
});

test("a platform without it settles later, as ever", () => {
	expect(createSettle(null).settleNow).toBe(undefined);
});

test("what nobody handles is heard of while the world runs", async () => {
	const settle = createSettle();
	let heard: unknown = null;
	const others = process.listeners("unhandledRejection");
	process.removeAllListeners("unhandledRejection");
	process.once("unhandledRejection", (error) => {
		heard = error;
	});
	try {
		await Promise.resolve();
		void Promise.reject(new Error("lost"));
		for (let round = 0; round < 3_000 && heard === null; round++) await settle();
		expect(heard).toEqual(new Error("lost"));
	} finally {
		for (const listener of others) process.on("unhandledRejection", listener);
	}
});
