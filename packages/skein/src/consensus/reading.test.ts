/** Reads that are cancelled, are too many, ask in vain, or outlive a leadership. The rest is in testdata/read_index*.txt. */
import { expect, test } from "vitest";
import type { ConsensusMessage } from "./message.ts";
import type { Output } from "./output.ts";
import type { ConsensusSettings } from "./settings.ts";
import { createSmallGroup, ofType, sent } from "./testing/small-group.ts";

/** n1 leads. */
function world(settings: Partial<ConsensusSettings> = {}) {
	const group = createSmallGroup(["n1", "n2", "n3"], settings);
	group.stand("n1");
	group.beat("n1", 2);
	const ready = (id: string) => ofType(group.take(id), "read-ready").map(({ readId }) => readId);
	/** As if n2 had asked under this number. */
	const askedByN2 = (readId: number): void => {
		const { term } = group.view("n1");
		group.simulation.deliver({ type: "read-index-request", group: 1, from: "n2", to: "n1", term, readId });
	};
	return { ...group, ready, askedByN2 };
}

/** Of questions of other members. */
const answered = (outputs: readonly Output[]): number[] =>
	ofType(outputs, "send").flatMap(({ message }) =>
		message.type === "read-index-response" ? [message.readId] : [],
	);
const isAnswer = ({ type }: ConsensusMessage): boolean => type === "heartbeat-response";
const isQuestion = ({ type }: ConsensusMessage): boolean => type === "read-index-request";

test("a follower's read that was cancelled is never ready, the others are", () => {
	const { read, step, settle, ready, view } = world();
	read("n2", 1);
	read("n2", 2);
	step("n2", { type: "cancel-read", readId: 1 });
	expect(view("n2").pendingReads).toBe(1);
	settle();
	expect(ready("n2")).toEqual([2]);
	expect(view("n2").pendingReads).toBe(0);
});

test("a leader forgets the read that was cancelled here, and no other: not of another number, nor that of another member", () => {
	const { read, step, settle, take, ready, view, askedByN2, simulation } = world();
	take("n1");
	read("n1", 1);
	askedByN2(7);
	read("n1", 7);
	read("n1", 9);
	expect(view("n1").pendingReads).toBe(4);
	// The first has its round; with its end that of the next three begins.
	settle((message) => message.type === "heartbeat-request" && message.round > 4);
	expect(ready("n1")).toEqual([1]);
	expect(view("n1").pendingReads).toBe(3);
	askedByN2(8);
	read("n1", 8);
	read("n1", 10);
	for (const readId of [7, 8]) step("n1", { type: "cancel-read", readId });
	expect(view("n1").pendingReads).toBe(4);
	expect(simulation.inFlight.length).toBeGreaterThan(0);
	take("n1");
	settle();
	const said = take("n1");
	expect(ofType(said, "read-ready").map(({ readId }) => readId)).toEqual([9, 10]);
	expect(answered(said)).toEqual([7, 8]);
});

test("one read more than may wait is not taken, wherever it is asked", () => {
	const { read, settle, take, ready, view } = world({ maxPendingReads: 2 });
	take("n1");
	for (const readId of [1, 2, 3]) read("n1", readId);
	// One has its round, one waits.
	expect(view("n1").pendingReads).toBe(2);
	for (const readId of [4, 5, 6]) read("n2", readId);
	expect(view("n2").pendingReads).toBe(2);
	settle();
	expect(ready("n1")).toEqual([1, 2]);
	read("n1", 7);
	settle();
	expect(ready("n1")).toEqual([7]);
});

test("another member is answered at once while the lease holds, and after a round of its own if there is none", () => {
	const { step, settle, view, take } = world();
	const held = step("n1", { type: "read-under-lease", from: "n2", readId: 5 });
	const index = view("n1").commitIndex;
	expect(held).toMatchObject([
		{ type: "send", message: { type: "read-index-response", to: "n2", readId: 5, index } },
	]);
	// Somebody was told to stand: there is no lease any more.
	step("n1", { type: "transfer", to: "n3" });
	settle(({ type }) => type === "timeout-now");
	take("n1");
	expect(sent(step("n1", { type: "read-under-lease", from: "n2", readId: 6 }))).toEqual([
		"n2 heartbeat-request",
		"n3 heartbeat-request",
	]);
	settle(({ type }) => type === "timeout-now");
	expect(sent(take("n1"))).toContain("n2 read-index-response");
});

test("who is not to use leases has none", () => {
	const { step, view } = world({ leaderLease: false });
	expect(view("n1").leasedIndex).toBe(null);
	const said = step("n1", { type: "read-under-lease", from: "n2", readId: 5 });
	expect(sent(said)).toEqual(["n2 heartbeat-request", "n3 heartbeat-request"]);
});

test("before the barrier is committed no read is ready, and there is no lease, however many rounds are answered", () => {
	const group = createSmallGroup(["n1", "n2", "n3"]);
	const isAppend = ({ type }: ConsensusMessage): boolean => type === "append-request";
	group.stand("n1", isAppend);
	group.read("n1", 1);
	group.beat("n1", 4, isAppend);
	expect(group.view("n1")).toMatchObject({
		role: "leader",
		established: false,
		leasedIndex: null,
		pendingReads: 1,
	});
	expect(ofType(group.take("n1"), "read-ready")).toEqual([]);
	group.settle();
	expect(ofType(group.take("n1"), "read-ready")).toMatchObject([{ readId: 1, index: 2 }]);
});

test("a question that is not answered is asked again after three heartbeat intervals", () => {
	const { read, tick } = world();
	expect(sent(read("n2", 1))).toEqual(["n1 read-index-request"]);
	expect(tick("n2", 149)).toEqual([]);
	expect(sent(tick("n2", 1))).toEqual(["n1 read-index-request"]);
	expect(tick("n2", 149)).toEqual([]);
	expect(sent(tick("n2", 1))).toEqual(["n1 read-index-request"]);
});

test.each([
	[32, 0, true],
	[33, 0, false],
	[33, 1, true],
])("of %i questions the answer to that after the first %i counts: %s", (questions, place, counts) => {
	const { read, tick, settle, beat, take, ready, simulation } = world();
	read("n2", 1);
	const asked = () => simulation.inFlight.filter(isQuestion);
	while (asked().length < questions) {
		tick("n1", 150);
		settle(isQuestion);
		tick("n2");
	}
	const question = asked()[place];
	if (question === undefined) throw new Error("not asked");
	simulation.inFlight.length = 0;
	take("n2");
	simulation.deliver(question);
	beat("n1", 1, isQuestion);
	expect(ready("n2")).toEqual(counts ? [1] : []);
});

test("a leader that is one no more asks the next one for its own reads, and for nobody else's", () => {
	const { read, step, settle, take, ready, askedByN2, view } = world();
	read("n1", 1);
	askedByN2(2);
	read("n1", 3);
	askedByN2(4);
	step("n1", { type: "transfer", to: "n3" });
	settle((message) => isAnswer(message) && message.to === "n1");
	expect([view("n1").role, view("n3").established]).toEqual(["follower", true]);
	const said = take("n1");
	expect(sent(said).filter((one) => one.endsWith("read-index-request"))).toEqual([
		"n3 read-index-request",
		"n3 read-index-request",
	]);
	expect(ofType(said, "read-ready").map(({ readId }) => readId)).toEqual([1, 3]);
	settle();
	expect(ready("n1")).toEqual([]);
	expect(view("n1").pendingReads).toBe(0);
});

test("a follower that is elected serves its own reads itself, once: the next leader is asked for none of them", () => {
	const { read, step, settle, take, ready, view } = world();
	read("n2", 1);
	step("n1", { type: "transfer", to: "n2" });
	settle((message) => isQuestion(message) && message.to === "n1");
	expect(view("n2").established).toBe(true);
	expect(ready("n2")).toEqual([1]);
	step("n2", { type: "transfer", to: "n1" });
	settle();
	expect(view("n1").established).toBe(true);
	expect(sent(take("n2"))).not.toContain("n1 read-index-request");
	expect(view("n2").pendingReads).toBe(0);
});
