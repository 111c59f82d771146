import { expect, test } from "vitest";
import { type Completion, createRecorder, type Seen } from "../history/history.ts";
import { hashOf } from "./hash-of-history.ts";

function hashAfter(completion: Completion | null, saw: readonly Seen[] = []): string {
	const recorder = createRecorder(() => 1);
	const steps = [
		{ kind: "read", key: "a" },
		{ kind: "read", key: "b" },
	] as const;
	const id = recorder.invoke({
		client: "c1",
		session: null,
		steps,
		level: { level: "linearizable" },
		acknowledgement: null,
		node: "n1",
		idempotencyKey: null,
		attempt: 1,
	});
	for (const [place, seen] of saw.entries()) recorder.saw(id, place, seen);
	if (completion !== null) recorder.complete(id, completion);
	return hashOf(recorder.history);
}

test("what a client saw is in the hash of its history", () => {
	const ok = { outcome: "ok" } as const;
	const hashes = [
		hashAfter(null),
		hashAfter(null, ["x"]),
		hashAfter({ outcome: "unknown" }),
		hashAfter(ok),
		hashAfter({ ...ok, seen: ["x", "y"] }),
		hashAfter({ ...ok, seen: ["x", "z"] }),
		hashAfter({ ...ok, seen: ["x", null] }),
		hashAfter({ ...ok, seen: ["x", undefined] }),
		hashAfter({ ...ok, position: { index: 1, term: 2 } }),
		hashAfter({ ...ok, position: { index: 1, term: 3 } }),
		hashAfter({ ...ok, stalenessMs: 5 }),
		hashAfter({ ...ok, inSync: true }),
		hashAfter({ ...ok, replayed: true }),
	];
	expect(new Set(hashes).size).toBe(hashes.length);
	expect(hashAfter({ ...ok, seen: ["x", "y"] })).toBe(hashes[4]);
});
