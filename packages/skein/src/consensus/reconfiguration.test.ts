/** Why a change of members is refused, and how a leader goes that is out. The rest is in testdata/member_*.txt. */
import { expect, test } from "vitest";
import type { ConsensusMessage } from "./message.ts";
import type { ConsensusSettings } from "./settings.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createSmallGroup, ofType, sent } from "./testing/small-group.ts";
import type { MemberChange, NodeId } from "./types.ts";

const { electionTimeoutMs, diskStallMs } = defaultConsensusSettings;
/** Each entry counts so much beside its payload. */
const overheadBytes = 32;

const add: MemberChange = { change: "add", id: "n9", peer: "n9:1", as: "learner" };
/** Then n1 and n3 vote, and need each other. */
const demote: MemberChange = { change: "demote", id: "n2" };

/** n1 leads. */
function world(settings: Partial<ConsensusSettings> = {}, ids: readonly NodeId[] = ["n1", "n2", "n3"]) {
	const group = createSmallGroup(ids, settings);
	group.stand("n1");
	group.beat("n1", 2);
	const refused = (id: NodeId, change: MemberChange) =>
		ofType(group.change(id, [change]), "change-refused").map(({ reason, missing }) => [reason, missing]);
	return { ...group, refused };
}

test("who does not lead, hands over, or cannot write begins no change", () => {
	const { refused, step, view } = world();
	expect(refused("n2", add)).toEqual([["not-leader", []]]);
	step("n1", { type: "transfer", to: "n2" });
	expect(refused("n1", add)).toEqual([["transferring", []]]);
	expect(view("n1").configurationIndex).toBe(1);

	const other = world();
	other.away.add("disk of n1");
	other.propose("n1", "x");
	other.beat("n1", diskStallMs / 50);
	expect(other.view("n1")).toMatchObject({ role: "leader", transferTo: null });
	other.tick("n1", 1);
	expect(other.refused("n1", add)).toEqual([["disk-stalled", []]]);
});

test.each([
	[electionTimeoutMs - 1, []],
	[electionTimeoutMs, [["quorum-at-risk", ["n3"]]]],
])("a voter that has everything and was heard %i ms ago: %j", (silentMs, answer) => {
	const { refused, away, beat, tick } = world();
	away.add("n3");
	beat("n1", Math.floor(silentMs / 50));
	tick("n1", silentMs % 50);
	expect(refused("n1", demote)).toEqual(answer);
});

test("a voter that this leader has never heard is none to count on, however new the leader is", () => {
	const group = createSmallGroup(["n1", "n2", "n3"]);
	group.away.add("n3");
	group.stand("n1");
	expect(group.view("n1").established).toBe(true);
	const [refusal] = ofType(group.change("n1", [demote]), "change-refused");
	expect(refusal).toMatchObject({ reason: "quorum-at-risk", missing: ["n3"] });
});

test.each([
	[200, []],
	[201, [["quorum-at-risk", ["n3"]]]],
])("a voter that is heard and lacks %i bytes, where 200 may be on their way: %j", (bytes, answer) => {
	const { refused, away, propose, settle } = world({ maxInFlightBytes: 200 });
	away.add("disk of n3");
	propose("n1", "x".repeat(bytes - overheadBytes));
	settle();
	expect(refused("n1", demote)).toEqual(answer);
});

test("a leader that is out tells nobody to stand where nobody was heard that may lead", () => {
	const { change, settle, beat, away, take, view } = world({}, ["n1", "n2", "n3", "n4"]);
	change("n1", [
		{ change: "priority", id: "n2", priority: "never" },
		{ change: "priority", id: "n3", priority: "never" },
	]);
	settle();
	away.add("n4");
	beat("n1", electionTimeoutMs / 50);
	take("n1");
	change("n1", [{ change: "remove", id: "n1" }]);
	settle();
	expect(view("n1")).toMatchObject({ role: "follower", leader: null });
	expect(sent(take("n1")).filter((one) => one.endsWith("timeout-now"))).toEqual([]);
});

test("a leader that is out sends nothing any more, though there is something to send", () => {
	// One entry is on its way to each at a time.
	const group = world({ maxInFlightBytes: 1, maxAppendBytes: 1 });
	const joint = group.view("n1").lastIndex + 1;
	const isOfLast = (message: ConsensusMessage): boolean =>
		message.type === "append-response" && message.result.accepted && message.result.matchIndex > joint;
	group.change("n1", [{ change: "remove", id: "n1" }]);
	group.settle(isOfLast);
	expect(group.view("n1")).toMatchObject({ role: "leader", lastIndex: joint + 1, commitIndex: joint });
	group.propose("n1", "x");
	group.take("n1");
	group.settle((message) => !isOfLast(message));
	const said = group.take("n1");
	const end = said.findIndex((one) => one.type === "role");
	expect(said[end]).toMatchObject({ role: "follower", leader: null });
	expect(sent(said.slice(0, end)).at(-1)).toBe("n2 timeout-now");
	expect(sent(said.slice(end))).toEqual([]);
});
