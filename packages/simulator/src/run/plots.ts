/**
 * Faults in the order in which they are dangerous together, and which chance alone brings together too
 * rarely. A leader goes on writing with a few companions while all the others choose another one; it
 * comes back, sometimes to lead again, and the companions, who slept, had a hung disk or heard nobody
 * meanwhile, learn of it all at once. It is the history behind Raft's Figure 8, writes that end after
 * they were cut (etcd), and match indexes that outlive a leadership (MongoDB SERVER-16570). Or it sleeps until
 * there is another one, and answers when it wakes up as if it still led (etcd 20418).
 *
 * What is not mended when the safety phase ends stays as it is.
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { CrashKind, Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Tell } from "../trace/event.ts";
import type { CutMode } from "../world/lane.ts";
import { isolation, split, type Way } from "../world/partitions.ts";

export interface PlotOptions {
	readonly cluster: Cluster;
	readonly chance: Chance;
	readonly tell: Tell;
	readonly electionTimeoutMs: number;
	/** Does nothing when the safety phase is over. */
	readonly later: (delayMs: number, work: () => void) => void;
	readonly transfer: (from: Member, to: NodeId) => void;
}

const troubles = ["none", "disk-hangs", "disk-slow", "pause", "cut-off", "asleep", "asleep"] as const;

export interface Plots {
	begin(): void;
}

export function createPlots({
	cluster,
	chance,
	tell,
	electionTimeoutMs,
	later,
	transfer,
}: PlotOptions): Plots {
	const { members, network } = cluster;
	const ids = members.map(({ id }) => id);
	const between = (low: number, high: number): number => chance.between(low, high) * electionTimeoutMs;

	function leader(): Member | null {
		const leaders = members.filter(({ core, paused }) => core?.established === true && !paused);
		return leaders.sort((one, other) => (other.core?.term ?? 0) - (one.core?.term ?? 0))[0] ?? null;
	}

	/** How to end it again. */
	function trouble(member: Member): () => void {
		const kind = chance.pick(troubles);
		switch (kind) {
			case "none":
				return () => {};
			case "disk-hangs":
				member.disk.hang();
				return () => member.disk.resume();
			case "disk-slow":
				member.disk.slow(300);
				return () => member.disk.slow(1);
			case "pause":
				member.pause(chance.pick(["stopped", "suspended"]));
				return () => member.resume();
			case "cut-off": {
				const ways = isolation(ids, member.id);
				network.cut(ways, "drop");
				return () => network.mend(ways);
			}
			case "asleep": {
				// Wakes up as if no time had passed, and nobody has told it anything: it still follows the old leader.
				const ways = isolation(ids, member.id);
				network.cut(ways, "drop");
				member.pause("suspended");
				return () => {
					network.mend(ways);
					member.resume();
				};
			}
			default: {
				const never: never = kind;
				throw new Error(String(never));
			}
		}
	}

	/** Again and again: a leader that has just been elected has nothing to hand over yet. */
	function bringBack(to: Member, tries: number): void {
		later(between(0.1, 1), () => {
			const now = leader();
			if (now === to || tries === 0) return;
			if (now !== null) transfer(now, to.id);
			bringBack(to, tries - 1);
		});
	}

	/** The leader and a few companions go on without all the others. */
	function minorityReign(old: Member): void {
		const most = Math.max(0, Math.floor((members.length - 1) / 2) - 1);
		const others = chance.shuffle(members.filter((member) => member !== old));
		const companions = others.slice(0, chance.integer(Math.min(1, most), most));
		const group = new Set([old, ...companions].map(({ id }) => id));
		const ways: readonly Way[] = split(ids, (node) => (group.has(node) ? 0 : 1));
		const names = companions.map(({ id }) => id).join(" ");
		tell({ type: "plot", plot: "minority reign", leader: old.id, companions: names });
		network.cut(ways, chance.pick<CutMode>(["reset", "hold", "drop"]));
		const crash = chance.happens(0.3) ? chance.pick<CrashKind>(["kill", "power"]) : null;
		later(between(0, 1), () => {
			const ends = companions.map(trouble);
			if (crash !== null) old.crash(crash);
			// Long enough, now and then, for a snapshot that the old leader needs then.
			later(between(0.5, chance.pick([4, 4, 20])), () => {
				network.mend(ways);
				if (chance.happens(0.7)) bringBack(old, 8);
				later(between(0, 4), () => {
					for (const end of ends) end();
				});
			});
		});
	}

	/**
	 * The leader sleeps while another one is elected, and wakes up with clients at its door and no news
	 * of that: first, or for good, come the answers to what it asked before.
	 */
	function sleeper(old: Member): void {
		tell({ type: "plot", plot: "sleeper", leader: old.id, companions: "" });
		network.cut(isolation(ids, old.id, "in"), chance.pick<CutMode>(["hold", "hold", "drop"]));
		network.cut(isolation(ids, old.id, "out"), chance.pick<CutMode>(["hold", "drop"]));
		later(between(0, 0.3), () => {
			old.pause(chance.pick(["suspended", "suspended", "stopped"]));
			later(between(1.2, 4), () => {
				old.resume();
				later(between(0, 1), () => network.mend(isolation(ids, old.id)));
			});
		});
	}

	return {
		begin() {
			const old = leader();
			if (old === null || members.length < 3) return;
			if (chance.happens(0.5)) sleeper(old);
			else minorityReign(old);
		},
	};
}

const blows = ["none", "down", "disk-hangs", "pause", "deaf", "mute", "isolate"] as const;
const leaderBlows = ["disk-hangs", "disk-hangs", "deaf", "deaf", "mute", "pause"] as const;

/** The last that happens to a member which is not healed: it stays so for the rest of the run. */
export function strike(
	member: Member,
	{ cluster, chance, tell }: Pick<PlotOptions, "cluster" | "chance" | "tell">,
): void {
	const ids = cluster.members.map(({ id }) => id);
	// A leader that nobody replaces is worth most.
	const blow = chance.pick(member.core?.established === true ? leaderBlows : blows);
	tell({ type: "last-blow", node: member.id, blow });
	switch (blow) {
		case "none":
			return;
		case "down":
			return member.crash(chance.pick<CrashKind>(["kill", "power"]));
		case "disk-hangs":
			return member.disk.hang();
		case "pause":
			return member.pause(chance.pick(["stopped", "suspended"]));
		case "deaf":
			return cluster.network.cut(isolation(ids, member.id, "in"), chance.pick<CutMode>(["hold", "drop"]));
		case "mute":
			return cluster.network.cut(isolation(ids, member.id, "out"), chance.pick<CutMode>(["hold", "drop"]));
		case "isolate":
			return cluster.network.cut(isolation(ids, member.id), chance.pick<CutMode>(["reset", "hold", "drop"]));
		default: {
			const never: never = blow;
			throw new Error(String(never));
		}
	}
}
