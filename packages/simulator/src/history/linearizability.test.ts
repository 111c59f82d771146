import { expect, test } from "vitest";
import { createRecorder } from "./history.ts";
import { checkLinearizability } from "./linearizability.ts";
import { knownHistories } from "./testing/known-histories.ts";
import { randomHistory } from "./testing/random-history.ts";
import { written } from "./testing/written-history.ts";

for (const { name, linearizable, lines } of knownHistories) {
	test(`${linearizable ? "good" : "bad"}: ${name}`, () => {
		const result = checkLinearizability(written(lines));
		expect(result.verdict, JSON.stringify(result)).toBe(linearizable ? "good" : "bad");
	});
}

test("there are enough known histories of either kind", () => {
	expect(knownHistories.filter(({ linearizable }) => linearizable).length).toBeGreaterThanOrEqual(25);
	expect(knownHistories.filter(({ linearizable }) => !linearizable).length).toBeGreaterThanOrEqual(25);
});

test("a bad history is told with the register and the operations that do not fit", () => {
	const stale = checkLinearizability(
		written([
			["A", 0, 1, "y=1"],
			["A", 2, 3, "x=1"],
			["A", 4, 5, "x=2"],
			["B", 6, 7, "x?1"],
		]),
	);
	expect(stale).toMatchObject({ verdict: "bad", keys: ["x"] });
	const phantom = checkLinearizability(
		written([
			["A", 0, 1, "x=1", "failed"],
			["B", 2, 3, "x?1"],
		]),
	);
	expect(phantom).toMatchObject({ verdict: "bad", operations: [0, 1] });
	expect(phantom.verdict === "bad" && phantom.reason).toMatch("certainly did not happen");
});

test("reads of other levels are not looked at", () => {
	const history = written([
		["A", 0, 1, "x=1"],
		["B", 2, 3, "x?-", { level: "eventual" }],
		["B", 2, 3, "x?-", { level: "session", session: "s" }],
	]);
	expect(checkLinearizability(history).verdict).toBe("good");
});

test("a register with a write that was reported as lost is left out, with what hangs together with it", () => {
	const history = written([
		["A", 0, 1, "x=1", { mode: "async" }],
		["B", 2, 3, "x?-"],
		["A", 4, 5, "x=2 y=2"],
		["A", 6, 7, "z=1"],
	]);
	expect(checkLinearizability(history).verdict).toBe("bad");
	expect(checkLinearizability(history, { lost: new Set([0]) })).toEqual({
		verdict: "good",
		leftOut: ["x", "y"],
	});
});

test("what would take too long is not decided, rather than guessed", () => {
	const recorder = createRecorder(() => 0);
	const call = { client: "A", session: null, level: null, acknowledgement: "quorum", node: "n1" } as const;
	const again = { idempotencyKey: null, attempt: 1 } as const;
	const ids = Array.from({ length: 24 }, (_, number) =>
		recorder.invoke({ ...call, ...again, steps: [{ kind: "append", key: "x", value: `${number % 3}` }] }),
	);
	for (const id of ids) recorder.complete(id, { outcome: "ok" });
	const read = recorder.invoke({
		...call,
		...again,
		level: { level: "linearizable" },
		steps: [{ kind: "read", key: "x" }],
	});
	recorder.complete(read, { outcome: "ok", seen: ["0;0;0;"] });
	const result = checkLinearizability(recorder.history, { limits: { configurations: 1_000, steps: 10_000 } });
	expect(result.verdict).toBe("not decided");
});

test("10,000 operations of unique values, many of them unknown, are decided in a few steps", () => {
	for (const seed of [1, 2, 3]) {
		const history = randomHistory(seed, { operations: 10_000, clients: 16, keys: 6, values: "unique" });
		expect(history.operations.filter(({ outcome }) => outcome === "unknown").length).toBeGreaterThan(300);
		// A search that goes astray takes steps without end: a hundred for each operation are enough.
		const limits = { steps: 1000000, configurations: 1000000 };
		expect(checkLinearizability(history, { limits }).verdict).toBe("good");
		const spoiled = randomHistory(seed, {
			operations: 10_000,
			clients: 16,
			keys: 6,
			values: "unique",
			lies: 1,
		});
		expect(checkLinearizability(spoiled).verdict).toBe("bad");
	}
});
