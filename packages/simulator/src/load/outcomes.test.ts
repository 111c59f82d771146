import { expect, test } from "vitest";
import type { Step } from "../history/history.ts";
import type { Reply } from "./connection.ts";
import { refusedCompletion } from "./outcomes.ts";

const refusal = { code: "CONSTRAINT", extendedCode: "SQLITE_CONSTRAINT", message: "refused" };

function answered(error: typeof refusal | null): Reply {
	return {
		type: "answer",
		answer: {
			outcome: { results: [null, null], errors: [error, refusal], autocommit: true, foreignKeys: true },
			position: { term: 10, index: 467 },
			stalenessMs: null,
			inSync: null,
			replayed: false,
			acknowledgement: { mode: "async" },
		},
	};
}

const write: Step = { kind: "write", key: "r2", value: "v3.1" };

// Seed 52286947: the loss of such a write was reported in its mode, and the history had another.
test("a write behind which a statement was refused was acknowledged in the mode that its answer names", () => {
	expect(refusedCompletion(answered(null), write)).toMatchObject({ outcome: "ok", mode: { mode: "async" } });
});

test("a write that was refused itself did not happen", () => {
	expect(refusedCompletion(answered(refusal), write)).toEqual({ outcome: "failed", code: "CONSTRAINT" });
});
