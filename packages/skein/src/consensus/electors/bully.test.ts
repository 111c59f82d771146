/** Bully without a core: whom it asks, whom it answers, and how long it waits for what. */
import { expect, test } from "vitest";
import type { ElectorHint } from "../message.ts";
import { createSurroundings, voters } from "../testing/surroundings.ts";
import type { Configuration, NodeId } from "../types.ts";
import { createBullyElector } from "./bully.ts";

const three = voters("n1", "n2", "n3");

function elector(self: NodeId, configuration: Configuration = three) {
	const { around, said } = createSurroundings(self, configuration);
	return { around, said, bully: createBullyElector(around, 0) };
}

const hint = (word: ElectorHint["word"], candidate: NodeId): ElectorHint => ({
	word,
	candidate,
	last: { term: 2, index: 5 },
	round: 0,
});

test("it misses a leader after a timeout and a heartbeat or two, and two timeouts later if it gave leadership up", () => {
	const { bully, said } = elector("n2");
	expect(bully.dueAt()).toBe(460);
	bully.heardLeader(1_000);
	expect(bully.dueAt()).toBe(1_460);
	bully.yieldToOthers(1_000);
	expect(bully.dueAt()).toBe(2_260);
	bully.rest(1_000);
	expect([bully.tick(1_459), said()]).toEqual(["wait", []]);
	expect([bully.tick(1_460), said()]).toEqual(["wait", [["n3", "standing", "n2", 0]]]);
});

test("it waits for one above that answers, once, and for nobody else", () => {
	const { bully } = elector("n2");
	bully.hear("n3", hint("wait", "n3"), 100);
	expect(bully.dueAt()).toBe(460);
	bully.tick(460);
	const askedUntil = 560;
	expect(bully.dueAt()).toBe(askedUntil);
	bully.hear("n1", hint("wait", "n1"), 470);
	bully.hear("n3", hint("standing", "n3"), 470);
	bully.hear("n1", hint("standing", "n1"), 470);
	expect(bully.dueAt()).toBe(askedUntil);
	bully.hear("n3", hint("wait", "n3"), 500);
	expect(bully.dueAt()).toBe(1_500);
	// Or it would never end.
	bully.hear("n3", hint("wait", "n3"), 600);
	expect(bully.dueAt()).toBe(1_500);
	expect([bully.tick(1_499), bully.tick(1_500)]).toEqual(["wait", "stand"]);
});

test("once a leader was heard it waits for no answer any more, and asks anew when it misses that one too", () => {
	const { bully, said } = elector("n2");
	bully.tick(460);
	bully.heardLeader(500);
	bully.hear("n3", hint("wait", "n3"), 510);
	expect([bully.dueAt(), said()]).toEqual([960, [["n3", "standing", "n2", 0]]]);
	expect([bully.tick(960), said()]).toEqual(["wait", [["n3", "standing", "n2", 0]]]);
});

test("it answers those below it, and only if it could win itself", () => {
	const { around, bully, said } = elector("n2");
	const standing = (from: NodeId): unknown => [bully.hear(from, hint("standing", from), 100), said()];
	const nothing = ["wait", []];
	const answer = ["n1", "wait", "n2", 0] as const;
	expect(standing("n3")).toEqual(nothing);
	expect([bully.hear("n1", hint("wait", "n1"), 100), said()]).toEqual(nothing);
	around.isLeaderFresh = true;
	expect(standing("n1")).toEqual(nothing);
	around.isLeaderFresh = false;
	around.mayStand = false;
	expect(standing("n1")).toEqual(nothing);
	around.mayStand = true;
	around.last = { term: 2, index: 4 };
	expect(standing("n1")).toEqual(nothing);
	around.last = { term: 2, index: 5 };
	// Its own round is under way: that it answers is all that is left to do.
	around.isStanding = true;
	expect(standing("n1")).toEqual(["wait", [answer]]);
	around.isStanding = false;
	expect(standing("n1")).toEqual(["wait", [answer, ["n3", "standing", "n2", 0]]]);
	// It has asked already.
	expect(standing("n1")).toEqual(["wait", [answer]]);
	bully.hear("n3", hint("wait", "n3"), 100);
	expect(standing("n1")).toEqual(["wait", [answer]]);
});

test("with nobody above it stands: when it misses the leader, and when it hears that somebody else does", () => {
	const { bully, said } = elector("n3");
	expect([bully.hear("n1", hint("standing", "n1"), 100), said()]).toEqual([
		"stand",
		[["n1", "wait", "n3", 0]],
	]);
	expect([bully.tick(460), said()]).toEqual(["stand", []]);
});

test("preferred members rank above the others, those that never lead below, and then the name counts", () => {
	const priority = { n1: "preferred", n3: "never", n5: "preferred" } as const;
	const five = voters("n1", "n2", "n3", "n4", "n5");
	const configuration: Configuration = {
		...five,
		members: five.members.map(({ id, peer }) => {
			const chosen = new Map<NodeId, "preferred" | "never">(Object.entries(priority)).get(id);
			return chosen === undefined ? { id, peer } : { id, peer, priority: chosen };
		}),
	};
	const asked = (self: NodeId): string => {
		const { bully, said } = elector(self, configuration);
		bully.tick(460);
		return said()
			.map(([to]) => to)
			.join(" ");
	};
	expect(five.voters.map((self) => `${self}: ${asked(self)}`)).toEqual([
		"n1: n5",
		"n2: n1 n4 n5",
		"n3: n1 n2 n4 n5",
		"n4: n1 n5",
		"n5: ",
	]);
});

test("who gave leadership up answers nobody until others had their chance, or one of them leads (seed 149828165)", () => {
	const { bully, said } = elector("n3");
	const asked = (now: number): unknown => [bully.hear("n1", hint("standing", "n1"), now), said()];
	bully.yieldToOthers(1_000);
	expect(asked(1_100)).toEqual(["wait", []]);
	bully.rest(1_200);
	expect(asked(2_259)).toEqual(["wait", []]);
	expect(asked(2_260)).toEqual(["stand", [["n1", "wait", "n3", 0]]]);
	bully.yieldToOthers(3_000);
	bully.heardLeader(3_100);
	expect(asked(3_600)).toEqual(["stand", [["n1", "wait", "n3", 0]]]);
});
