/** What is on its way to a member, as others see it. */
import { expect, test } from "vitest";
import { createLoneCore, elect, follow } from "./testing/lone-core.ts";

test("nothing counts as on its way before it is known where the logs agree", () => {
	const lone = createLoneCore({ terms: [1, 1] });
	elect(lone);
	const inFlight = (node: string) => lone.core.view.progress.get(node);
	// All of the log lies between what n3 is known to hold and what it is sent next.
	expect(inFlight("n3")).toMatchObject({ state: "probing", matchIndex: 0, nextIndex: 3, inFlightBytes: 0 });
	follow(lone, "n3");
	const entries = [{ kind: "command" as const, payload: new Uint8Array(100) }];
	lone.step({ type: "propose", entries, acknowledgement: null });
	// An entry costs 32 bytes beside its payload.
	expect(inFlight("n3")).toMatchObject({ state: "replicating", matchIndex: 3, inFlightBytes: 132 });
});
