/** Who was removed while it could read by itself gives that up, and holds up no write until its lease would have ended. */
import { expect, test } from "vitest";
import { encodeConfiguration } from "./configuration.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { watch } from "./testing/checker.ts";
import { createLoneCore, type LoneCore, three } from "./testing/lone-core.ts";
import { createSimulation, type SimulatedNode, textBytes } from "./testing/simulation.ts";
import type { Configuration, LogIndex, NodeId } from "./types.ts";

const settings = { ...defaultConsensusSettings, chain: true };

test.each(["n2", "n3"])("%s is removed, and a write goes on at once", (removed) => {
	const simulation = createSimulation({ ids: ["n1", "n2", "n3"], settings, seed: 1 });
	watch(simulation);
	const node = (id: NodeId): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const leader = () => {
		const { core } = node("n1");
		if (core === null) throw new Error("n1 is down");
		return core.view;
	};
	const settle = (): void => {
		for (let round = 0; round < 10; round++) {
			for (const each of simulation.nodes.values()) {
				simulation.completeDisk(each, 100);
				simulation.apply(each);
			}
			for (const message of simulation.inFlight.splice(0)) simulation.deliver(message);
		}
	};
	const pass = (): void => {
		simulation.now += 10;
		for (const each of simulation.nodes.values()) simulation.step(each, { type: "tick" });
		settle();
	};
	for (let each = 0; each < 100 && leader().role !== "leader"; each++) {
		simulation.now += 10;
		simulation.step(node("n1"), { type: "tick" });
		settle();
	}
	for (let each = 0; each < 50; each++) pass();
	expect([leader().isLending, leader().chain]).toEqual([true, ["n2", "n3"]]);
	const change = { change: "remove", id: removed } as const;
	simulation.step(node("n1"), { type: "change-members", changes: [change], force: false, dryRun: false });
	settle();
	let longestMs = 0;
	for (let each = 0; each < 20; each++) {
		const beganAt = simulation.now;
		simulation.step(node("n1"), {
			type: "propose",
			entries: [{ kind: "command", payload: textBytes("x") }],
			acknowledgement: { mode: "chain" },
		});
		settle();
		while (leader().unacknowledgedBy({ mode: "chain" }) > 0 && simulation.now < beganAt + 5_000) pass();
		longestMs = Math.max(longestMs, simulation.now - beganAt);
		pass();
	}
	expect(longestMs).toBeLessThanOrEqual(2 * settings.heartbeatIntervalMs);
});

/** n2 leads, and n1 hears of this configuration, which is committed; then it is all that n1's log knows. */
function learn(lone: LoneCore, index: LogIndex, value: Configuration): void {
	const previous = { index: index - 1, term: index === 1 ? 0 : 2 };
	const entry = { index, term: 2, kind: "configuration", payload: encodeConfiguration(value) } as const;
	lone.hear("n2", 2, { type: "append-request", previous, entries: [entry], commitIndex: index });
	lone.durable();
	lone.step({ type: "applied", index });
	lone.step({ type: "compacted", index });
	expect(lone.core.view).toMatchObject({ base: { index }, configurationIndex: index, configuration: value });
}

/** n1 takes over from n2, and n2 follows. For how long a write of mode sync waits all the same. */
function waitsForMs(lone: LoneCore): number {
	const { view } = lone.core;
	const hearN2 = (round: number) => {
		const { lastIndex, term } = view;
		lone.hear("n2", term, { type: "append-response", result: { accepted: true, matchIndex: lastIndex } });
		lone.durable();
		lone.step({ type: "applied", index: view.commitIndex });
		return lone.hear("n2", term, {
			type: "heartbeat-response",
			round,
			lastIndex,
			appliedIndex: view.commitIndex,
		});
	};
	lone.hear("n2", 2, { type: "timeout-now" });
	lone.durable();
	lone.hear("n2", 3, { type: "vote-response", granted: true });
	hearN2(1);
	expect(view.established).toBe(true);
	const beganAt = lone.now;
	lone.step({
		type: "propose",
		entries: [{ kind: "command", payload: textBytes("x") }],
		acknowledgement: { mode: "sync", strict: false },
	});
	for (let round = 1; round < 100; round++) {
		hearN2(round);
		if (view.unacknowledgedBy({ mode: "sync", strict: true }) === 0) break;
		lone.now += settings.heartbeatIntervalMs;
		lone.tick();
	}
	return lone.now - beganAt;
}

test("a leader that only knows that somebody was removed waits for the lease which that one may hold", () => {
	const { syncLeaseMs, maxClockDrift } = settings;
	const without: Configuration = {
		...three,
		members: three.members.slice(0, 2),
		voters: ["n1", "n2"],
		retired: ["n3"],
	};
	const longestMs = syncLeaseMs * (1 + maxClockDrift);
	const atOnce = createLoneCore();
	atOnce.now = 5_000;
	learn(atOnce, 1, without);
	atOnce.now += 100;
	const waitedMs = waitsForMs(atOnce);
	expect(waitedMs).toBeGreaterThan(longestMs - 100);
	expect(waitedMs).toBeLessThanOrEqual(longestMs - 100 + settings.heartbeatIntervalMs);
	// One more is removed: again.
	const twice = createLoneCore();
	twice.now = 5_000;
	learn(twice, 1, { ...without, retired: ["n0", "n3"] });
	twice.now = 9_000;
	learn(twice, 2, { ...without, retired: ["n0", "n3", "n4"] });
	expect(waitsForMs(twice)).toBeGreaterThan(longestMs - 1);
	// That was long ago; what changed since then removed nobody.
	const longAgo = createLoneCore();
	longAgo.now = 5_000;
	learn(longAgo, 1, without);
	longAgo.now = 9_000;
	learn(longAgo, 2, { ...without, elector: "raft" });
	expect(waitsForMs(longAgo)).toBe(0);
});
