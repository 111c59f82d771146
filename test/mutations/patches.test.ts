/** Every mutation still fits the code: one that does not apply would be missed in silence otherwise. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { numberOfHead } from "./head.ts";
import { chooseMutations, listMutations, parsePart } from "./mutation.ts";
import { misplacedHunks } from "./placement.ts";
import { createWorkspace, mustApply } from "./workspace.ts";

test("every patch applies", () => {
	const failed: string[] = [];
	const mutations = listMutations();
	expect(mutations.length).toBeGreaterThanOrEqual(26);
	const workspace = createWorkspace();
	for (const mutation of mutations) {
		try {
			mustApply(workspace, mutation);
		} catch (error) {
			failed.push(`${mutation.name}: ${String(error)}`);
		}
	}
	workspace.remove();
	expect(failed).toEqual([]);
});

test("the parts together are everything, each mutation once", () => {
	const all = listMutations();
	const parts = [1, 2, 3].flatMap((number) => chooseMutations(all, [], { number, of: 3 }));
	expect(parts.map(({ name }) => name).sort()).toEqual(all.map(({ name }) => name));
	const turn = (text: string, day: number, head: number) =>
		parsePart(text, { now: new Date(day * 86_400_000), head, all: all.length });
	expect([0, 1, 2, 3].map((day) => turn("day/4", day, 0).number)).toEqual([1, 2, 3, 4]);
	const each = all.map((_, commit) => turn("head/all", 0, 1_000 + commit));
	expect(new Set(each.map(({ number }) => number)).size).toBe(all.length);
	expect(each.every(({ of }) => of === all.length)).toBe(true);
	expect(numberOfHead()).toBeGreaterThan(0);
});

const root = join(import.meta.dirname, "../..");

test("a patch can only go where it was made for", () => {
	const problems = listMutations().flatMap(({ name, path }) =>
		misplacedHunks(readFileSync(path, "utf8"), (file) => readFileSync(join(root, file), "utf8")).map(
			(problem) => `${name}: ${problem}`,
		),
	);
	expect(problems).toEqual([]);
});

test("a hunk that fits elsewhere, twice or nowhere is found", () => {
	const hunk = (named: string) =>
		`diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -2,2 +2,1 @@ ${named}\n \tone;\n-\ttwo;\n`;
	const there = "function f() {\n\tone;\n\ttwo;\n}\n";
	expect(misplacedHunks(hunk("function f() {"), () => there)).toEqual([]);
	expect(misplacedHunks(hunk("function f() {"), () => `function g() {}\n${there}`)).toEqual([]);
	expect(misplacedHunks(hunk("function g() {"), () => there)).toEqual([
		'x:2 is for "function g() {" and fits in "function f() {"',
	]);
	expect(misplacedHunks(hunk("function f() {"), () => there + there)).toEqual(["x:2 fits at 2 places"]);
	expect(misplacedHunks(hunk("function f() {"), () => "")).toEqual(["x:2 fits nowhere, as it stands"]);
});

test("what a patch must be caught by is a property of the simulator", () => {
	const sources = ["properties", "run"].flatMap((folder) => {
		const directory = join(root, "packages/simulator/src", folder);
		const names = readdirSync(directory).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
		return names.map((name) => readFileSync(join(directory, name), "utf8"));
	});
	const unknown = listMutations().flatMap(({ name, caughtBy }) =>
		caughtBy
			.filter((property) => !sources.some((source) => source.includes(`"${property}"`)))
			.map((property) => `${name}: ${property}`),
	);
	expect(unknown).toEqual([]);
});
