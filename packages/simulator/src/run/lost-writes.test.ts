import { expect, test } from "vitest";
import type { LostTransaction } from "../../../skein/src/node/lost-transactions.ts";
import type { Effect } from "../history/effects.ts";
import { type Line, written } from "../history/testing/written-history.ts";
import {
	type Committed,
	checkRefusedTokens,
	checkReports,
	duties,
	type Excuse,
	excuseOf,
	type Leftover,
	type Reported,
	withoutLost,
} from "./lost-writes.ts";

const position = { term: 1, index: 2 };
const effects: Effect[] = [
	{
		position,
		writes: [
			{ key: "x", value: "kept" },
			{ key: "l", value: "a;b;" },
		],
	},
];
const committed: Committed = { termAt: (index) => (index <= 3 ? 1 : null), effects };

const removed = "its leader was removed";

const lines: Line[] = [
	["A", 0, 1, "x=kept", { mode: "async", index: 2 }],
	["A", 2, 3, "x=gone", { mode: "async", index: 9, key: "k" }],
	["B", 4, 5, "x=kept", { mode: "async" }],
	["B", 6, 7, "y=gone too", { mode: "semi-sync" }],
	["B", 8, 9, "l+b", { mode: "async" }],
	["C", 10, 11, "x=never", { mode: "quorum", index: 9 }],
];

test("lost is what was answered early and is not committed, by its position or, without one, by its values", () => {
	const { history, lost } = withoutLost(written(lines), committed);
	expect(lost.map(({ id }) => id)).toEqual([1, 3]);
	expect(history.operations.map(({ outcome }) => outcome)).toEqual([
		"ok",
		"failed",
		"ok",
		"failed",
		"ok",
		// Whatever became of it: it was promised.
		"ok",
	]);
	const outcomes = withoutLost(written(lines), null).history.operations.map(({ outcome }) => outcome);
	expect(outcomes).toEqual([...Array(5).fill("unknown"), "ok"]);
});

function report(index: number, value: string, idempotencyKey: string | null): LostTransaction {
	return {
		term: 1,
		index,
		clusterId: "c",
		certain: true,
		client: "n1/1",
		idempotencyKey,
		wallTimeMs: 0,
		acknowledgement: value === "gone" ? "async" : "semi-sync;k=1",
		changes: [{ operation: "insert", table: "registers", key: [0], row: ["x", value] }],
		isCut: false,
	};
}

function check(
	reports: readonly LostTransaction[],
	excuse: Excuse | null = null,
	isHeld = false,
	isKnownCommitted = false,
): Reported {
	const named = new Map(reports.map((one) => [`${one.term}-${one.index}.json`, one]));
	const { lost } = withoutLost(written(lines), committed);
	return checkReports({
		lost,
		reports: new Map([["n1", named]]),
		isHeld: () => isHeld,
		isKnownCommitted: () => isKnownCommitted,
		excuse: () => excuse,
	});
}

test("each is reported, if a member that can do it has come back", () => {
	const [one, other] = [report(9, "gone", "k"), report(12, "gone too", null)];
	expect(check([one, other])).toEqual({ reported: 2, excuses: [] });
	expect(() => check([other])).toThrow(/operation 1 .*at 9 .*nobody reports/u);
	expect(() => check([one])).toThrow(/operation 3 .*nobody reports/u);
	expect(check([one], removed)).toEqual({ reported: 1, excuses: [removed] });
});

test("with what it wrote, and of nothing that is in the log", () => {
	const other = report(12, "gone too", null);
	expect(() => check([report(9, "gone", null), other])).toThrow(/tells of something else/u);
	expect(() => check([report(9, "another", "k"), other])).toThrow(/tells of something else/u);
	expect(() => check([other], removed, true)).toThrow(/holds it/u);
});

test("nothing is certain of what is committed", () => {
	const other = report(12, "gone too", null);
	expect(() => check([other], removed, false, true)).toThrow(/for certain, and it is committed/u);
	expect(check([{ ...other, certain: false }], removed, false, true).reported).toBe(1);
});

test("of a compare-and-set that found another value nothing is reported but that it was sent", () => {
	const { lost } = withoutLost(
		written([["A", 0, 1, "x:1>2?3", { mode: "async", index: 9, key: "k" }]]),
		committed,
	);
	const reports = new Map([["1-9.json", { ...report(9, "gone", "k"), changes: [] }]]);
	const no = (): boolean => false;
	const checked = { lost, isHeld: no, isKnownCommitted: no, excuse: () => null };
	expect(checkReports({ ...checked, reports: new Map([["n1", reports]]) }).reported).toBe(1);
});

test("no token of what is committed is refused", () => {
	checkRefusedTokens(
		[
			{ term: 2, index: 3 },
			{ term: 1, index: 4 },
		],
		committed,
	);
	expect(() => checkRefusedTokens([{ term: 1, index: 3 }], committed)).toThrow(/1\.3 .*committed/u);
});

test("who led must report, whatever has become of the others; of no known term, all who led", () => {
	const leaders = new Map([
		[1, "n1"],
		[2, "n2"],
	]);
	const onlyFirst = duties(leaders, (node) => (node === "n1" ? null : removed));
	const unknown = "nobody was seen to lead in its term";
	expect([1, 2, 3, null].map(onlyFirst)).toEqual([null, removed, unknown, removed]);
	expect(duties(leaders, () => null)(null)).toBe(null);
});

test("a leader is excused by its own disk, by its removal, and beyond the guarantees by not being back", () => {
	const well: Leftover = {
		hasDamaged: false,
		isSound: true,
		isMember: true,
		isBack: true,
		isBeyond: false,
	};
	expect(excuseOf(well)).toBe(null);
	expect(excuseOf({ ...well, isBeyond: true })).toBe(null);
	expect(excuseOf({ ...well, isBack: false })).toBe(null);
	expect(excuseOf({ ...well, hasDamaged: true })).toMatch(/damaged or lost/u);
	expect(excuseOf({ ...well, isSound: false })).toMatch(/counts as damaged/u);
	expect(excuseOf({ ...well, isMember: false, isBack: false })).toBe(removed);
	expect(excuseOf({ ...well, isBeyond: true, isBack: false })).toMatch(/beyond/u);
});
