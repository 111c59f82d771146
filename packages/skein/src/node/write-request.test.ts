import { expect, test } from "vitest";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { asOfTaking } from "./write-request.ts";

test("a write that names no mode goes by what is chosen when it is taken, and then keeps it", () => {
	let chosen: Acknowledgement = { mode: "async" };
	const taken = asOfTaking(
		{
			stream: "n1/1",
			program: { steps: [] },
			foreignKeys: true,
			interactive: false,
			idempotencyKey: null,
			receivedAtMs: 5,
			wallTimeMs: 7,
			timeoutMs: 1_000,
		},
		() => chosen,
	);
	// The leader applies what its log holds before it serves.
	chosen = { mode: "semi-sync", followers: 1 };
	expect(taken().acknowledgement).toEqual(chosen);
	expect(taken().request.note).toMatchObject({ client: "n1/1", wallTimeMs: 7, acknowledgement: chosen });
	const then = chosen;
	chosen = { mode: "quorum" };
	expect(taken().acknowledgement).toEqual(then);
	expect(taken().request).toBe(taken().request);
});
