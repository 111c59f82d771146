/** What a witness is sent, and when; and that nobody lets itself be taken for one, or for none. */
import { expect, test } from "vitest";
import { encodeConfiguration, initialConfiguration } from "./configuration.ts";
import { createCore } from "./core.ts";
import type { ConsensusMessage } from "./message.ts";
import type { ConsensusSettings } from "./settings.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createSmallGroup, ofType, type SmallGroup, sent } from "./testing/small-group.ts";
import type { Configuration, EntryKind, Member, NodeId } from "./types.ts";

const { electionTimeoutMs, syncLeaseMs } = defaultConsensusSettings;

/** n1 leads, n2 has the data too, and w1 is a witness. */
function world(settings: Partial<ConsensusSettings> = {}): SmallGroup {
	const group = createSmallGroup(["n1", "n2"], settings);
	group.stand("n1");
	group.simulation.addNode("w1");
	group.change("n1", [{ change: "add", id: "w1", peer: "w1:1", as: "witness" }], true);
	group.settle();
	group.beat("n1", 2);
	expect(group.view("w1").lastIndex).toBe(group.view("n1").lastIndex);
	return group;
}

function withWitness(witness: NodeId | null): Configuration {
	const memberOf = (id: NodeId): Member => ({ id, peer: `${id}:1` });
	const members = ["n1", "n2", "n3"].map(memberOf);
	return initialConfiguration(members.map((one) => (one.id === witness ? { ...one, witness: true } : one)));
}

/** The leader sends it to another one than it should. */
function sendsEntry({ simulation, view }: SmallGroup, to: string, kind: EntryKind): void {
	const { term, lastIndex, lastTerm, commitIndex } = view(to);
	const payload = kind === "configuration" ? encodeConfiguration(withWitness("n2")) : new Uint8Array(1);
	simulation.deliver({
		type: "append-request",
		group: 1,
		from: "n1",
		to,
		term,
		previous: { index: lastIndex, term: lastTerm },
		entries: [{ index: lastIndex + 1, term, kind, payload }],
		commitIndex,
	});
}

test("a witness stops at an entry with its payload, and takes one without", () => {
	for (const kind of ["command", "fragment"] as const)
		expect(() => sendsEntry(world(), "w1", kind)).toThrow(
			"w1 is a witness, and is sent entry 5 with its payload",
		);
	for (const kind of ["metadata", "barrier"] as const)
		expect(() => sendsEntry(world(), "w1", kind)).not.toThrow();
});

test("a member with data stops at an entry without its payload, and takes one with it", () => {
	expect(() => sendsEntry(world(), "n2", "metadata")).toThrow(
		"n2 is sent entry 5 without its payload: it is no witness",
	);
	for (const kind of ["command", "fragment", "barrier"] as const)
		expect(() => sendsEntry(world(), "n2", kind)).not.toThrow();
});

test("a member with data stops when its log says that it is a witness", () => {
	expect(() => sendsEntry(world(), "n2", "configuration")).toThrow(
		"n2 is a member with data, and was added as a witness",
	);
});

test.each([
	[false, false, null],
	[true, true, null],
	[false, true, "n1 is a member with data, and was added as a witness"],
	[true, false, "n1 is a witness, and was added as a member with data"],
])("a machine that is a witness: %s, and a member as one: %s", (witness, isAsOne, refusal) => {
	const start = (self: string) =>
		createCore({
			self,
			group: 1,
			settings: defaultConsensusSettings,
			seed: 1,
			now: 0,
			promise: { term: 1, votedFor: null },
			base: { index: 0, term: 0 },
			headers: [{ index: 1, term: 1, sizeBytes: 10 }],
			configuration: { index: 0, value: withWitness(isAsOne ? "n1" : null) },
			configurations: [],
			commitIndex: 0,
			witness,
		});
	if (refusal === null) expect(() => start("n1")).not.toThrow();
	else expect(() => start("n1")).toThrow(refusal);
	// Who is no member of it is not meant.
	expect(() => start("n9")).not.toThrow();
});

test("a witness that is removed gets no payloads to the end, also where the log begins after its removal", () => {
	const { change, settle, propose, simulation, node, view, away, step } = world();
	away.add("w1");
	change("n1", [{ change: "remove", id: "w1" }]);
	settle();
	const removedAt = view("n1").lastIndex;
	expect(view("n1").configuration.retired).toEqual(["w1"]);
	propose("n1", "x");
	settle();
	simulation.compact(node("n1"), removedAt);
	expect(view("n1").base.index).toBe(removedAt);
	const said = ofType(propose("n1", "y"), "send-entries");
	expect(said.map(({ to, firstIndex, withoutPayloads }) => [to, firstIndex, withoutPayloads])).toEqual([
		["n2", removedAt + 2, false],
		["w1", removedAt + 1, true],
	]);
	expect(step("n1", { type: "tick" })).toEqual([]);
});

test("a witness gets what a voter that is heard makes durable no more when the time of an in-sync lease is over", () => {
	const { propose, settle, beat, tick, away } = world();
	away.add("disk of n2");
	tick("n1", 10);
	propose("n1", "x");
	settle();
	beat("n1", syncLeaseMs / 50 - 1);
	expect(sent(tick("n1", 49))).not.toContain("w1 send-entries");
	expect(sent(tick("n1", 1))).toContain("w1 send-entries");
});

test("a new leader waits an election timeout for a voter that it has not heard, before a witness gets anything", () => {
	const { step, stand, beat, tick, away, view } = world();
	step("n1", { type: "step-down" });
	away.add("n2");
	stand("n1");
	expect(view("n1")).toMatchObject({ role: "leader", established: false });
	beat("n1", electionTimeoutMs / 50 - 1);
	expect(sent(tick("n1", 49))).not.toContain("w1 send-entries");
	expect(sent(tick("n1", 1))).toContain("w1 send-entries");
});

test("… but not for one that is known to lack what has been there for longer", () => {
	// An entry a message.
	const { step, stand, settle, beat, propose, away, view, tick } = world({ maxAppendBytes: 1 });
	away.add("n2");
	beat("n1", electionTimeoutMs / 50);
	for (const text of ["x", "y", "z"]) propose("n1", text);
	settle();
	beat("n1", 1);
	const { commitIndex, lastIndex } = view("n1");
	expect(commitIndex).toBe(lastIndex);
	step("n1", { type: "step-down" });
	stand("n1");
	away.delete("n2");
	const match = (): number => view("n1").progress.get("n2")?.matchIndex ?? 0;
	// It acknowledges one entry, and nothing of what is sent then arrives.
	const isLater = ({ type, to }: ConsensusMessage): boolean =>
		type === "append-request" && to === "n2" && match() > 0;
	tick("n1", 50);
	settle((message) => isLater(message) || message.to === "w1");
	expect([match(), view("n1").established]).toEqual([lastIndex - 2, false]);
	settle(isLater);
	expect(view("n1")).toMatchObject({ established: true, commitIndex: lastIndex + 1 });
});
