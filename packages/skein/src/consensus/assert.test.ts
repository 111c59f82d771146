/** A core that finds itself wrong stops, and says why. What the compiler rules out can still come from a wrong build. */
import { expect, test } from "vitest";
import { assert, unreachable } from "./assert.ts";
import { decide } from "./electing.ts";
import { createElector } from "./electors/create.ts";
import { createSurroundings, voters } from "./testing/surroundings.ts";

test("what does not hold is said, and put together only then", () => {
	let asked = 0;
	const why = (): string => `asked ${++asked}`;
	assert(true, why);
	expect(asked).toBe(0);
	expect(() => assert(false, why)).toThrow("consensus: asked 1");
	expect(() => assert(false, "plain")).toThrow("consensus: plain");
});

test("a kind that nobody knows is not passed over in silence", () => {
	const unknown = "unknown" as never;
	expect(() => unreachable(unknown)).toThrow('consensus: unexpected "unknown"');
	expect(() => decide(unknown, unknown)).toThrow('consensus: unexpected "unknown"');
	const { around } = createSurroundings("n1", voters("n1"));
	expect(() => createElector(unknown, around, 0)).toThrow('consensus: unexpected "unknown"');
});
