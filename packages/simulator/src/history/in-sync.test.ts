import { expect, test } from "vitest";
import { checkInSync } from "./in-sync.ts";
import { committed } from "./testing/written-effects.ts";
import { type Line, written } from "./testing/written-history.ts";

const sync = { mode: "sync" } as const;
const local = { level: "eventual", inSync: true } as const;
const write: Line = ["A", 0, 10, "x=1", sync];

test("good: an in-sync member shows what was answered, and anything newer", () => {
	expect(checkInSync(written([write, ["B", 11, 12, "x?1", local]]))).toEqual([]);
	expect(checkInSync(written([write, ["A", 20, 30, "x=2"], ["B", 31, 32, "x?2", local]]))).toEqual([]);
});

test("bad: an in-sync member does not show it", () => {
	const history = written([write, ["B", 11, 12, "x?-", local]]);
	expect(checkInSync(history)).toMatchObject([{ operations: [0, 1] }]);
	expect(checkInSync(history, committed("1 x=1"))).toHaveLength(1);
});

test("bad: an answer that was stored for its key is one too", () => {
	const lines: Line[] = [
		["A", 0, 5, "x=1", { ...sync, outcome: "unknown", key: "k" }],
		["A", 6, 10, "x=1", { ...sync, key: "k", replayed: true }],
		["B", 11, 12, "x?-", local],
	];
	expect(checkInSync(written(lines))).toHaveLength(1);
});

test("good: sent before the answer, not in-sync, another mode, or no answer", () => {
	expect(checkInSync(written([write, ["B", 9, 12, "x?-", local]]))).toEqual([]);
	expect(checkInSync(written([write, ["B", 11, 12, "x?-", { level: "eventual", inSync: false }]]))).toEqual(
		[],
	);
	expect(checkInSync(written([write, ["B", 11, 12, "x?-", { level: "eventual" }]]))).toEqual([]);
	expect(
		checkInSync(
			written([
				["A", 0, 10, "x=1"],
				["B", 11, 12, "x?-", local],
			]),
		),
	).toEqual([]);
	const unanswered: Line = ["A", 0, 10, "x=1", { ...sync, outcome: "unknown" }];
	expect(checkInSync(written([unanswered, ["B", 11, 12, "x?-", local]]))).toEqual([]);
});
