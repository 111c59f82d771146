import { expect, test } from "vitest";
import { checkDurability } from "./durability.ts";
import { committed } from "./testing/written-effects.ts";
import { type Line, written } from "./testing/written-history.ts";

const reasons = (
	lines: readonly Line[],
	entries: readonly string[],
	lost: readonly number[] = [],
): string[] =>
	checkDurability(written(lines), { timeline: committed(...entries), lost: new Set(lost) }).map(
		({ reason }) => reason,
	);

test("good: acknowledged and there, also when it was replaced", () => {
	expect(
		reasons(
			[
				["A", 0, 1, "x=1"],
				["A", 2, 3, "x=2 y+a"],
			],
			["1 x=1", "2 x=2 y=a;"],
		),
	).toEqual([]);
});

test("bad: acknowledged and not there", () => {
	expect(reasons([["A", 0, 1, "x=1"]], [])).toEqual([expect.stringMatching(/acknowledged in mode quorum/u)]);
	expect(
		reasons(
			[
				["A", 0, 1, "x+a"],
				["A", 2, 3, "x+b"],
			],
			["1 x=b;"],
		),
	).toHaveLength(1);
	expect(reasons([["A", 0, 1, "x:->1?-"]], [])).toHaveLength(1);
	expect(reasons([["A", 0, 1, "x=1", { mode: "sync" }]], [], [0])).toEqual([
		expect.stringMatching(/does not lose writes/u),
	]);
});

test("async: there or reported, not neither and not both", () => {
	const lines: Line[] = [["A", 0, 1, "x=1", { mode: "async" }]];
	expect(reasons(lines, ["1 x=1"])).toEqual([]);
	expect(reasons(lines, [], [0])).toEqual([]);
	expect(reasons(lines, [])).toEqual([expect.stringMatching(/not reported/u)]);
	expect(reasons(lines, ["1 x=1"], [0])).toEqual([expect.stringMatching(/to stay/u)]);
});

test("bad: it certainly did not happen, and is there", () => {
	expect(reasons([["A", 0, 1, "x=1", "failed"]], ["1 x=1"])).toEqual([
		expect.stringMatching(/certainly did not happen/u),
	]);
	expect(reasons([["A", 0, 1, "x=1", "failed"]], [])).toEqual([]);
});

test("an attempt that did not happen says nothing about the next", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1", { outcome: "failed", key: "k" }],
		["A", 2, 3, "x=1", { outcome: "unknown", key: "k" }],
	];
	expect(reasons(lines, ["1 x=1"])).toEqual([]);
	const failed: Line[] = [lines[0] as Line, ["A", 2, 3, "x=1", { outcome: "failed", key: "k" }]];
	expect(reasons(failed, ["1 x=1"])).toHaveLength(1);
});

test("good: unknown ones are there or not", () => {
	const lines: Line[] = [["A", 0, 1, "x=1 y=1", "unknown"]];
	expect(reasons(lines, ["1 x=1 y=1"])).toEqual([]);
	expect(reasons(lines, [])).toEqual([]);
});

test("bad: a part of a transaction, or its parts in two entries", () => {
	const lines: Line[] = [["A", 0, 1, "x=1 y=1", "unknown"]];
	expect(reasons(lines, ["1 x=1"])).toEqual([expect.stringMatching(/in part/u)]);
	expect(reasons(lines, ["1 x=1", "2 y=1"])).toEqual([expect.stringMatching(/one transaction/u)]);
});

test("bad: an answer that names an index above its own write, if it was not stored", () => {
	expect(reasons([["A", 0, 1, "x=1", { index: 5 }]], ["4 x=1", "5 y=1"])[0]).toMatch(
		/answered with index 5/u,
	);
	expect(reasons([["A", 0, 1, "x=1", { index: 5, key: "k", replayed: true }]], ["4 x=1"])).toEqual([]);
});

test("bad: an answer that names an index before its own write", () => {
	expect(reasons([["A", 0, 1, "x=1", { index: 3 }]], ["4 x=1"])).toEqual([
		expect.stringMatching(/answered with index 3/u),
	]);
	expect(reasons([["A", 0, 1, "x=1", { index: 4 }]], ["4 x=1"])).toEqual([]);
});

test("bad: something that nobody asked for", () => {
	expect(reasons([["A", 0, 1, "x=1"]], ["1 x=1", "2 x=7"])).toEqual([expect.stringMatching(/nobody asked/u)]);
	expect(reasons([["A", 0, 1, "x+a"]], ["1 x=a;", "2 x=a;b;"])).toEqual([
		expect.stringMatching(/nobody asked/u),
	]);
});

test("what a transaction replaced itself, what failed to compare and what was deleted leave nothing", () => {
	expect(reasons([["A", 0, 1, "x=1 x=2"]], ["1 x=2"])).toEqual([]);
	expect(reasons([["A", 0, 1, "x:5>6?-"]], [])).toEqual([]);
	expect(reasons([["A", 0, 1, "x=-"]], ["1 x=-"])).toEqual([]);
	expect(reasons([["A", 0, 1, "x:5>6"]], [])).toEqual([]);
});

test("members hold what the committed writes leave", () => {
	const history = written([
		["A", 0, 1, "x=1"],
		["A", 2, 3, "x=2"],
	]);
	const timeline = committed("1 x=1", "2 x=2");
	const states = new Map([
		["n1", new Map([["x", "2"]])],
		["n2", new Map([["x", "1"]])],
		[
			"n3",
			new Map([
				["x", "2"],
				["y", "9"],
			]),
		],
	]);
	const found = checkDurability(history, { timeline, states }).map(({ reason }) => reason);
	expect(found).toEqual([
		expect.stringMatching(/n2 holds 1 in x/u),
		expect.stringMatching(/n3 holds 9 in y/u),
	]);
});
