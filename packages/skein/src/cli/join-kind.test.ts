import { expect, test } from "vitest";
import { joinKind } from "./join-kind.ts";

test("as what a node joins", () => {
	expect(joinKind({ learner: false, witness: false })).toBe("joining");
	expect(joinKind({ learner: true, witness: false })).toBe("learner");
	expect(joinKind({ learner: false, witness: true })).toBe("witness");
	expect(() => joinKind({ learner: true, witness: true })).toThrow("exclude each other");
});
