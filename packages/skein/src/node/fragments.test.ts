import { expect, test } from "vitest";
import type { Entry } from "../consensus/types.ts";
import { createFragmentJoiner, splitPayload } from "./fragments.ts";

test.each([0, 1, 9, 10, 11, 35])(
	"a payload of %i bytes comes back whole, after the torn pieces of another",
	(length) => {
		const payload = Uint8Array.from({ length }, (_, place) => place);
		const joiner = createFragmentJoiner();
		const torn = [...splitPayload(new Uint8Array(25), 10)].slice(0, 2);
		const entries = [...torn, ...splitPayload(payload, 10)].map(
			(entry, place): Entry => ({ ...entry, index: place + 1, term: 1 }),
		);
		const joined = entries.map((entry) => joiner.add(entry));
		expect(joined.pop()).toEqual(payload);
		expect(joined.every((whole) => whole === null)).toBe(true);
	},
);

test("a piece without a beginning is an error", () => {
	const [, later] = [...splitPayload(new Uint8Array(15), 10)];
	if (later === undefined) throw new Error("one piece only");
	expect(() => createFragmentJoiner().add({ ...later, index: 1, term: 1 })).toThrow("never began");
});
