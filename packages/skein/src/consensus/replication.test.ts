/** What a leader sends to whom, and what it makes of the answers, one message at a time. */
import { expect, test } from "vitest";
import type { Output } from "./output.ts";
import { defaultConsensusSettings } from "./settings.ts";
import {
	createLoneCore,
	elect,
	follow,
	type LoneCore,
	type LoneOptions,
	messagesIn,
} from "./testing/lone-core.ts";
import type { LogIndex, NodeId, Position } from "./types.ts";

const { diskStallMs, electionTimeoutMs, heartbeatIntervalMs } = defaultConsensusSettings;
/** One entry fills the window. */
const narrow = { ...defaultConsensusSettings, maxInFlightBytes: 100 };

/** n1 leads, and its barrier, at 1, is all there is; n2 and n3 have it. */
function leading(options: LoneOptions = {}): LoneCore {
	const lone = createLoneCore(options);
	elect(lone);
	follow(lone, "n2");
	follow(lone, "n3");
	expect(lone.core.view).toMatchObject({ role: "leader", lastIndex: 1, commitIndex: 1 });
	return lone;
}

function propose(lone: LoneCore): Output[] {
	const payload = new Uint8Array(100);
	return lone.step({ type: "propose", entries: [{ kind: "command", payload }], acknowledgement: null });
}

function accept(lone: LoneCore, from: NodeId, matchIndex: LogIndex): Output[] {
	const { term } = lone.core.view;
	return lone.hear(from, term, { type: "append-response", result: { accepted: true, matchIndex } });
}

function refuse(lone: LoneCore, from: NodeId, previousIndex: LogIndex, hint: Position): Output[] {
	const result = { accepted: false, previousIndex, hint } as const;
	return lone.hear(from, lone.core.view.term, { type: "append-response", result });
}

/** The answer to a heartbeat. */
function answer(lone: LoneCore, from: NodeId, round: number, appliedIndex = 0): Output[] {
	const { lastIndex, term } = lone.core.view;
	return lone.hear(from, term, { type: "heartbeat-response", round, lastIndex, appliedIndex });
}

/** The next round goes out, and who is named answers its heartbeat: all that is sent. */
function beat(lone: LoneCore, answering: readonly NodeId[] = [], appliedIndex = 0): Output[] {
	lone.now += heartbeatIntervalMs;
	const outputs = lone.tick();
	for (const message of messagesIn(outputs)) {
		if (message.type !== "heartbeat-request" || !answering.includes(message.to)) continue;
		outputs.push(...answer(lone, message.to, message.round, appliedIndex));
	}
	return outputs;
}

/** Entries, and to whom: the first of several, if they pass them on. */
function entriesIn(outputs: readonly Output[]): string[] {
	return outputs.flatMap((output) =>
		output.type === "send-entries"
			? [`${output.firstIndex}-${output.lastIndex} to ${[output.to, ...output.route].join(" ")}`]
			: [],
	);
}

function snapshotsIn(outputs: readonly Output[]): NodeId[] {
	return outputs.flatMap((output) => (output.type === "send-snapshot" ? [output.to] : []));
}

test("a follower that acknowledges what the leader does not have stops it", () => {
	const lone = leading();
	expect(() => accept(lone, "n2", 2)).toThrow("n2 acknowledged 2, our log ends at 1");
});

test("a leader whose disk hangs sends no entries either, not even when it is asked for them", () => {
	const lone = leading();
	propose(lone);
	lone.now += diskStallMs + 1;
	const { lastTerm: term } = lone.core.view;
	expect(refuse(lone, "n2", 2, { index: 1, term })).toEqual([]);
	const outputs = answer(lone, "n2", 1);
	expect([messagesIn(outputs), entriesIn(outputs)]).toEqual([[], []]);
	lone.durable();
	expect(entriesIn(beat(lone, ["n2"]))).toEqual(["2-2 to n2"]);
});

/** n2 and n1 have everything, and forget it; n3 has only the barrier, and one entry is on its way to it. */
function compacted(): LoneCore {
	const lone = leading({ settings: narrow });
	// Nothing has moved since its last answer.
	beat(lone, ["n2", "n3"]);
	expect(entriesIn(propose(lone))).toEqual(["2-2 to n2", "2-2 to n3"]);
	for (let index = 2; index <= 4; index++) {
		expect(entriesIn(propose(lone))).toEqual([]);
		lone.durable();
		expect(entriesIn(accept(lone, "n2", index))).toEqual([`${index + 1}-${index + 1} to n2`]);
	}
	expect(lone.core.view.commitIndex).toBe(4);
	lone.step({ type: "compacted", index: 4 });
	return lone;
}

test.each([
	["a snapshot", 1, ["n3"]],
	["none, for nobody may be there", 0, []],
])("who lacks what is compacted, and was heard so long ago, gets %s", (_gets, earlierMs, expected) => {
	const lone = compacted();
	lone.now += electionTimeoutMs - earlierMs;
	expect(snapshotsIn(propose(lone))).toEqual(expected);
});

test("who answers, and was being sent what is compacted by now, gets a snapshot and nothing else", () => {
	const lone = compacted();
	const outputs = answer(lone, "n3", 2);
	expect(snapshotsIn(outputs)).toEqual(["n3"]);
	expect(messagesIn(outputs)).toEqual([]);
});

test("after a snapshot a member is probed from there; the end of one that it did not need changes nothing", () => {
	const lone = compacted();
	const done = (to: NodeId, index: LogIndex | null) => lone.step({ type: "snapshot-sent", to, index });
	const before = lone.core.view.progress;
	for (const to of ["n2", "n3", "n9"]) expect(done(to, 4)).toEqual([]);
	expect(lone.core.view.progress).toEqual(before);
	beat(lone, ["n3"]);
	expect(entriesIn(propose(lone))).toEqual([]);
	expect(lone.core.view.progress.get("n3")?.state).toBe("snapshot");
	const outputs = done("n3", 4);
	expect(entriesIn(outputs)).toEqual(["5-6 to n3"]);
	expect(outputs).toMatchObject([{ previous: { index: 4 } }]);
});

test("who departs gets no snapshot to say good-bye", () => {
	const lone = createLoneCore();
	elect(lone);
	follow(lone);
	const change = { change: "remove", id: "n3" } as const;
	lone.step({ type: "change-members", changes: [change], force: true, dryRun: false });
	lone.durable();
	for (let each = 0; each < 3; each++) follow(lone);
	expect(lone.core.view).toMatchObject({ commitIndex: 3, configuration: { retired: ["n3"] } });
	lone.step({ type: "compacted", index: 3 });
	expect(snapshotsIn(beat(lone, ["n3"]))).toEqual([]);
	expect([...lone.core.view.progress.keys()]).toContain("n3");
});

test("what broke with a connection is sent anew; a probe stays where it is, for nothing is known yet", () => {
	const lone = createLoneCore({ terms: [1, 1, 1] });
	elect(lone);
	follow(lone);
	propose(lone);
	for (const node of ["n2", "n3"]) expect(lone.step({ type: "unreachable", node })).toEqual([]);
	expect([...lone.core.view.progress.values()]).toMatchObject([
		{ state: "probing", matchIndex: 4, nextIndex: 5 },
		{ state: "probing", matchIndex: 0, nextIndex: 4 },
	]);
	const sent = beat(lone, ["n2", "n3"]).filter(({ type }) => type === "send-entries");
	expect(sent).toMatchObject([
		{ to: "n2", previous: { index: 4 }, firstIndex: 5 },
		{ to: "n3", previous: { index: 3 }, firstIndex: 4 },
	]);
});

/** n2 passes everything on to n3. */
function chained(settings = narrow): LoneCore {
	const lone = leading({ settings: { ...settings, chain: true } });
	beat(lone, ["n2", "n3"], 1);
	expect(lone.core.view.chain).toEqual(["n2", "n3"]);
	return lone;
}

test("what has no room goes along the chain as soon as the slowest has some, and to nobody directly", () => {
	const lone = chained();
	expect(entriesIn(propose(lone))).toEqual(["2-2 to n2 n3"]);
	expect(entriesIn(propose(lone))).toEqual([]);
	expect(entriesIn(accept(lone, "n2", 2))).toEqual([]);
	expect(entriesIn(accept(lone, "n3", 2))).toEqual(["3-3 to n2 n3"]);
});

test("with the next write who cannot stand in the chain leaves it, and it is used no more if it is not to be", () => {
	const lone = chained();
	lone.now += heartbeatIntervalMs;
	answer(lone, "n2", 1, 1);
	lone.now += 2 * heartbeatIntervalMs;
	expect(entriesIn(propose(lone))).toEqual(["2-2 to n2", "2-2 to n3"]);
	expect(lone.core.view.chain).toEqual(["n2"]);
	const other = chained();
	other.step({ type: "use-chain", always: false });
	expect(entriesIn(propose(other))).toEqual(["2-2 to n2", "2-2 to n3"]);
});

test("whose connection broke stands in the chain no more", () => {
	const lone = chained();
	lone.step({ type: "unreachable", node: "n3" });
	expect(lone.core.view.chain).toEqual(["n2"]);
	expect(entriesIn(propose(lone))).toEqual(["2-2 to n2"]);
});

test("the tail alone is told what it alone may show, once", () => {
	const lone = chained(defaultConsensusSettings);
	for (let each = 0; each < 4; each++) beat(lone, ["n2", "n3"], 1);
	expect(lone.core.view.isLending).toBe(true);
	propose(lone);
	lone.durable();
	for (const node of ["n2", "n3"]) accept(lone, node, 2);
	expect(lone.core.view.commitIndex).toBe(2);
	lone.now += 10;
	expect(lone.tick()).toMatchObject([
		{ type: "send", message: { type: "apply-request", to: "n3", index: 2 } },
	]);
	lone.now += 10;
	expect(lone.tick()).toEqual([]);
	// It has applied it: now all others may show it too.
	lone.hear("n3", lone.core.view.term, { type: "applied-response", round: 6, appliedIndex: 2 });
	lone.now += 10;
	expect(messagesIn(lone.tick())).toMatchObject([
		{ type: "chain-append", to: "n2", route: ["n3"], entries: [], commitIndex: 2 },
	]);
});
