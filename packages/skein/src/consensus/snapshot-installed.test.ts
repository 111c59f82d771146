/** The database was replaced by a snapshot: what becomes of the log, and of what this member is just then. */
import { expect, test } from "vitest";
import type { Output } from "./output.ts";
import {
	createLoneCore,
	elect,
	entriesOf,
	follow,
	type LoneCore,
	messagesIn,
	three,
} from "./testing/lone-core.ts";
import type { Configuration, LogIndex, Term } from "./types.ts";

function install(
	lone: LoneCore,
	index: LogIndex,
	term: Term,
	configuration: Configuration = three,
): Output[] {
	return lone.step({ type: "snapshot-installed", index, term, configuration, configurationIndex: 0 });
}

/** Its log holds 6 to 10, up to 7 committed; n2 leads term 1 and has just been heard. */
function follower(): LoneCore {
	const lone = createLoneCore({ base: { index: 5, term: 1 }, terms: [1, 1, 1, 1, 1], commitIndex: 7 });
	lone.hear("n2", 1, { type: "heartbeat-request", commitIndex: 7, round: 1, lease: null, endsReads: false });
	return lone;
}

function acknowledged(matchIndex: LogIndex) {
	return { type: "append-response", to: "n2", result: { accepted: true, matchIndex } };
}

test.each([
	["at the base of the log", 5, 7],
	["of what is committed", 6, 7],
	["of what the log holds", 9, 9],
])("one %s leaves the log as it is, and is acknowledged at once", (_what, index, matchIndex) => {
	const lone = follower();
	const outputs = install(lone, index, 1);
	expect(outputs.map(({ type }) => type)).toEqual(index > 7 ? ["commit", "send"] : ["send"]);
	expect(messagesIn(outputs)).toMatchObject([acknowledged(matchIndex)]);
	expect(lone.core.view).toMatchObject({ lastIndex: 10, commitIndex: matchIndex, base: { index: 5 } });
});

test("one from before the log is old news", () => {
	const lone = follower();
	expect(install(lone, 4, 1)).toEqual([]);
	expect(lone.core.view).toMatchObject({ lastIndex: 10, commitIndex: 7, base: { index: 5 } });
});

test("while something is being written it is acknowledged behind that", () => {
	const lone = follower();
	const previous = { index: 10, term: 1 };
	const entries = entriesOf(1, 11, 12);
	lone.hear("n2", 1, { type: "append-request", previous, entries, commitIndex: 7 });
	expect(messagesIn(install(lone, 9, 1))).toEqual([]);
	expect(messagesIn(lone.durable())).toMatchObject([acknowledged(12)]);
});

test("one beyond the log begins it anew, and is acknowledged when that is done", () => {
	const lone = follower();
	const configuration = { ...three, voters: ["n1", "n2"], learners: ["n3"] };
	const outputs = install(lone, 20, 1, configuration);
	expect(outputs.map(({ type }) => type)).toEqual(["configuration", "reset-log", "commit"]);
	expect(lone.core.view).toMatchObject({ lastIndex: 20, commitIndex: 20, durableIndex: 20, configuration });
	expect(messagesIn(lone.durable())).toMatchObject([acknowledged(20)]);
	expect(lone.durable()).toEqual([]);
});

test("who stands when its log goes has nothing to win with it", () => {
	const lone = follower();
	for (let each = 0; each < 20 && lone.core.view.role === "follower"; each++) {
		lone.now = lone.core.tickDueAt();
		lone.tick();
	}
	expect(lone.core.view.role).toBe("candidate");
	// What it holds anyway is no reason to give up.
	expect(install(lone, 9, 1)).toEqual([{ type: "commit", index: 9 }]);
	expect(lone.core.view.role).toBe("candidate");
	install(lone, 20, 1);
	expect(lone.core.view).toMatchObject({ role: "follower", leader: null, lastIndex: 20 });
});

test("a leader is told of one that it holds, and says nothing to anybody", () => {
	const lone = createLoneCore({ terms: [1, 1, 1] });
	elect(lone);
	follow(lone);
	expect(lone.core.view.commitIndex).toBe(4);
	expect(install(lone, 3, 1)).toEqual([]);
	expect(lone.core.view.role).toBe("leader");
	expect(lone.durable()).toEqual([]);
});

test("one that cannot be stops the member", () => {
	expect(() => install(follower(), 7, 2)).toThrow("a snapshot at 7 contradicts what is committed");
	expect(() => install(follower(), 6, 2)).toThrow("a snapshot at 6 contradicts what is committed");
	const witnessed: Configuration = {
		...three,
		members: three.members.map((one) => (one.id === "n1" ? { ...one, witness: true } : one)),
	};
	expect(() => install(follower(), 20, 1, witnessed)).toThrow("n1 is a member with data");
	const leader = createLoneCore();
	elect(leader);
	expect(() => install(leader, 20, 1)).toThrow("a leader's log lacks what a snapshot holds");
});
