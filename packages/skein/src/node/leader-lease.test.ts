/** Linearizable reads without a round of messages, and when there must be one. */
import { expect, test } from "vitest";
import { defaultConsensusSettings, leaderLeaseMs } from "../consensus/settings.ts";
import { createLeaderLease } from "./leader-lease.ts";
import type { Answer } from "./service.ts";
import { defaultNodeSettings } from "./settings.ts";
import {
	createCluster,
	insert,
	type Member,
	program,
	request,
	rowsOf,
	type Watched,
	watch,
} from "./testing/cluster.ts";
import { isOfType } from "./testing/parts.ts";

const leaseMs = leaderLeaseMs(defaultConsensusSettings);

function ask(
	{ node }: Member,
	sql: string | readonly [string, string] = "SELECT * FROM ledger",
): Watched<Answer> {
	return watch(
		node?.service.openStream().run(program(sql), request) ?? Promise.reject(new Error("it is down")),
	);
}

test("it holds for so long after a confirmed round began, if both clocks can tell", () => {
	const state = { confirmedForMs: 0 as number | null, leasedIndex: 7 as number | null };
	const lease = createLeaderLease({
		view: () => state,
		inSync: { confirmedForMs: () => state.confirmedForMs },
		settings: defaultConsensusSettings,
	});
	expect(lease()).toBe(7);
	state.confirmedForMs = leaseMs - 0.001;
	expect(lease()).toBe(7);
	state.confirmedForMs = leaseMs;
	expect(lease()).toBe(null);
	state.confirmedForMs = null;
	expect(lease()).toBe(null);
	state.confirmedForMs = 0;
	state.leasedIndex = null;
	expect(lease()).toBe(null);
});

test("a leader that nobody hears any more reads on until its lease ends, and not a moment longer", async () => {
	const cluster = await createCluster({ size: 3, seed: 5 });
	const leader = await cluster.leader();
	const written = ask(leader, insert("a"));
	await cluster.clock.run(200);
	expect(written.error).toBe(null);
	cluster.network.cut(leader.id, true);
	await cluster.clock.run(leaseMs / 2);
	const early = ask(leader);
	await cluster.clock.run(1);
	expect(early.value === null ? null : rowsOf(early.value)).toEqual(["a"]);
	// Its last confirmed round began before the cut.
	await cluster.clock.run(leaseMs / 2);
	const late = ask(leader);
	await cluster.clock.run(1_000);
	expect(late.value).toBe(null);
});

test("without the setting each read waits for a round", async () => {
	const consensus = { ...defaultNodeSettings.consensus, leaderLease: false };
	const cluster = await createCluster({ size: 3, seed: 5, settings: { consensus } });
	const leader = await cluster.leader();
	await cluster.clock.run(200);
	cluster.network.cut(leader.id, true);
	const read = ask(leader);
	await cluster.clock.run(100);
	expect(read.settled).toBe(false);
});

test("a follower's question is answered under the lease too", async () => {
	const cluster = await createCluster({ size: 3, seed: 6 });
	const leader = await cluster.leader();
	const follower = cluster.members.find((member) => member !== leader);
	if (follower === undefined) throw new Error("no follower");
	const written = ask(leader, insert("b"));
	await cluster.clock.run(200);
	expect(written.error).toBe(null);
	// No heartbeat is answered any more, so no round is confirmed.
	cluster.network.intercept = (sent) => (isOfType(sent, "heartbeat-response") ? null : sent.bytes);
	const read = ask(follower);
	await cluster.clock.run(60);
	expect(read.value === null ? null : rowsOf(read.value)).toEqual(["b"]);
});
