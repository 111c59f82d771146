import { expect, test } from "vitest";
import { checkSnapshots } from "./snapshots.ts";
import { committed } from "./testing/written-effects.ts";
import { type Line, written } from "./testing/written-history.ts";

const eventual = { level: "eventual" } as const;
const reasons = (lines: readonly Line[], ...entries: string[]): string[] =>
	checkSnapshots(written(lines), entries.length === 0 ? null : committed(...entries)).map(
		({ reason }) => reason,
	);

test("good: any past will do", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1 y=1"],
		["A", 2, 3, "x=2"],
		["B", 4, 5, "x?- y?-", eventual],
		["B", 4, 5, "x?1 y?1", eventual],
		["B", 4, 5, "x?2 y?1", eventual],
		["B", 4, 5, "x?1", eventual],
	];
	expect(reasons(lines)).toEqual([]);
	expect(reasons(lines, "1 x=1 y=1", "2 x=2")).toEqual([]);
});

test("bad: a value that nobody wrote, that failed, that was not begun", () => {
	expect(reasons([["B", 4, 5, "x?1", eventual]])).toEqual([expect.stringMatching(/nobody wrote/u)]);
	const failed: Line[] = [
		["A", 0, 1, "x=1", "failed"],
		["B", 4, 5, "x?1", eventual],
	];
	expect(reasons(failed)).toEqual([expect.stringMatching(/certainly did not happen/u)]);
	const future: Line[] = [
		["B", 4, 5, "x?1", eventual],
		["A", 6, 7, "x=1"],
	];
	expect(reasons(future)).toEqual([expect.stringMatching(/before anybody began/u)]);
	expect(
		reasons([
			["A", 0, 1, "x+a"],
			["B", 4, 5, "x?a;b;", eventual],
		]),
	).toEqual([expect.stringMatching(/b; in|nobody wrote/u)]);
});

test("bad: a value that was never committed, but where its mode may show it early", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1", "unknown"],
		["B", 2, 3, "x?1", eventual],
	];
	expect(reasons(lines)).toEqual([]);
	expect(reasons(lines, "1 x=2")).toEqual([expect.stringMatching(/never committed/u)]);
	const early: Line[] = [
		["A", 0, 1, "x=1", { mode: "async" }],
		["B", 2, 3, "x?1", eventual],
	];
	expect(reasons(early, "1 x=2")).toEqual([]);
});

test("bad: registers that were never so together", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1 y=1"],
		["A", 2, 3, "x=2 y=2"],
		["B", 4, 5, "x?1 y?2", eventual],
	];
	expect(reasons(lines, "1 x=1 y=1", "2 x=2 y=2")).toEqual([expect.stringMatching(/never so together/u)]);
	expect(
		reasons(
			[
				["A", 0, 1, "x=1 y=1"],
				["B", 4, 5, "x?1 y?-", eventual],
			],
			"1 x=1 y=1",
		),
	).toHaveLength(1);
});

test("good: a value that was there twice", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1"],
		["A", 2, 3, "x=2"],
		["A", 4, 5, "y=1"],
		["A", 6, 7, "x=1"],
		["B", 8, 9, "x?1 y?1", eventual],
	];
	expect(reasons(lines, "1 x=1", "2 x=2", "3 y=1", "4 x=1")).toEqual([]);
});

test("bad: an answer that names a position later than what it shows", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1"],
		["A", 2, 3, "x=2"],
		["B", 4, 5, "x?1", { ...eventual, index: 2 }],
	];
	expect(reasons(lines, "1 x=1", "2 x=2")).toHaveLength(1);
	expect(reasons(lines, "1 x=1", "3 x=2")).toEqual([]);
});

test("good: a deleted register holds nothing, as before the first write", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1"],
		["A", 2, 3, "y=1"],
		["A", 4, 5, "x=-"],
		["B", 6, 7, "x?- y?1", eventual],
		["B", 6, 7, "x?- y?-", eventual],
	];
	expect(reasons(lines, "1 x=1", "2 y=1", "3 x=-")).toEqual([]);
	expect(reasons(lines, "1 x=1", "2 y=1", "3 z=1")).toEqual([expect.stringMatching(/x=nothing y=1/u)]);
});

test("good: who writes may see what another left in the same entry", () => {
	const lines: Line[] = [
		["A", 0, 9, "x=1"],
		["B", 0, 9, "x?1 x=2"],
	];
	expect(reasons(lines, "1 x=1 x=2")).toEqual([]);
});

test("good: who goes the way of a write may see it too, and change nothing", () => {
	const lines = (details: object): Line[] => [
		["A", 0, 9, "x=1"],
		["B", 0, 9, "x?1", { index: 1, ...details }],
		["C", 0, 9, "x=2"],
	];
	expect(reasons(lines({ mode: "quorum" }), "1 x=1 x=2")).toEqual([]);
	expect(reasons(lines({}), "1 x=1 x=2")).toEqual([expect.stringMatching(/not so there/u)]);
});

test("bad: an answer that names a position before what it shows, read or written", () => {
	const lines = (details: object): Line[] => [
		["A", 0, 1, "x=1"],
		["A", 2, 3, "x=2"],
		["B", 4, 5, "x?2", details],
	];
	for (const details of [{}, { level: "session" }, { level: "eventual" }, { mode: "quorum" }] as const) {
		expect(reasons(lines({ ...details, index: 5 }), "3 x=1", "5 x=2")).toEqual([]);
		expect(reasons(lines({ ...details, index: 4 }), "3 x=1", "5 x=2")).toHaveLength(1);
	}
});
