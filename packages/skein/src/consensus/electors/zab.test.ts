/** What fast leader election says, without a core: two of its members, and all that is said between them. */
import { expect, test } from "vitest";
import { initialConfiguration } from "../configuration.ts";
import type { ElectorHint } from "../message.ts";
import type { NodeId } from "../types.ts";
import type { Elector } from "./elector.ts";
import { createZabElector } from "./zab.ts";

interface Said {
	readonly from: NodeId;
	readonly to: NodeId;
	readonly hint: ElectorHint;
}

const electionTimeoutMs = 350;
const heartbeatIntervalMs = 50;
const ids = ["n1", "n2", "n3"];
const configuration = initialConfiguration(ids.map((id) => ({ id, peer: `${id}:1` })));

/** n3 is favoured, and answers nobody. */
function twoOfThree() {
	const underWay: Said[] = [];
	const standing = new Set<NodeId>();
	const create = (self: NodeId): Elector =>
		createZabElector(
			{
				self,
				random: () => 0.5,
				electionTimeoutMs,
				heartbeatIntervalMs,
				term: 1,
				last: { term: 1, index: 5 },
				configuration,
				isLeaderFresh: false,
				get isStanding() {
					return standing.has(self);
				},
				mayStand: true,
				tell: (to, hint) => underWay.push({ from: self, to, hint }),
			},
			0,
		);
	const electors = new Map(["n1", "n2"].map((id) => [id, create(id)]));

	/** All of it, and what it sets off; `most`: or it goes on for ever. */
	function deliver(now: number, most = 100): number {
		let delivered = 0;
		for (let next = underWay.shift(); next !== undefined; next = underWay.shift()) {
			if (++delivered > most) break;
			electors.get(next.to)?.hear(next.from, next.hint, now);
		}
		return delivered;
	}

	function tick(now: number): void {
		for (const [id, elector] of electors) {
			if (elector.tick(now) !== "stand") continue;
			standing.add(id);
			elector.rest(now);
		}
	}

	return { electors, standing, underWay, deliver, tick };
}

const favours = (candidate: NodeId, round: number): ElectorHint => ({
	word: "favourite",
	candidate,
	last: { term: 1, index: 5 },
	round,
});

/** Both wait for n3, which is never heard of again. */
function waitingForOneThatIsGone() {
	const world = twoOfThree();
	world.tick(500);
	for (const elector of world.electors.values()) elector.hear("n3", favours("n3", 1), 500);
	world.deliver(500);
	// A moment for something better; then they wait, for more than a timeout.
	world.tick(600);
	return world;
}

test("two that have settled answer a word that comes late, and not each other's answers (seed 4 of 8ee2f44)", () => {
	for (const stands of [false, true]) {
		const world = waitingForOneThatIsGone();
		if (stands) world.tick(2_000);
		expect(world.standing.size).toBe(stands ? 2 : 0);
		expect(world.underWay).toEqual([]);
		world.electors.get("n1")?.hear("n2", favours("n2", 1), 610);
		expect(world.underWay).toMatchObject([
			{ from: "n1", to: "n2", hint: { word: "wait", candidate: "n3", round: 1 } },
		]);
		expect(world.deliver(610)).toBe(1);
	}
});

test("who looks counts the answer of one that has settled, and enters the round of one that is ahead", () => {
	const { electors, underWay } = twoOfThree();
	const one = electors.get("n1") as Elector;
	one.tick(2_000);
	underWay.length = 0;
	one.hear("n2", { ...favours("n3", 3), word: "wait" }, 2_000);
	// Round 3, with what it favours there: itself at first, then n3, and with n2 that is a quorum.
	expect(underWay.map(({ hint }) => [hint.word, hint.candidate, hint.round])).toEqual([
		["favourite", "n1", 3],
		["favourite", "n1", 3],
		["favourite", "n3", 3],
		["favourite", "n3", 3],
	]);
	expect(one.dueAt()).toBe(2_000 + heartbeatIntervalMs);
});

test("an answer wakes nobody who rests", () => {
	const { electors, underWay } = twoOfThree();
	const before = electors.get("n1")?.dueAt();
	electors.get("n1")?.hear("n2", { ...favours("n3", 7), word: "wait" }, 100);
	expect(underWay).toEqual([]);
	expect(electors.get("n1")?.dueAt()).toBe(before);
});
