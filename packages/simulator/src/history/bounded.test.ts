import { expect, test } from "vitest";
import { checkBounded } from "./bounded.ts";
import { committed } from "./testing/written-effects.ts";
import { type Line, written } from "./testing/written-history.ts";

const within = (maxStalenessMs: number) => ({ level: "bounded", maxStalenessMs }) as const;
const write: Line = ["A", 0, 10, "x=1"];

test("good: as old as the bound allows", () => {
	expect(checkBounded(written([write, ["B", 60, 61, "x?-", within(50)]]))).toEqual([]);
	expect(checkBounded(written([write, ["B", 61, 62, "x?1", within(50)]]))).toEqual([]);
});

test("bad: older than the bound", () => {
	const history = written([write, ["B", 61, 62, "x?-", within(50)]]);
	expect(checkBounded(history)).toMatchObject([{ operations: [0, 1] }]);
	expect(checkBounded(history, { timeline: committed("1 x=1") })).toHaveLength(1);
	// A read of a slow clock: its 50 ms last 55.
	expect(checkBounded(history, { clockDrift: 0.1 })).toEqual([]);
});

test("bad: bound 0 is a fresh read", () => {
	expect(checkBounded(written([write, ["B", 20, 30, "x?-", within(0)]]))).toHaveLength(1);
});

test("good: a long read is judged by its beginning", () => {
	expect(checkBounded(written([write, ["B", 50, 900, "x?-", within(50)]]))).toEqual([]);
});

test("bad: the newest of the writes before the bound counts, not the last that ended", () => {
	const lines: Line[] = [
		["A", 0, 100, "x=1"],
		["B", 20, 30, "x=2"],
		["C", 200, 201, "x?1", within(10)],
	];
	expect(checkBounded(written(lines))).toEqual([]);
	expect(checkBounded(written(lines), { timeline: committed("1 x=2", "2 x=1") })).toEqual([]);
	expect(checkBounded(written(lines), { timeline: committed("1 x=1", "2 x=2") })).toHaveLength(1);
});

test("bad: each register of a transaction is looked at", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1"],
		["A", 2, 3, "y=1"],
		["B", 20, 21, "x?1 y?-", within(10)],
	];
	expect(checkBounded(written(lines))).toHaveLength(1);
});

test("good: writes without an acknowledgement, lost ones, and reads of other levels", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1", "unknown"],
		["A", 2, null, "x=2"],
		["A", 4, 5, "x=3", { mode: "async" }],
		["B", 90, 91, "x?-", within(10)],
		["B", 90, 91, "x?-", { level: "eventual" }],
	];
	expect(checkBounded(written(lines))).toHaveLength(1);
	expect(checkBounded(written(lines), { lost: new Set([2]) })).toEqual([]);
});
