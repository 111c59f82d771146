import { expect, test } from "vitest";
import { checkSessions } from "./sessions.ts";
import { committed } from "./testing/written-effects.ts";
import { type Line, written } from "./testing/written-history.ts";

const mine = { session: "s", level: "session" } as const;
const reasons = (lines: readonly Line[], ...entries: string[]): string[] =>
	checkSessions(written(lines), { timeline: entries.length === 0 ? null : committed(...entries) }).map(
		({ reason }) => reason,
	);

test("good: a session that goes forward", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1", { session: "s", index: 1 }],
		["A", 2, 3, "x?1", { ...mine, index: 1 }],
		["B", 4, 5, "x=2", { index: 2 }],
		["A", 6, 7, "x?1", { ...mine, index: 1 }],
		["A", 8, 9, "x?2", { ...mine, index: 2 }],
	];
	expect(reasons(lines)).toEqual([]);
	expect(reasons(lines, "1 x=1", "2 x=2")).toEqual([]);
});

test("bad: a session misses its own write", () => {
	expect(
		reasons([
			["A", 0, 1, "x=1", { session: "s" }],
			["A", 2, 3, "x?-", mine],
		]),
	).toHaveLength(1);
});

test("bad: a session goes back", () => {
	const lines: Line[] = [
		["B", 0, 1, "x=1"],
		["B", 2, 3, "x=2"],
		["A", 4, 5, "x?2", mine],
		["A", 6, 7, "x?1", mine],
	];
	expect(reasons(lines)).toHaveLength(1);
});

test("bad: a list gets shorter", () => {
	const lines: Line[] = [
		["B", 0, 1, "x+a"],
		["B", 2, 3, "x+b"],
		["A", 4, 5, "x?a;b;", mine],
		["A", 6, 7, "x?a;", mine],
	];
	expect(reasons(lines)).toHaveLength(1);
});

test("the order of writes that overlapped is known by the timeline only", () => {
	const lines: Line[] = [
		["B", 0, 9, "x=1"],
		["C", 0, 9, "x=2"],
		["A", 10, 11, "x?1", mine],
		["A", 12, 13, "x?2", mine],
	];
	expect(reasons(lines)).toEqual([]);
	expect(reasons(lines, "1 x=1", "2 x=2")).toEqual([]);
	expect(reasons(lines, "1 x=2", "2 x=1")).toHaveLength(1);
});

test("good: another session and eventual reads are promised nothing", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1", { session: "s" }],
		["A", 2, 3, "x?-", { session: "t", level: "session" }],
		["A", 2, 3, "x?-", { session: "s", level: "eventual" }],
		["A", 2, 3, "x?-", { session: "s", level: "bounded", maxStalenessMs: 9 }],
	];
	expect(reasons(lines)).toEqual([]);
});

test("bad: the token covers the state, not only the register that was looked at", () => {
	const lines: Line[] = [
		["B", 0, 1, "x=1", { index: 1 }],
		["B", 2, 3, "y=1", { index: 2 }],
		["A", 4, 5, "y?1", { ...mine, index: 2 }],
		["A", 6, 7, "x?-", { ...mine, index: 2 }],
	];
	expect(reasons(lines)).toHaveLength(1);
	expect(reasons(lines, "1 x=1", "2 y=1")).toHaveLength(1);
});

test("bad: a token that goes back", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1", { session: "s", index: 7 }],
		["A", 2, 3, "x?1", { ...mine, index: 6 }],
	];
	expect(reasons(lines)).toHaveLength(1);
});

test("good: what was asked before the earlier one had ended need not show it", () => {
	const lines: Line[] = [
		["A", 0, 5, "x=1", { session: "s" }],
		["A", 2, 6, "x?-", mine],
	];
	expect(reasons(lines)).toEqual([]);
});

test("good: an unknown or failed write of its own is promised to nobody", () => {
	const lines: Line[] = [
		["A", 0, 1, "x=1", { session: "s", outcome: "unknown" }],
		["A", 2, 3, "x=2", { session: "s", outcome: "failed" }],
		["A", 4, 5, "x?-", mine],
	];
	expect(reasons(lines)).toEqual([]);
});

test("good: a write that was lost and reported", () => {
	const history = written([
		["A", 0, 1, "x=1", { session: "s", mode: "async", index: 9 }],
		["A", 2, 3, "x?-", { ...mine, index: 3 }],
	]);
	expect(checkSessions(history)).toHaveLength(2);
	expect(checkSessions(history, { lost: new Set([0]) })).toEqual([]);
});

test("a request that was tried again counts once, from its answer on", () => {
	const key = { session: "s", key: "k" };
	const lines: Line[] = [
		["A", 0, 1, "x=1", { ...key, outcome: "unknown" }],
		["A", 2, 3, "x?-", mine],
		["A", 4, 5, "x=1", key],
		["A", 6, 7, "x?-", mine],
	];
	expect(reasons(lines)).toHaveLength(1);
});

test("good: an unknown write takes effect long after its client gave up", () => {
	const lines: Line[] = [
		["B", 0, 1, "x=1", "unknown"],
		["A", 2, 3, "x=2", { session: "s" }],
		["A", 4, 5, "x?2", mine],
		["A", 6, 7, "x?1", mine],
	];
	expect(reasons(lines)).toEqual([]);
});
