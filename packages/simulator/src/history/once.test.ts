import { expect, test } from "vitest";
import { checkOnce } from "./once.ts";
import { committed } from "./testing/written-effects.ts";
import { type Line, written } from "./testing/written-history.ts";

const reasons = (lines: readonly Line[], ...entries: string[]): string[] =>
	checkOnce(written(lines), entries.length === 0 ? null : committed(...entries)).map(({ reason }) => reason);

test("good: tried three times, happened once", () => {
	const lines: Line[] = [
		["A", 0, 1, "x+a", { outcome: "unknown", key: "k" }],
		["A", 2, 3, "x+a?-", { key: "k" }],
		["A", 4, 5, "x+a?-", { key: "k", replayed: true }],
		["B", 6, 7, "x?a;"],
	];
	expect(reasons(lines, "1 x=a;")).toEqual([]);
});

test("bad: an item twice in a list", () => {
	expect(
		reasons([
			["A", 0, 1, "x+a", { key: "k" }],
			["B", 6, 7, "x?a;b;a;"],
		]),
	).toEqual([expect.stringMatching(/more than once/u)]);
});

test("good: a value of a register that is no list may repeat itself", () => {
	expect(
		reasons([
			["A", 0, 1, "x=a;a;"],
			["B", 6, 7, "x?a;a;"],
		]),
	).toEqual([]);
});

test("bad: two attempts were executed", () => {
	const lines: Line[] = [
		["A", 0, 9, "x=1", { key: "k" }],
		["A", 2, 3, "x=1", { key: "k" }],
	];
	expect(reasons(lines)).toEqual([expect.stringMatching(/2 attempts under the key k/u)]);
});

test("bad: attempts were told different things", () => {
	const lines: Line[] = [
		["A", 0, 1, "x+a?-", { key: "k" }],
		["A", 2, 3, "x+a?b;", { key: "k", replayed: true }],
	];
	expect(reasons(lines)).toEqual([expect.stringMatching(/different things/u)]);
});

test("bad: an earlier try's answer without a key; with one the node itself may have tried before", () => {
	expect(reasons([["A", 0, 1, "x=1", { replayed: true }]])).toEqual([expect.stringMatching(/has no key/u)]);
	expect(reasons([["A", 0, 1, "x=1", { key: "k", replayed: true }]])).toEqual([]);
});

test("good: what wrote nothing may run again", () => {
	const lines: Line[] = [
		["A", 0, 1, "x:1>2?-", { key: "k" }],
		["A", 2, 3, "x:1>2?5", { key: "k" }],
	];
	expect(reasons(lines)).toEqual([]);
});

test("bad: a request is in two entries, with a key or without", () => {
	expect(reasons([["A", 0, 1, "x=1", "unknown"]], "1 x=1", "2 x=2", "3 x=1")).toEqual([
		expect.stringMatching(/2 times/u),
	]);
	expect(reasons([["A", 0, 1, "x+a", { key: "k" }]], "1 x=a;", "2 x=a;a;")).toEqual([
		expect.stringMatching(/2 times/u),
	]);
	expect(reasons([["A", 0, 1, "x+a", { key: "k" }]], "1 x=a;", "2 x=", "3 x=a;")).toHaveLength(1);
});

test("good: a value that two requests wrote is there twice", () => {
	expect(
		reasons(
			[
				["A", 0, 1, "x=1"],
				["B", 2, 3, "x=1"],
			],
			"1 x=1",
			"2 x=1",
		),
	).toEqual([]);
});
