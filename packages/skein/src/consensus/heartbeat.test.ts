/** What a round of heartbeats says, to whom, when it must not begin, and when nobody can be said to hear it any more. */
import { expect, test } from "vitest";
import { initialConfiguration } from "./configuration.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createLoneCore, elect, follow, type LoneCore, messagesIn } from "./testing/lone-core.ts";

const { electionTimeoutMs, heartbeatIntervalMs, diskStallMs } = defaultConsensusSettings;

/** n2 answers the heartbeats of this tick; what it was told of. */
function beat(lone: LoneCore): number[] {
	lone.now += heartbeatIntervalMs;
	const sent = messagesIn(lone.tick());
	const rounds = sent.flatMap((one) =>
		one.type === "heartbeat-request" && one.to === "n2" ? [one.round] : [],
	);
	for (const round of rounds) answer(lone, round);
	return rounds;
}

function answer(lone: LoneCore, round: number) {
	const { lastIndex, commitIndex, term } = lone.core.view;
	return lone.hear("n2", term, { type: "heartbeat-response", round, lastIndex, appliedIndex: commitIndex });
}

test("a round is noted before its messages are sent: the leader's own lease counts from there", () => {
	const lone = createLoneCore();
	const term = elect(lone);
	follow(lone);
	lone.now += heartbeatIntervalMs;
	const said = lone.tick().map((output) => (output.type === "send" ? output.message : output));
	expect(said.slice(0, 3)).toMatchObject([
		{ type: "lease-asked", term, round: 2 },
		{ type: "heartbeat-request", to: "n2", round: 2 },
		{ type: "heartbeat-request", to: "n3", round: 2 },
	]);
});

test("a leader of nobody else holds its lease with each round that it begins", () => {
	const value = initialConfiguration([{ id: "n1", peer: "n1:1" }]);
	const lone = createLoneCore({ configuration: { index: 0, value } });
	elect(lone);
	// The barrier's own round.
	expect(lone.core.view.established).toBe(true);
	for (let round = 2; round < 5; round++) {
		lone.now += heartbeatIntervalMs;
		expect(lone.tick()).toMatchObject([
			{ type: "lease-asked", round },
			{ type: "leased", round, reads: null },
		]);
	}
});

test("a leader whose disk hangs begins no round, and answers no read by an earlier one", () => {
	const lone = createLoneCore();
	elect(lone);
	follow(lone);
	const payload = new Uint8Array(1);
	lone.step({ type: "propose", entries: [{ kind: "command", payload }], acknowledgement: null });
	const rounds: number[] = [];
	for (let passedMs = 0; passedMs <= diskStallMs; passedMs += heartbeatIntervalMs) rounds.push(...beat(lone));
	const latest = rounds.at(-1) ?? 0;
	expect(latest).toBeGreaterThan(diskStallMs / heartbeatIntervalMs - 1);
	expect(lone.step({ type: "read", readId: 7 })).toEqual([]);
	lone.now += heartbeatIntervalMs;
	expect(lone.tick()).toEqual([]);
	expect(answer(lone, latest)).toEqual([]);
	// It works again.
	lone.durable();
	lone.now += heartbeatIntervalMs;
	expect(messagesIn(lone.tick())).toMatchObject([
		{ type: "heartbeat-request", to: "n2", round: latest + 1 },
		{ type: "heartbeat-request", to: "n3", round: latest + 1 },
	]);
	const late = answer(lone, latest);
	expect(late.filter(({ type }) => type === "read-ready")).toEqual([]);
	expect(answer(lone, latest + 1)).toContainEqual({ type: "read-ready", readId: 7, index: 1 });
});

test("a leader leads until it has heard no quorum for a whole election timeout, not longer", () => {
	const lone = createLoneCore();
	elect(lone);
	lone.now += 20;
	follow(lone);
	lone.now += electionTimeoutMs - 1;
	lone.tick();
	expect(lone.core.view.role).toBe("leader");
	lone.now += 1;
	lone.tick();
	expect([lone.core.view.role, lone.core.view.leader]).toEqual(["follower", null]);
});
