import { expect, test } from "vitest";
import type { Result } from "../../../../client/src/index.ts";
import { jsonOf, tableOf } from "./show-result.ts";

function result(columns: string[], rows: Result["rows"]): Result {
	return { columns, columnTypes: [], rows, changes: 0, lastInsertRowid: null, session: "3.17" };
}

test("a table shows NULL, blobs and numbers on the right", () => {
	const text = tableOf(
		result(
			["id", "name"],
			[
				[1n, "Akka"],
				[200n, null],
				[null, new Uint8Array([1, 255])],
			],
		),
	);
	expect(text).toContain("│    1 │ Akka");
	expect(text).toContain("│  200 │ NULL");
	expect(text).toContain("x'01ff'");
	expect(text).toMatch(/3 rows$/);
});

test("a REAL looks like one", () => {
	expect(tableOf(result(["r"], [[1], [2.5]]))).toMatch(/1\.0 [^]*2\.5 /);
});

test("stored text cannot steer the terminal", () => {
	const text = tableOf(result(["\u001b]0;title\u0007"], [["\u001b[2Jgone\u009b"]]));
	for (const control of ["\u001b", "\u0007", "\u009b"]) expect(text).not.toContain(control);
	expect(text).toContain("\\x1b[2Jgone\\x9b");
});

test("a statement without columns shows nothing", () => {
	expect(tableOf(result([], []))).toBe("");
});

test("JSON has the form of POST /sql", () => {
	const line = jsonOf(result(["a", "b", "c"], [[2n ** 60n, new Uint8Array([1, 2]), 15n]]));
	expect(JSON.parse(line)).toEqual({
		columns: ["a", "b", "c"],
		rows: [["1152921504606846976", { base64: "AQI=" }, 15]],
		changes: 0,
		lastInsertRowid: null,
		session: "3.17",
	});
});
