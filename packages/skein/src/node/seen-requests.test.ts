import { expect, test } from "vitest";
import { createSeenRequests, requestsOfLife } from "./seen-requests.ts";

test("a request is new once, and not when a later one has arrived before it", () => {
	const seen = createSeenRequests();
	expect([1, 2, 2, 5, 4, 6].map((id) => seen.isNew("n1", id))).toEqual([
		true,
		true,
		false,
		true,
		false,
		true,
	]);
	expect(seen.isNew("n2", 1)).toBe(true);
});

test("each life of a node counts for itself, and copies of the one before do not come back", () => {
	const seen = createSeenRequests();
	const first = 7 * requestsOfLife + 1;
	const second = 3 * requestsOfLife + 1;
	expect(seen.isNew("n1", first)).toBe(true);
	expect(seen.isNew("n1", second)).toBe(true);
	expect(seen.isNew("n1", first)).toBe(false);
	expect(seen.isNew("n1", second + 1)).toBe(true);
});
