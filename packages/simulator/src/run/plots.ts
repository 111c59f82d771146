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
import type { CrashKind, Member } from "../cluster/member.ts";
import type { CutMode } from "../world/lane.ts";
import { isolation, split, type Way } from "../world/partitions.ts";
import { heldRead } from "./held-read.ts";
import { leftBehind } from "./left-behind.ts";
import { lingeringReader } from "./lingering-reader.ts";
import { lostCommit } from "./lost-commit.ts";
import { lostDisk } from "./lost-disk.ts";
import { createStage, type PlotOptions } from "./plot-stage.ts";
import { twoReigns } from "./two-reigns.ts";

const troubles = ["none", "disk-hangs", "disk-slow", "pause", "cut-off", "asleep", "asleep"] as const;

const kinds = [
	"sleeper",
	"minority reign",
	"held read",
	"two reigns",
	"two reigns",
	"lingering reader",
	"lost commit",
	"full log",
] as const;

const leftShare = 0.12;
/** Once in most runs, at most: a disk is lost for good. */
const lostDiskShare = 0.04;

export interface Plots {
	begin(): void;
}

export function createPlots(options: PlotOptions): Plots {
	const { cluster, chance, tell, later } = options;
	const stage = createStage(options);
	const { members, network } = cluster;
	const { between } = stage;
	/** Of its own: runs without that plot are what they were before there was one. */
	const leftChance = chance.fork("left behind");
	const lostChance = chance.fork("lost disk");
	/** The long ones come one at a time: each would spoil the other. */
	let isLong = false;

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
				const ways = isolation(stage.ids, member.id);
				network.cut(ways, "drop");
				return () => network.mend(ways);
			}
			case "asleep": {
				// Wakes up as if no time had passed, and nobody has told it anything: it still follows the old leader.
				const ways = isolation(stage.ids, member.id);
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

	/** The leader and a few companions go on without all the others. */
	function minorityReign(old: Member): void {
		const most = Math.max(0, Math.floor((members.length - 1) / 2) - 1);
		const others = chance.shuffle(members.filter((member) => member !== old));
		const companions = others.slice(0, chance.integer(Math.min(1, most), most));
		const group = new Set([old, ...companions].map(({ id }) => id));
		const ways: readonly Way[] = split(stage.ids, (node) => (group.has(node) ? 0 : 1));
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
				if (chance.happens(0.7)) stage.bringBack(old, 8);
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
		network.cut(isolation(stage.ids, old.id, "in"), chance.pick<CutMode>(["hold", "hold", "drop"]));
		network.cut(isolation(stage.ids, old.id, "out"), chance.pick<CutMode>(["hold", "drop"]));
		later(between(0, 0.3), () => {
			old.pause(chance.pick(["suspended", "suspended", "stopped"]));
			later(between(1.2, 4), () => {
				old.resume();
				later(between(0, 1), () => network.mend(isolation(stage.ids, old.id)));
			});
		});
	}

	/**
	 * No room for a long time, until the log needs its next segment and those that were prepared are used up. When
	 * there is room again the member goes on by itself: the liveness phase finds out who does not.
	 */
	function fullLog(member: Member): void {
		tell({ type: "plot", plot: "full log", node: member.id });
		options.fill(member, chance.between(10_000, 20_000));
	}

	function longEnds(): void {
		isLong = false;
	}

	return {
		begin() {
			const old = stage.leader();
			if (old === null || members.length < 3 || isLong) return;
			if (leftChance.happens(leftShare)) return leftBehind({ ...stage, chance: leftChance }, old);
			if (lostChance.happens(lostDiskShare)) return lostDisk({ ...stage, chance: lostChance }, old);
			const kind = chance.pick(kinds);
			switch (kind) {
				case "sleeper":
					return sleeper(old);
				case "minority reign":
					return minorityReign(old);
				case "held read":
					isLong = true;
					return heldRead(stage, old, longEnds);
				case "lingering reader":
					return lingeringReader(stage, chance.pick(members));
				case "lost commit":
					return lostCommit(stage, old);
				case "full log":
					return fullLog(chance.happens(0.5) ? old : chance.pick(members));
				case "two reigns":
					isLong = true;
					return twoReigns(stage, old, longEnds);
				default: {
					const never: never = kind;
					throw new Error(String(never));
				}
			}
		},
	};
}

const blows = ["none", "down", "disk-hangs", "pause", "deaf", "mute", "isolate"] as const;
const leaderBlows = [
	"disk-hangs",
	"disk-hangs",
	// Often none begins any more.
	"hangs-in-checkpoint",
	"hangs-in-checkpoint",
	"hangs-in-checkpoint",
	"hangs-in-checkpoint",
	"deaf",
	"deaf",
	"mute",
	"pause",
] as const;

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
		case "hangs-in-checkpoint":
			// Nothing is on its way to the log then, so that nothing else tells of it.
			return member.disk.hangInCheckpoint();
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
