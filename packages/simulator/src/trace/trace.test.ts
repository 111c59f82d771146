import { expect, test } from "vitest";
import { encodeMessage } from "../../../skein/src/peer/codec/message.ts";
import { createTrace } from "./trace.ts";

function traced(events: readonly (readonly [at: number, value: string | number | boolean | null])[]): string {
	let now = 0;
	const trace = createTrace({ now: () => now, kept: 3 });
	for (const [at, value] of events) {
		now = at;
		trace.tell({ type: "test", value });
	}
	return trace.hash();
}

test("the hash tells events, their order and their times apart", () => {
	const hashes = [
		traced([]),
		traced([[1, "a"]]),
		traced([[1.01, "a"]]),
		traced([[2 ** 40, "a"]]),
		traced([[1, "b"]]),
		traced([[1, 1]]),
		traced([[1, true]]),
		traced([[1, false]]),
		traced([[1, null]]),
		traced([
			[1, "a"],
			[1, "b"],
		]),
		traced([
			[1, "b"],
			[1, "a"],
		]),
	];
	expect(new Set(hashes).size).toBe(hashes.length);
	expect(traced([[1, "a"]])).toBe(hashes[1]);
});

test("the last events are kept, the oldest first", () => {
	let now = 0;
	const trace = createTrace({ now: () => now, kept: 3 });
	for (now = 1; now < 8; now++) trace.tell({ type: "test", number: now });
	expect(trace.last().map(({ at }) => at)).toEqual([5, 6, 7]);
	expect(trace.counts.get("test")).toBe(7);
});

test("what a message says is in the hash, and in the events that are kept", () => {
	const told = (commitIndex: number) => {
		const trace = createTrace({ now: () => 1, kept: 3 });
		const head = {
			type: "heartbeat-request",
			group: 1,
			from: "n1",
			to: "n2",
			term: 3,
			round: 1,
			lease: null,
			endsReads: false,
		} as const;
		trace.tell({ type: "message", from: "n1" }, encodeMessage({ ...head, commitIndex }));
		return trace;
	};
	expect(told(4).hash()).not.toBe(told(5).hash());
	expect(told(4).last()).toMatchObject([{ type: "message", kind: "heartbeat-request", term: 3, commit: 4 }]);
});

test("the hash is of whole messages, and of their number", () => {
	const told = (...messages: readonly Uint8Array[]): string => {
		const trace = createTrace({ now: () => 1, kept: 3 });
		for (const message of messages) trace.tell({ type: "message" }, message);
		return trace.hash();
	};
	const long = new Uint8Array(5_000);
	const changed = (place: number): Uint8Array => long.map((byte, at) => (at === place ? 1 : byte));
	const hashes = [told(long), told(changed(0)), told(changed(28)), told(changed(4_999)), told(long, long)];
	expect(new Set(hashes).size).toBe(hashes.length);
	expect(told(changed(28))).toBe(hashes[2]);
});
