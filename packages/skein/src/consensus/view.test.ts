/** What others may see of a core: as a leader, and where it does not lead. */
import { expect, test } from "vitest";
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createLoneCore, elect, follow, type LoneCore, three } from "./testing/lone-core.ts";
import type { LogIndex, NodeId } from "./types.ts";

const { heartbeatIntervalMs } = defaultConsensusSettings;

/** n1 leads, and n2 has everything. */
function leading(): LoneCore {
	const lone = createLoneCore();
	elect(lone);
	follow(lone);
	expect(lone.core.view.role).toBe("leader");
	return lone;
}

/** n3 answers the heartbeat of the next round. */
function beat(lone: LoneCore, appliedIndex: LogIndex): void {
	lone.now += heartbeatIntervalMs;
	const asked = lone.tick().find(({ type }) => type === "lease-asked");
	if (asked?.type !== "lease-asked") throw new Error("no round began");
	const { lastIndex, term } = lone.core.view;
	lone.hear("n3", term, { type: "heartbeat-response", round: asked.round, lastIndex, appliedIndex });
}

test("where a member does not lead there is nothing that only a leader has", () => {
	const { view } = createLoneCore({ settings: { ...defaultConsensusSettings, chain: true } }).core;
	const { role, established, isChainUsed, isLending, chain, pendingReads, leasedIndex, progress } = view;
	expect({ role, established, isChainUsed, isLending, chain, pendingReads, leasedIndex }).toEqual({
		role: "follower",
		established: false,
		isChainUsed: false,
		isLending: false,
		chain: [],
		pendingReads: 0,
		leasedIndex: null,
	});
	expect(progress.size).toBe(0);
	expect(view.unacknowledgedBy({ mode: "chain" })).toBe(0);
});

test("the chain is used where somebody asked for it", () => {
	const lone = leading();
	expect([lone.core.view.isChainUsed, lone.core.view.isLending]).toEqual([false, false]);
	lone.step({ type: "use-chain", always: true });
	expect(lone.core.view.isChainUsed).toBe(true);
});

test("the elector that runs is named, and for how long it may not stand", () => {
	const lone = createLoneCore({ settings: { ...defaultConsensusSettings, elector: "bully" } });
	expect(lone.core.view.elector).toBe("bully");
	lone.step({ type: "hold-back", reason: "paused", forMs: 500 });
	lone.step({ type: "hold-back", reason: "unfit", forMs: 200 });
	lone.step({ type: "hold-back", reason: "stepped-down", forMs: 50 });
	lone.now += 100;
	lone.tick();
	expect(lone.core.view.heldBackForMs).toEqual({ paused: 400, unfit: 100, "stepped-down": 0 });
});

test("all reads that wait are counted, those of the present round and those for the next", () => {
	const lone = leading();
	for (const readId of [1, 2, 3]) lone.step({ type: "read", readId });
	expect(lone.core.view.pendingReads).toBe(3);
});

test("writes are counted that wait for the same", () => {
	const lone = leading();
	const count = (acknowledgement: Acknowledgement) => lone.core.view.unacknowledgedBy(acknowledgement);
	const payload = new Uint8Array(1);
	const acknowledgement = { mode: "semi-sync", followers: 1 } as const;
	lone.step({ type: "propose", entries: [{ kind: "command", payload }], acknowledgement });
	expect([count(acknowledgement), count({ mode: "chain" })]).toEqual([1, 0]);
});

test("the configuration at an index is the last one up to there", () => {
	const base = { index: 3, term: 1 };
	const at = (index: LogIndex) => ({ index, value: three });
	const { view } = createLoneCore({
		base,
		terms: [1, 1, 1],
		configuration: at(2),
		configurations: [at(5), at(6)],
	}).core;
	expect([3, 4, 5, 6].map((index) => view.configurationAt(index).index)).toEqual([2, 2, 5, 6]);
	expect(() => view.configurationAt(1)).toThrow("no configuration is known at 1");
	// Each entry has one byte, and 32 besides.
	expect([3, 5, 6].map((index) => view.bytesAfter(index))).toEqual([99, 33, 0]);
});

/** What n1 knows of a member's database: up to where, and since when it lacks something. */
function known(lone: LoneCore, node: NodeId) {
	const progress = lone.core.view.progress.get(node);
	return [progress?.appliedIndex, progress?.lacksForMs];
}

test("since when a member lacks something is known once it has said what it has", () => {
	const lone = createLoneCore();
	elect(lone);
	lone.now += 20;
	follow(lone);
	const committedAt = lone.now;
	expect(known(lone, "n3")).toEqual([null, null]);
	beat(lone, 0);
	expect(known(lone, "n3")).toEqual([0, lone.now - committedAt]);
	lone.now += 7;
	lone.tick();
	expect(known(lone, "n3")).toEqual([0, lone.now - committedAt]);
	beat(lone, 1);
	expect(known(lone, "n3")).toEqual([1, 0]);
});

test("of what was committed under earlier leaders it is known that it is lacked since this one leads, at least", () => {
	const lone = createLoneCore({ terms: [1, 1, 1], commitIndex: 3 });
	elect(lone);
	const since = lone.now;
	follow(lone);
	beat(lone, 2);
	expect(known(lone, "n3")).toEqual([2, lone.now - since]);
});

test("a witness has no lease, and nothing is known of a database that it does not have", () => {
	const members = [...three.members.slice(0, 2), { id: "n3", peer: "n3:1", witness: true as const }];
	const lone = createLoneCore({ configuration: { index: 0, value: { ...three, members } } });
	elect(lone);
	follow(lone);
	expect(lone.core.view.progress.get("n3")).toMatchObject({
		appliedIndex: null,
		inSync: false,
		lacksForMs: null,
	});
});
