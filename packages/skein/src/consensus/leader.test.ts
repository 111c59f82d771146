/** A leader by itself: which proposals it refuses, to the byte and the millisecond when it gives way, and what a tick makes good. */
import { expect, test } from "vitest";
import type { Acknowledgement } from "./acknowledge/acknowledgement.ts";
import type { Output } from "./output.ts";
import { defaultConsensusSettings } from "./settings.ts";
import type { LoneOptions } from "./testing/lone-core.ts";
import { createLoneCore, elect, entriesOf, follow, type LoneCore } from "./testing/lone-core.ts";
import type { LogIndex, NodeId } from "./types.ts";

const { diskStallMs, electionTimeoutMs, heartbeatIntervalMs, transferTimeoutMs } = defaultConsensusSettings;

/** n1 leads, the others have its barrier. */
function leading(options: LoneOptions = {}): LoneCore {
	const lone = createLoneCore(options);
	elect(lone);
	follow(lone, "n2");
	follow(lone, "n3");
	expect(lone.core.view).toMatchObject({ established: true, commitIndex: 1, lastIndex: 1 });
	return lone;
}

/** Entries with so many bytes each. Why they were refused; null: they were not. */
function propose(
	lone: LoneCore,
	sizes: readonly number[],
	acknowledgement: Acknowledgement | null = null,
): string | null {
	const entries = sizes.map((size) => ({ kind: "command" as const, payload: new Uint8Array(size) }));
	const outputs = lone.step({ type: "propose", entries, acknowledgement });
	const refused = outputs.find(({ type }) => type === "proposal-refused");
	return refused?.type === "proposal-refused" ? refused.reason : null;
}

function answer(lone: LoneCore, from: NodeId, round: number): Output[] {
	const { lastIndex, term } = lone.core.view;
	return lone.hear(from, term, { type: "heartbeat-response", round, lastIndex, appliedIndex: 0 });
}

function match(lone: LoneCore, from: NodeId, matchIndex: LogIndex): Output[] {
	const { term } = lone.core.view;
	return lone.hear(from, term, { type: "append-response", result: { accepted: true, matchIndex } });
}

const wait = (lone: LoneCore, index: LogIndex, acknowledgement: Acknowledgement): Output[] =>
	lone.step({ type: "await-acknowledgement", index, acknowledgement, waiter: 1 });

const typesOf = (outputs: readonly Output[]): string[] =>
	outputs.map((output) =>
		output.type === "send" ? `${output.message.type} ${output.message.to}` : output.type,
	);

test("who does not lead refuses proposals, and so does who has not committed its barrier", () => {
	const lone = createLoneCore();
	expect(propose(lone, [1])).toBe("not-leader");
	elect(lone);
	expect(propose(lone, [1])).toBe("not-established");
	follow(lone);
	expect(propose(lone, [1])).toBe(null);
	expect(() => propose(lone, [])).toThrow("an empty proposal");
});

test("so many wait at once, and more are refused; who waits for the commit alone is not", () => {
	const lone = leading({ settings: { ...defaultConsensusSettings, maxUnacknowledged: 2 } });
	const both: Acknowledgement = { mode: "semi-sync", followers: 2 };
	const modes: readonly (Acknowledgement | null)[] = [both, both, both, { mode: "quorum" }, null];
	expect(modes.map((mode) => propose(lone, [1], mode))).toEqual([null, null, "overloaded", null, null]);
	lone.durable();
	for (const node of ["n2", "n3"]) match(lone, node, lone.core.view.lastIndex);
	expect(propose(lone, [1], both)).toBe(null);
});

test("what is not committed has room up to a limit, all of a proposal counted; one alone may be larger", () => {
	const lone = leading({ settings: { ...defaultConsensusSettings, maxUncommittedBytes: 200 } });
	expect(propose(lone, [150, 150])).toBe(null);
	expect(propose(lone, [0])).toBe("overloaded");
	lone.durable();
	match(lone, "n2", 3);
	// With what an entry costs beside its payload 100 of the 200.
	expect(propose(lone, [68])).toBe(null);
	expect(propose(lone, [50, 51])).toBe("overloaded");
	expect(propose(lone, [50, 50])).toBe(null);
});

test("an earlier write is waited for as if it were proposed now", () => {
	const lone = leading();
	expect(wait(lone, 1, { mode: "quorum" })).toEqual([{ type: "acknowledged", index: 1, waiter: 1 }]);
	expect(lone.core.view.isChainUsed).toBe(false);
	expect(typesOf(wait(lone, 1, { mode: "sync", strict: false }))).toEqual([
		"apply-request n2",
		"apply-request n3",
	]);
	expect(lone.core.view.unacknowledgedBy({ mode: "sync", strict: false })).toBe(1);
	expect(lone.core.view.isChainUsed).toBe(false);
	wait(lone, 1, { mode: "chain" });
	expect(lone.core.view).toMatchObject({ isChainUsed: true, chain: ["n2", "n3"] });
});

/** The role with a tick so long after the last word of a quorum, in which this process slept for so long. */
function roleAfter(lone: LoneCore, silentMs: number, sleptMs: number): string {
	lone.now += silentMs;
	lone.step({ type: "slept", forMs: sleptMs });
	lone.tick();
	return lone.core.view.role;
}

test("who slept is excused for an election timeout, to the millisecond", () => {
	const lone = leading();
	expect(roleAfter(lone, electionTimeoutMs, electionTimeoutMs)).toBe("leader");
	lone.now += electionTimeoutMs - 1;
	lone.tick();
	expect(lone.core.view.role).toBe("leader");
	lone.now += 1;
	lone.tick();
	expect(lone.core.view.role).toBe("follower");
});

test("not who slept for two timeouts", () => {
	expect(roleAfter(leading(), 2 * electionTimeoutMs - 1, 2 * electionTimeoutMs - 1)).toBe("leader");
	expect(roleAfter(leading(), 2 * electionTimeoutMs, 2 * electionTimeoutMs)).toBe("follower");
});

test.each([
	[-1, "follower"],
	[0, "leader"],
])("nor within two timeouts after an excuse: %d ms after them it is a %s", (afterMs, role) => {
	const lone = leading();
	expect(roleAfter(lone, electionTimeoutMs, electionTimeoutMs)).toBe("leader");
	lone.now += 2 * electionTimeoutMs + afterMs;
	follow(lone);
	expect(roleAfter(lone, electionTimeoutMs, electionTimeoutMs)).toBe(role);
});

test("whose barrier is not committed within ten election timeouts gives way, then and not before", () => {
	const lone = createLoneCore();
	elect(lone);
	const endsAt = lone.now + 10 * electionTimeoutMs;
	for (const [now, role] of [
		[endsAt - 1, "leader"],
		[endsAt, "follower"],
	] as const) {
		lone.now = now;
		answer(lone, "n2", 1);
		lone.tick();
		expect(lone.core.view.role).toBe(role);
	}
});

test("to step down is nothing for who follows", () => {
	const lone = createLoneCore();
	const previous = { index: 0, term: 0 };
	lone.hear("n2", 2, { type: "append-request", previous, entries: entriesOf(2, 1, 1), commitIndex: 0 });
	lone.durable();
	expect(lone.step({ type: "step-down" })).toEqual([]);
	expect(lone.core.view).toMatchObject({ role: "follower", leader: "n2" });
});

test("the target of a transfer is told to stand with its own answers, not with those of others", () => {
	const lone = leading();
	expect(typesOf(lone.step({ type: "transfer", to: "n2" }))).toEqual(["timeout-now n2"]);
	expect(typesOf(answer(lone, "n3", 1))).toEqual(["leased"]);
	expect(typesOf(answer(lone, "n2", 1))).toEqual(["timeout-now n2"]);
});

test("a transfer is lost when the one that asked for it is elected once more", () => {
	const lone = leading();
	lone.step({ type: "transfer", to: "n2" });
	const endsAt = lone.now + transferTimeoutMs;
	const { term } = lone.core.view;
	// n2 stands, and nobody votes for it.
	lone.hear("n2", term + 1, { type: "vote-request", last: { index: 0, term: 0 }, transfer: true });
	lone.durable();
	expect(lone.core.view).toMatchObject({ role: "follower", transferTo: "n2" });
	lone.now += 2 * electionTimeoutMs;
	lone.tick();
	lone.hear("n2", term + 1, { type: "pre-vote-response", askedTerm: term + 2, granted: true });
	lone.durable();
	const said = lone.hear("n2", term + 2, { type: "vote-response", granted: true });
	expect(lone.now).toBeLessThan(endsAt);
	expect([lone.core.view.role, lone.core.view.transferTo]).toEqual(["leader", null]);
	expect(said.filter(({ type }) => type === "transfer-ended")).toMatchObject([{ to: "n2", outcome: "lost" }]);
});

test("a read that waits for those who are removed is answered with the next round of those who are left", () => {
	const lone = leading();
	expect(typesOf(lone.step({ type: "read", readId: 7 }))).toContain("heartbeat-request n2");
	const changes = ["n2", "n3"].map((id) => ({ change: "remove", id }) as const);
	lone.step({ type: "change-members", changes, force: true, dryRun: false });
	lone.durable();
	// It has the change, answers no heartbeat, and is gone.
	follow(lone);
	expect(lone.core.view).toMatchObject({
		commitIndex: 3,
		pendingReads: 1,
		configuration: { voters: ["n1"] },
	});
	lone.now += heartbeatIntervalMs;
	expect(lone.tick()).toContainEqual({ type: "read-ready", readId: 7, index: 1 });
});

test("what could not be sent while the disk hung goes out with the first heartbeats after that", () => {
	const lone = createLoneCore();
	elect(lone);
	follow(lone);
	expect(propose(lone, [1])).toBe(null);
	const hungSince = lone.now;
	while (lone.now - hungSince <= diskStallMs) {
		lone.now += heartbeatIntervalMs;
		lone.tick();
		answer(lone, "n2", 1);
	}
	// It was probed until now.
	expect(match(lone, "n3", 1)).toEqual([]);
	expect(typesOf(lone.durable())).toEqual([]);
	lone.now += heartbeatIntervalMs;
	expect(lone.tick()).toMatchObject([
		{ type: "lease-asked" },
		{ type: "send", message: { type: "heartbeat-request", to: "n2" } },
		{ type: "send", message: { type: "heartbeat-request", to: "n3" } },
		{ type: "send-entries", to: "n3", firstIndex: 2, lastIndex: 2 },
	]);
});
