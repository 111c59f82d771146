/** Every mutation still fits the code: one that does not apply would be missed in silence otherwise. */
import { expect, test } from "vitest";
import { chooseMutations, listMutations, parsePart } from "./mutation.ts";
import { applyMutation, createWorkspace } from "./workspace.ts";

test("every patch applies", () => {
	const failed: string[] = [];
	const mutations = listMutations();
	expect(mutations.length).toBeGreaterThanOrEqual(26);
	for (const mutation of mutations) {
		const workspace = createWorkspace();
		try {
			applyMutation(workspace, mutation);
		} catch (error) {
			failed.push(`${mutation.name}: ${String(error)}`);
		} finally {
			workspace.remove();
		}
	}
	expect(failed).toEqual([]);
});

test("the parts together are everything, each mutation once", () => {
	const all = listMutations();
	const parts = [1, 2, 3].flatMap((number) => chooseMutations(all, [], { number, of: 3 }));
	expect(parts.map(({ name }) => name).sort()).toEqual(all.map(({ name }) => name));
	const days = [0, 1, 2, 3].map((day) => parsePart("day/4", new Date(day * 86_400_000), "").number);
	expect(days).toEqual([1, 2, 3, 4]);
	expect(parsePart("head/16", new Date(), "0000001fabc").number).toBe(16);
});
