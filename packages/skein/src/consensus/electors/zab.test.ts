/** What fast leader election says, without a core: two of its members, and all that is said between them. */
import { expect, test } from "vitest";
import { initialConfiguration } from "../configuration.ts";
import type { ElectorHint } from "../message.ts";
import { createSurroundings, voters } from "../testing/surroundings.ts";
import type { NodeId, Position } from "../types.ts";
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

/** n1, or another one, of five; nobody answers but the test. */
function oneOfFive(self: NodeId = "n1") {
	const { around, said } = createSurroundings(self, voters("n1", "n2", "n3", "n4", "n5"));
	const zab = createZabElector(around, 0);
	const hear = (from: NodeId, candidate: NodeId, round: number, now: number, last: Position = around.last) =>
		zab.hear(from, { word: "favourite", candidate, last, round }, now);
	/** What it says to all others, one after the other, as `candidate round`. */
	const saidToAll = (): string[] => {
		const all = said();
		const first = all[0]?.[0];
		const times = all.filter(([to]) => to === first);
		expect(all).toHaveLength(4 * times.length);
		return times.map(([, word, candidate, round]) => {
			expect(word).toBe("favourite");
			return `${candidate} ${round}`;
		});
	};
	/** It has begun to look for one, in round 1, at 460. */
	const look = (): void => {
		zab.tick(460);
		expect(saidToAll()).toEqual([`${self} 1`]);
	};
	return { around, said, saidToAll, zab, hear, look };
}

test("it misses a leader after a timeout and a heartbeat or two, and two timeouts later if it gave leadership up", () => {
	const { zab, saidToAll } = oneOfFive();
	expect(zab.dueAt()).toBe(460);
	zab.heardLeader(1_000);
	expect(zab.dueAt()).toBe(1_460);
	zab.yieldToOthers(1_000);
	expect(zab.dueAt()).toBe(2_260);
	zab.rest(1_000);
	expect([zab.tick(1_459), saidToAll()]).toEqual(["wait", []]);
	expect([zab.tick(1_460), saidToAll()]).toEqual(["wait", ["n1 1"]]);
});

test("whom nobody answers says it less and less often, and stands after four timeouts and a half", () => {
	const { zab, saidToAll } = oneOfFive();
	const waits: number[] = [];
	let now = zab.dueAt();
	while (zab.tick(now) === "wait" && waits.length < 10) {
		expect(saidToAll()).toEqual(["n1 1"]);
		waits.push(zab.dueAt() - now);
		now = zab.dueAt();
	}
	expect(waits).toEqual([90, 180, 360, 720, 450]);
	expect(saidToAll()).toEqual([]);
});

test("in a new round it says it as often as at first", () => {
	const { zab, hear, look, saidToAll } = oneOfFive();
	look();
	for (const now of [550, 730]) zab.tick(now);
	expect([zab.dueAt(), saidToAll()]).toEqual([1_090, ["n1 1", "n1 1"]]);
	hear("n2", "n1", 2, 800);
	expect([zab.dueAt(), saidToAll()]).toEqual([890, ["n1 2"]]);
});

test("rounds that others begin do not put off for how long it looks (seed 149828081)", () => {
	const { zab, hear, look, saidToAll } = oneOfFive();
	look();
	const standsBy = 460 + 4.5 * 400;
	for (let round = 2; 460 + round * 300 < standsBy; round++) {
		const now = 460 + round * 300;
		while (zab.dueAt() < now) expect(zab.tick(zab.dueAt())).toBe("wait");
		// It agrees with nobody: its configuration is behind.
		hear("n2", "n2", round, now);
	}
	saidToAll();
	while (zab.dueAt() < standsBy) expect(zab.tick(zab.dueAt())).toBe("wait");
	expect(zab.dueAt()).toBe(standsBy);
	expect(zab.tick(standsBy)).toBe("stand");
});

test("who gave leadership up favours anybody before itself, until others had their chance or one of them leads", () => {
	const { zab, hear, said } = oneOfFive();
	const favoured = () => said().at(-1);
	const older = { term: 2, index: 4 };
	zab.yieldToOthers(1_000);
	hear("n2", "n2", 1, 1_100, older);
	expect(favoured()).toEqual(["n5", "favourite", "n2", 1]);
	zab.heardLeader(1_200);
	hear("n2", "n2", 2, 1_210, older);
	expect(favoured()).toEqual(["n5", "favourite", "n1", 2]);
	zab.yieldToOthers(2_000);
	hear("n2", "n2", 3, 3_259, older);
	expect(favoured()).toEqual(["n5", "favourite", "n2", 3]);
	zab.rest(3_259);
	hear("n2", "n2", 4, 3_260, older);
	expect(favoured()).toEqual(["n5", "favourite", "n1", 4]);
});

test("a quorum that favours the same one settles it; what others favour does not, nor puts it off", () => {
	const { zab, hear, look, saidToAll } = oneOfFive();
	look();
	hear("n3", "n3", 1, 470);
	expect([zab.dueAt(), saidToAll()]).toEqual([560, ["n3 1"]]);
	hear("n2", "n2", 1, 480);
	hear("n5", "n1", 1, 480);
	expect([zab.dueAt(), saidToAll()]).toEqual([560, []]);
	hear("n2", "n3", 1, 500);
	expect(zab.dueAt()).toBe(540);
	hear("n5", "n3", 1, 520);
	expect(zab.dueAt()).toBe(540);
	// It waits for n3 now, and not for ever.
	expect([zab.tick(539), zab.dueAt()]).toEqual(["wait", 540]);
	expect([zab.tick(540), zab.dueAt()]).toEqual(["wait", 1_140]);
	expect([zab.tick(1_139), zab.tick(1_140), saidToAll()]).toEqual(["wait", "stand", []]);
});

test("whom the others favour as well stands as soon as it is settled", () => {
	const { zab, hear, look } = oneOfFive("n4");
	look();
	hear("n1", "n4", 1, 470);
	hear("n2", "n4", 1, 480);
	expect([zab.dueAt(), zab.tick(519), zab.tick(520)]).toEqual([520, "wait", "stand"]);
});

test("one that is heard after it was settled, and is better, is favoured instead", () => {
	const { zab, hear, look, saidToAll } = oneOfFive();
	look();
	hear("n3", "n3", 1, 470);
	hear("n2", "n3", 1, 480);
	expect([zab.dueAt(), saidToAll()]).toEqual([520, ["n3 1"]]);
	hear("n4", "n4", 1, 500);
	expect([zab.dueAt(), saidToAll()]).toEqual([590, ["n4 1"]]);
	expect([zab.tick(520), zab.tick(590), saidToAll()]).toEqual(["wait", "wait", ["n4 1"]]);
});

test("in a later round nobody's favourite of an earlier one counts", () => {
	const { zab, hear, look, saidToAll } = oneOfFive();
	look();
	hear("n2", "n5", 1, 470);
	hear("n3", "n5", 1, 470);
	expect([zab.dueAt(), saidToAll()]).toEqual([510, ["n5 1"]]);
	hear("n4", "n5", 2, 480);
	expect([zab.dueAt(), saidToAll()]).toEqual([570, ["n1 2", "n5 2"]]);
});

test("the end of the log counts before the name: its term, then its index", () => {
	const { hear, look, saidToAll } = oneOfFive("n3");
	look();
	hear("n5", "n5", 1, 470, { term: 1, index: 5 });
	hear("n5", "n5", 1, 470, { term: 1, index: 9 });
	hear("n5", "n5", 1, 470, { term: 2, index: 4 });
	expect(saidToAll()).toEqual([]);
	hear("n2", "n2", 1, 470, { term: 2, index: 6 });
	expect(saidToAll()).toEqual(["n2 1"]);
	hear("n1", "n1", 1, 470, { term: 3, index: 6 });
	expect(saidToAll()).toEqual(["n1 1"]);
});

test("who may not stand favours anybody before itself", () => {
	const { around, hear, look, saidToAll } = oneOfFive("n5");
	around.mayStand = false;
	look();
	hear("n1", "n1", 1, 470, { term: 1, index: 1 });
	expect(saidToAll()).toEqual(["n1 1"]);
});

test("it listens to nobody while it hears a leader, nor to whoever favours one that does not vote", () => {
	const { around, zab, hear, saidToAll } = oneOfFive();
	around.isLeaderFresh = true;
	hear("n2", "n2", 1, 100);
	around.isLeaderFresh = false;
	hear("n2", "n6", 1, 100);
	expect([zab.dueAt(), saidToAll()]).toEqual([460, []]);
	hear("n2", "n2", 1, 100);
	expect([zab.dueAt(), saidToAll()]).toEqual([190, ["n1 1", "n2 1"]]);
});

test("who looks answers a word of an earlier round; who rests takes it for a reason to look, and for no more", () => {
	const { zab, hear, look, said, saidToAll } = oneOfFive();
	look();
	hear("n2", "n1", 3, 470);
	expect(saidToAll()).toEqual(["n1 3"]);
	hear("n3", "n3", 2, 480);
	expect(said()).toEqual([["n3", "wait", "n1", 3]]);
	zab.heardLeader(500);
	hear("n3", "n3", 2, 510);
	expect([zab.dueAt(), saidToAll()]).toEqual([600, ["n1 3"]]);
	zab.heardLeader(700);
	hear("n3", "n3", 3, 710);
	expect(saidToAll()).toEqual(["n1 3", "n3 3"]);
});

test("who has settled, or stands, enters a later round; who looks again while it stands looks as ever", () => {
	const { around, zab, hear, look, said, saidToAll } = oneOfFive();
	look();
	hear("n2", "n5", 1, 470);
	hear("n3", "n5", 1, 470);
	zab.tick(510);
	said();
	hear("n4", "n4", 1, 520);
	expect(said()).toEqual([["n4", "wait", "n5", 1]]);
	hear("n4", "n1", 2, 530);
	expect(saidToAll()).toEqual(["n1 2"]);
	zab.rest(540);
	around.isStanding = true;
	hear("n4", "n4", 2, 550);
	expect(said()).toEqual([["n4", "wait", "n1", 2]]);
	hear("n4", "n1", 3, 560);
	expect(saidToAll()).toEqual(["n1 3"]);
	hear("n4", "n4", 3, 570);
	expect(saidToAll()).toEqual(["n4 3"]);
});

test("an answer counts as long as nothing is decided, also while it settles, and gets none", () => {
	const { zab, look, said, saidToAll, hear, around } = oneOfFive();
	const answer = (from: NodeId, candidate: NodeId, round: number, now: number): void => {
		zab.hear(from, { word: "wait", candidate, last: around.last, round }, now);
	};
	look();
	answer("n2", "n3", 2, 470);
	expect(saidToAll()).toEqual(["n1 2", "n3 2"]);
	answer("n4", "n4", 1, 480);
	expect(said()).toEqual([]);
	hear("n3", "n3", 2, 480);
	expect(zab.dueAt()).toBe(520);
	answer("n4", "n4", 2, 490);
	expect([zab.dueAt(), saidToAll()]).toEqual([580, ["n4 2"]]);
});
