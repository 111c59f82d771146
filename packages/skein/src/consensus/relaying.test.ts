/** Who stands in the chain, for how long, and what is sent along it. Those whose disks hang: hung-in-chain.test.ts. */
import { expect, test } from "vitest";
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import type { ConsensusMessage } from "./message.ts";
import type { ConsensusSettings } from "./settings.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createSmallGroup, ofType, sent } from "./testing/small-group.ts";
import type { NodeId } from "./types.ts";

const { syncLeaseMs, diskStallMs } = defaultConsensusSettings;
const ofThree = ["n1", "n2", "n3"];
const ofFour = ["n1", "n2", "n3", "n4"];
/** Counts 100 bytes. */
const entry = "x".repeat(68);

/** n1 leads, and all others stand in the chain. Nobody is lent anything, so that nothing is held back, if it is not said otherwise. */
function world(ids: readonly NodeId[] = ofThree, settings: Partial<ConsensusSettings> = {}) {
	const group = createSmallGroup(ids, { chain: true, leaderLease: false, ...settings });
	group.stand("n1");
	group.beat("n1", 4);
	const chain = (): readonly NodeId[] => group.view("n1").chain;
	if (settings.chain !== false) expect(chain()).toEqual(ids.slice(1));
	const waiting = (): number => group.view("n1").unacknowledgedBy({ mode: "chain" });
	const matchOf = (id: NodeId): number | undefined => group.view("n1").progress.get(id)?.matchIndex;
	return { ...group, chain, waiting, matchOf };
}

const isChainAppend = ({ type }: ConsensusMessage): boolean => type === "chain-append";

test("a write of mode chain makes the chain used for ten seconds, to the millisecond", () => {
	const { propose, settle, beat, tick, view, chain } = world(ofThree, { chain: false });
	expect([chain(), view("n1").isChainUsed]).toEqual([[], false]);
	propose("n1", "x", { mode: "chain" });
	settle();
	expect(chain()).toEqual(["n2", "n3"]);
	beat("n1", 199);
	tick("n1", 49);
	expect([chain(), view("n1").isChainUsed]).toEqual([["n2", "n3"], true]);
	tick("n1", 1);
	expect([chain(), view("n1").isChainUsed]).toEqual([[], false]);
});

test.each<[Acknowledgement, boolean]>([
	[{ mode: "async" }, false],
	[{ mode: "semi-sync", followers: 1 }, false],
	[{ mode: "quorum" }, false],
	[{ mode: "sync", strict: false }, true],
	[{ mode: "chain" }, true],
])("after a write of mode %j others go on reading by themselves: %s", (acknowledgement, lends) => {
	const { propose, beat, view } = world(ofThree, { leaderLease: true });
	beat("n1", 4);
	expect(view("n1").isLending).toBe(true);
	propose("n1", "x", acknowledgement);
	beat("n1", 2);
	expect(view("n1").isLending).toBe(lends);
	// For a second.
	beat("n1", 17);
	expect(view("n1").isLending).toBe(lends);
	beat("n1", 5);
	expect(view("n1").isLending).toBe(true);
});

test("a witness has no place in the chain, and who is removed loses it at once", () => {
	const { simulation, change, settle, beat, chain, view } = world(ofFour);
	simulation.addNode("w1");
	change("n1", [{ change: "add", id: "w1", peer: "w1:1", as: "witness" }], true);
	settle();
	beat("n1", 4);
	expect(view("w1").lastIndex).toBe(view("n1").lastIndex);
	expect(chain()).toEqual(["n2", "n3", "n4"]);
	change("n1", [{ change: "remove", id: "n3" }]);
	settle();
	expect(chain()).toEqual(["n2", "n4"]);
	// It is told for a while that it is none any more.
	expect([...view("n1").progress.keys()]).toContain("n3");
});

test("who is silent for three heartbeat intervals passes nothing on any more", () => {
	const { beat, tick, away, chain } = world();
	away.add("n3");
	beat("n1", 2);
	tick("n1", 49);
	expect(chain()).toEqual(["n2", "n3"]);
	tick("n1", 1);
	expect(chain()).toEqual(["n2"]);
});

test("a new leader orders those whose logs it knows, before they have said what their databases hold", () => {
	const { step, settle, tick, view } = world();
	step("n1", { type: "transfer", to: "n2" });
	settle((message) => message.type === "heartbeat-request" && message.from === "n2");
	expect(view("n2")).toMatchObject({ established: true, chain: [] });
	tick("n2", 10);
	expect(view("n2").chain).toEqual(["n1", "n3"]);
});

test("whoever makes nothing durable is waited for as long as an in-sync lease lasts, to the millisecond", () => {
	const { propose, settle, beat, tick, away, chain } = world();
	away.add("disk of n3");
	propose("n1", "x");
	settle();
	beat("n1", syncLeaseMs / 50);
	expect(chain()).toEqual(["n2", "n3"]);
	tick("n1", 1);
	expect(chain()).toEqual(["n2"]);
});

test("the tail whose database hangs leaves, and with it the one before if it hangs too", () => {
	const { propose, settle, beat, tick, away, chain, waiting } = world(ofFour);
	away.add("database of n4");
	propose("n1", "x", { mode: "chain" });
	settle();
	beat("n1", syncLeaseMs / 50);
	expect([chain(), waiting()]).toEqual([["n2", "n3", "n4"], 1]);
	tick("n1", 1);
	expect(chain()).toEqual(["n2", "n3"]);
	settle();
	expect(waiting()).toBe(0);

	const both = world();
	for (const id of ["n2", "n3"]) both.away.add(`database of ${id}`);
	both.propose("n1", "x", { mode: "chain" });
	both.settle();
	both.beat("n1", syncLeaseMs / 50);
	expect(both.chain()).toEqual(["n2", "n3"]);
	both.tick("n1", 1);
	expect(both.chain()).toEqual([]);
	expect(both.waiting()).toBe(0);
});

test("the tail whose database hangs stays where nobody waits for it in mode chain", () => {
	const { propose, settle, beat, away, chain, view } = world();
	away.add("database of n3");
	propose("n1", "x", { mode: "sync", strict: true });
	settle();
	beat("n1", syncLeaseMs / 50 + 10);
	expect(view("n1").unacknowledgedBy({ mode: "sync", strict: true })).toBe(1);
	expect(chain()).toEqual(["n2", "n3"]);
});

test("one in the middle whose disk hangs leaves alone: the others keep their order", () => {
	const { step, propose, settle, beat, tick, away, chain, waiting } = world(ofFour);
	step("n1", { type: "unreachable", node: "n2" });
	expect(chain()).toEqual(["n3", "n4"]);
	beat("n1", 3);
	expect(chain()).toEqual(["n3", "n4", "n2"]);
	away.add("disk of n3");
	propose("n1", "x", { mode: "chain" });
	settle();
	beat("n1", syncLeaseMs / 50);
	expect([chain(), waiting()]).toEqual([["n3", "n4", "n2"], 1]);
	tick("n1", 1);
	expect([chain(), waiting()]).toEqual([["n4", "n2"], 0]);
});

test("the slowest in the chain has a window for all, and what waits for it tells the commit index too", () => {
	const { propose, settle, tick, away, view, matchOf } = world(ofThree, { maxInFlightBytes: 200 });
	away.add("disk of n3");
	for (const _ of [1, 2]) {
		expect(sent(propose("n1", entry))).toEqual(["n2 n3 send-entries"]);
		settle();
	}
	expect(sent(propose("n1", entry))).toEqual([]);
	settle();
	const { lastIndex, commitIndex } = view("n1");
	expect([commitIndex, matchOf("n2"), matchOf("n3")]).toEqual([lastIndex - 1, lastIndex - 1, lastIndex - 3]);
	expect(sent(tick("n1", 10))).toEqual([]);
	away.clear();
	settle();
	expect([view("n1").commitIndex, matchOf("n2"), matchOf("n3")]).toEqual([lastIndex, lastIndex, lastIndex]);
});

test("what is committed is told along the chain, also if the tail knows it already", () => {
	const { propose, settle, tick, away, take, view } = world(["n1", "n2", "n3", "n4", "n5"]);
	// The tail completes the majority, and is told at once.
	for (const id of ["n2", "n3"]) away.add(`disk of ${id}`);
	take("n1");
	propose("n1", "x", { mode: "chain" });
	settle();
	expect(sent(take("n1"))).toContain("n5 apply-request");
	const [told] = ofType(tick("n1", 10), "send");
	expect(told?.message).toMatchObject({
		type: "chain-append",
		to: "n2",
		entries: [],
		commitIndex: view("n1").commitIndex,
		route: ["n3", "n4", "n5"],
	});
});

test("nothing is told along the chain by a leader whose disk hangs", () => {
	const { propose, settle, beat, tick, away, view } = world();
	const { commitIndex } = view("n1");
	const isAcknowledgement = ({ type }: ConsensusMessage): boolean => type === "append-response";
	away.add("disk of n1");
	propose("n1", "x");
	beat("n1", diskStallMs / 50, isAcknowledgement);
	tick("n1", 1);
	settle();
	expect(view("n1")).toMatchObject({ commitIndex: commitIndex + 1, chain: ["n2", "n3"] });
	expect(sent(tick("n1", 10))).toEqual([]);
});

test("who lacks something is sent it directly, and stands in the chain when it has been sent all", () => {
	const { step, propose, settle, beat, tick, away, chain, matchOf, view } = world(ofThree, {
		maxInFlightBytes: 100,
	});
	step("n1", { type: "unreachable", node: "n3" });
	propose("n1", entry);
	settle();
	beat("n1", 1);
	expect([chain(), matchOf("n3")]).toEqual([["n2"], view("n1").lastIndex]);
	away.add("disk of n3");
	expect(sent(propose("n1", entry))).toEqual(["n2 send-entries", "n3 send-entries"]);
	settle();
	expect(sent(propose("n1", entry))).toEqual(["n2 send-entries"]);
	settle();
	expect(chain()).toEqual(["n2"]);
	tick("n1", 10);
	// It lacks the last one alone.
	expect(chain()).toEqual(["n2"]);
	away.clear();
	settle();
	tick("n1", 10);
	expect(chain()).toEqual(["n2", "n3"]);
});

/** n3 holds up n2, which stands before it, and n4 and n5 are ahead of both: they were served directly. */
function withSomeAhead() {
	const group = world(["n1", "n2", "n3", "n4", "n5"], { maxInFlightBytes: 200 });
	for (const node of ["n4", "n5"]) group.step("n1", { type: "unreachable", node });
	group.away.add("disk of n3");
	for (const _ of [1, 2, 3]) {
		group.propose("n1", entry);
		group.settle();
	}
	group.beat("n1", 1);
	const { lastIndex, commitIndex } = group.view("n1");
	expect(commitIndex).toBe(lastIndex);
	expect(["n2", "n3", "n4", "n5"].map(group.matchOf)).toEqual([
		lastIndex - 1,
		lastIndex - 3,
		lastIndex,
		lastIndex,
	]);
	return group;
}

test("who was sent more than those in the chain has no place in it, and is served directly until they have it too", () => {
	const { propose, settle, beat, tick, away, chain, view, matchOf } = withSomeAhead();
	tick("n1", 10);
	expect(chain()).toEqual(["n2", "n3"]);
	expect(sent(propose("n1", entry))).toEqual(["n4 send-entries", "n5 send-entries"]);
	settle();
	expect(chain()).toEqual(["n2", "n3"]);
	away.clear();
	settle();
	beat("n1", 1);
	expect(["n2", "n3", "n4", "n5"].map(matchOf)).toEqual(Array(4).fill(view("n1").lastIndex));
	beat("n1", 1);
	expect(chain()).toEqual(["n2", "n3", "n4", "n5"]);
});

test("where the log begins after what those in the chain lack, it is nobody's any more, and they get snapshots", () => {
	const { simulation, node, propose, settle, beat, away, chain, view, take } = withSomeAhead();
	propose("n1", entry);
	settle();
	simulation.compact(node("n1"), view("n1").lastIndex);
	expect(view("n1").base.index).toBe(view("n1").lastIndex);
	take("n1");
	away.clear();
	settle();
	expect(chain()).toEqual([]);
	beat("n1", 1, ({ type }) => type === "heartbeat-response");
	settle();
	const copied = ofType(take("n1"), "send-snapshot").map(({ to }) => to);
	expect(copied.sort()).toEqual(["n2", "n3"]);
});

test("nothing is overdue that has been on its way along the chain for less than a heartbeat interval", () => {
	const { propose, beat, read, settle, take, tick, simulation } = world();
	propose("n1", "x");
	beat("n1", 1, isChainAppend);
	simulation.now += 10;
	take("n1");
	read("n1", 1);
	settle(isChainAppend);
	expect(sent(take("n1"))).toEqual(["n2 heartbeat-request", "n3 heartbeat-request"]);
	// The next one comes an interval after the first.
	tick("n1", 50);
	settle(isChainAppend);
	expect(sent(take("n1"))).toContain("n3 append-request");
});

test("nor while something of it comes: in the log of the follower, or on its disk", () => {
	const { propose, beat, settle, deliver, take, away, view, matchOf } = world(["n1", "n2"]);
	// To one that stands alone in the chain entries come as they do without it.
	const isAppend = (message: ConsensusMessage): boolean =>
		message.type === "append-request" || isChainAppend(message);
	const { lastIndex } = view("n1");
	const asks = (): boolean => {
		take("n1");
		beat("n1", 1, isAppend);
		return sent(take("n1")).includes("n2 append-request");
	};
	for (const _ of [1, 2]) propose("n1", "x");
	expect(asks()).toBe(false);
	away.add("disk of n2");
	deliver(isAppend);
	expect([asks(), view("n2").lastIndex, matchOf("n2")]).toEqual([false, lastIndex + 1, lastIndex]);
	away.clear();
	settle(isAppend);
	expect([asks(), view("n2").lastIndex, matchOf("n2")]).toEqual([false, lastIndex + 1, lastIndex + 1]);
	// And now it is.
	expect(asks()).toBe(true);
});

/** What was sent along the chain is lost before anybody has it, and all have been asked for it directly. */
function withLostAppend() {
	const group = world(ofFour);
	group.propose("n1", "x");
	group.simulation.inFlight.length = 0;
	const isRefusal = ({ type }: ConsensusMessage): boolean => type === "append-response";
	group.beat("n1", 2, isRefusal);
	const refuses = (id: NodeId): void =>
		group.deliver(({ from, type }) => from === id && type === "append-response");
	return { ...group, refuses };
}

test("the first in the chain refuses what was lost before it: the others stay where they are", () => {
	const { refuses, chain } = withLostAppend();
	expect(chain()).toEqual(["n2", "n3", "n4"]);
	refuses("n2");
	expect(chain()).toEqual(["n3", "n4"]);
});

test("a link is not to blame for what did not come to where it begins", () => {
	const { refuses, settle, beat, chain, view, matchOf } = withLostAppend();
	refuses("n3");
	expect(chain()).toEqual(["n2", "n4"]);
	settle();
	beat("n1", 1);
	expect(["n2", "n3", "n4"].map(matchOf)).toEqual(Array(3).fill(view("n1").lastIndex));
	expect(chain()).toEqual(["n2", "n3", "n4"]);
});
