import { expect, test } from "vitest";
import { written } from "../history/testing/written-history.ts";
import { createAskedCount } from "./asked.ts";
import { checkAll } from "./checks.ts";

test("the judgements of the history are asked of what was promised to its operations", () => {
	const { ask, times } = createAskedCount(["log format"]);
	expect(new Set(times.values())).toEqual(new Set([0]));
	expect(times.has("refusal")).toBe(true);
	expect(times.has("log format")).toBe(false);
	const history = written([
		["A", 0, 1, "x=1", { mode: "quorum", index: 2, key: "k" }],
		["A", 2, 3, "x=2", { mode: "quorum", index: 3 }],
	]);
	checkAll({ history, effects: null, states: new Map(), ask });
	const asked = [...times].filter(([, count]) => count > 0);
	expect(Object.fromEntries(asked)).toEqual({ snapshots: 2, linearizability: 2, once: 1 });
});
