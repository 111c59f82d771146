/**
 * A leader leads twice, and what was said to it or by it in its first reign comes in its second. Between the two
 * another one reigns and replaces what the first had not committed. A companion, who sleeps through that reign, wakes
 * up with the tail of the first and hears the same leader again: what it verified then must not count (MongoDB
 * SERVER-27403). Copies of old heartbeats arrive late: their answers must not count for the rounds of the new reign.
 */
import type { Member } from "../cluster/member.ts";
import { isolation, split, type Way } from "../world/partitions.ts";
import { heldRead } from "./held-read.ts";
import type { Stage } from "./plot-stage.ts";

export function twoReigns(stage: Stage, old: Member, done: () => void): void {
	const { cluster, chance, tell, ids, between, later, when } = stage;
	const { members, network } = cluster;
	const others = chance.shuffle(members.filter((member) => member !== old));
	// As many as leave a majority to the others.
	const companions = others.slice(0, Math.max(0, Math.floor((members.length - 1) / 2) - 1));
	tell({
		type: "plot",
		plot: "two reigns",
		leader: old.id,
		companions: companions.map(({ id }) => id).join(" "),
	});
	const copies = others.map(({ id }) => network.keepCopies([old.id, id]));
	const firstTerm = old.core?.term ?? 0;

	later(between(0.1, 0.5), alone);

	function alone(): void {
		const group = new Set([old, ...companions].map(({ id }) => id));
		const ways = split(ids, (node) => (group.has(node) ? 0 : 1));
		network.cut(ways, "drop");
		stage.visit(old, "multi-write");
		// Long enough for a write to reach the companions; they would stand if they waited for longer.
		later(between(0.3, 0.8), () => {
			const wake = companions.map(asleep);
			when(anotherLeads, 10, () => otherReign(ways, wake));
		});
	}

	/** Hears nothing and does nothing: wakes up as if no time had passed. */
	function asleep(member: Member): () => void {
		const ways = isolation(ids, member.id);
		network.cut(ways, "drop");
		member.pause("suspended");
		return () => {
			const release = chance.happens(0.7) ? slowEntries(member) : () => {};
			network.mend(ways);
			member.resume();
			when(
				() => member.core?.term === old.core?.term,
				2,
				() => stage.visit(member, "read"),
			);
			later(between(0.5, 1.5), release);
		};
	}

	/** The lane of the entries has something long before it; heartbeats and answers to reads overtake it. */
	function slowEntries(member: Member): () => void {
		let release = (): void => {};
		later(0, () => {
			release = network.holdLane([old.id, member.id], "log");
		});
		return () => release();
	}

	function anotherLeads(): boolean {
		const now = stage.leader();
		return now !== null && now !== old && (now.core?.term ?? 0) > firstTerm;
	}

	function otherReign(ways: readonly Way[], wake: readonly (() => void)[]): void {
		const sleepers = new Set(companions.map(({ id }) => id));
		// The companions hear nobody yet.
		network.mend(ways.filter(([from, to]) => !sleepers.has(from) && !sleepers.has(to)));
		later(between(0.3, 2), () => {
			stage.bringBack(old, 8);
			when(
				() => old.core?.established === true && old.core.term > firstTerm,
				10,
				() => secondReign(wake),
			);
		});
	}

	function secondReign(wake: readonly (() => void)[]): void {
		// Soon: rounds of the first reign count for as many of the second, if they count.
		later(between(0, 0.5), () => {
			for (const end of wake) end();
			for (const release of copies) release();
			if (chance.happens(0.7)) later(between(0.1, 0.5), () => heldRead(stage, old, done));
			else done();
		});
	}
}
