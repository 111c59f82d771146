import { expect, test } from "vitest";
import { listenToEscapes } from "./escapes.ts";

test("a rejection that nobody handles is told to the run that is under way", async () => {
	// The test runner's own would take it for a failure.
	const others = process.listeners("unhandledRejection");
	process.removeAllListeners("unhandledRejection");
	const escapes = listenToEscapes();
	const heard: unknown[] = [];
	try {
		escapes.hear(() => heard.push("an earlier run"));
		escapes.hear((error) => heard.push(error));
		void Promise.reject(new Error("lost"));
		await escapes.caughtUp();
		expect(heard).toEqual([new Error("lost")]);
		// It ended in time.
		escapes.hear(() => {});
	} finally {
		escapes.close();
		for (const listener of others) process.on("unhandledRejection", listener);
	}
});
