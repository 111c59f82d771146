/** Who was removed hears the leader until it knows that, or for ten election timeouts; then it is as if it had never been. */
import { expect, test } from "vitest";
import type { HeartbeatRequest } from "./message.ts";
import type { Output } from "./output.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createLoneCore, elect, follow, type LoneCore, messagesIn } from "./testing/lone-core.ts";
import type { NodeId } from "./types.ts";

const { electionTimeoutMs, heartbeatIntervalMs } = defaultConsensusSettings;

/** n1 leads, and n3, which had everything before, is removed: that is committed. */
function removed(): LoneCore {
	const lone = createLoneCore();
	elect(lone);
	follow(lone, "n2");
	follow(lone, "n3");
	const change = { change: "remove", id: "n3" } as const;
	lone.step({ type: "change-members", changes: [change], force: true, dryRun: false });
	lone.durable();
	for (let each = 0; each < 3; each++) follow(lone);
	const { configuration, commitIndex, lastIndex, configurationIndex } = lone.core.view;
	expect([configuration.voters, configuration.retired]).toEqual([["n1", "n2"], ["n3"]]);
	expect([commitIndex, configurationIndex, lastIndex]).toEqual([3, 3, 3]);
	return lone;
}

function heartbeatsIn(outputs: readonly Output[]): HeartbeatRequest[] {
	return messagesIn(outputs).filter((one) => one.type === "heartbeat-request");
}

/** The heartbeats of the next round; n2 answers its own. */
function beat(lone: LoneCore): HeartbeatRequest[] {
	lone.now += heartbeatIntervalMs;
	const sent = heartbeatsIn(lone.tick());
	for (const { to, round } of sent) if (to === "n2") answer(lone, "n2", round);
	return sent;
}

function answer(lone: LoneCore, from: NodeId, round: number): void {
	const { lastIndex, term } = lone.core.view;
	lone.hear(from, term, { type: "heartbeat-response", round, lastIndex, appliedIndex: 0 });
}

const known = (lone: LoneCore): NodeId[] => [...lone.core.view.progress.keys()].toSorted();

test("it is left alone with its answer to the first heartbeat that told it, not to one before", () => {
	const lone = removed();
	const [, untold] = beat(lone);
	expect(untold).toMatchObject({ to: "n3", commitIndex: 1 });
	follow(lone, "n3");
	const [, told] = beat(lone);
	expect(told).toMatchObject({ to: "n3", commitIndex: 3 });
	answer(lone, "n3", untold?.round ?? 0);
	expect(known(lone)).toEqual(["n2", "n3"]);
	// It is told again meanwhile, and that changes nothing.
	const [, again] = beat(lone);
	expect(again).toMatchObject({ to: "n3", commitIndex: 3 });
	answer(lone, "n3", told?.round ?? 0);
	expect(known(lone)).toEqual(["n2"]);
	expect(beat(lone).map(({ to }) => to)).toEqual(["n2"]);
	// Its later answer is a stranger's.
	answer(lone, "n3", again?.round ?? 0);
	expect([known(lone), lone.core.view.role]).toEqual([["n2"], "leader"]);
});

test("who stays is not taken for one that departs", () => {
	const lone = removed();
	for (let each = 0; each < 3; each++) beat(lone);
	expect(known(lone)).toEqual(["n2", "n3"]);
});

test("one that says nothing hears the leader for ten election timeouts", () => {
	const lone = removed();
	const endsAt = lone.now + 10 * electionTimeoutMs;
	while (lone.now + heartbeatIntervalMs < endsAt)
		expect(beat(lone).map(({ to }) => to)).toEqual(["n2", "n3"]);
	lone.now = endsAt - 1;
	lone.tick();
	expect(known(lone)).toEqual(["n2", "n3"]);
	lone.now = endsAt;
	expect(heartbeatsIn(lone.tick()).map(({ to }) => to)).toEqual(["n2"]);
	expect(known(lone)).toEqual(["n2"]);
	expect(beat(lone).map(({ to }) => to)).toEqual(["n2"]);
});
