import { expect, test } from "vitest";
import type { AppliedEntry } from "./database.ts";
import { runsOf } from "./entry-runs.ts";

function entry(index: number, kind: AppliedEntry["kind"], ...payload: number[]): AppliedEntry {
	return { position: { term: 1, index }, kind, payload: Uint8Array.from(payload), configuration: null };
}

const shown = (entries: readonly AppliedEntry[], format: "row" | "wal") =>
	runsOf(entries, format).map(({ as, entries: some }) => [as, some.map(({ position }) => position.index)]);

test("pieces whose end came make the format wal, and pages of what comes behind them", () => {
	const pieces = [entry(1, "first-piece", 4), entry(2, "later-piece"), entry(3, "last-piece")];
	expect(shown([...pieces, entry(4, "barrier")], "row")).toEqual([
		["pieces", [1, 2, 3]],
		["pages", [4]],
	]);
});

test("pieces whose end never came leave the format as it was", () => {
	const pieces = [entry(1, "first-piece", 4), entry(2, "later-piece")];
	expect(shown([...pieces, entry(3, "barrier")], "row")).toEqual([
		["pieces", [1, 2]],
		["sql", [3]],
	]);
	expect(shown([...pieces, entry(3, "barrier")], "wal")).toEqual([
		["pieces", [1, 2]],
		["pages", [3]],
	]);
});
