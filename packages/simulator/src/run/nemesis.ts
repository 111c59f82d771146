/**
 * Makes what goes wrong in the safety phase, and heals a majority for the liveness phase. What a fault
 * needs to be undone stays with it, so that what is not healed stays as broken as it is.
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import { maxClockDrift } from "../../../skein/src/world/clock.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import { onlyLooked, type Scheduler } from "../engine/scheduler.ts";
import { connect } from "../load/connection.ts";
import type { Count, Tell } from "../trace/event.ts";
import { createFaultAtlas } from "../world/fault-atlas.ts";
import type { CutMode } from "../world/lane.ts";
import { isSeen, judgeStart } from "../world/log-damage.ts";
import { drawPartition, type Way } from "../world/partitions.ts";
import { type CoverOptions, isCovered } from "./covered.ts";
import { createCrashSweeps } from "./crash-sweep.ts";
import { type FaultKind, type FaultSettings, faultKinds } from "./faults.ts";
import { halfChange, lonelyChange } from "./lonely-change.ts";
import { createOperator } from "./operator.ts";
import { createStage, type PlotOptions } from "./plot-stage.ts";
import { createPlots, strike } from "./plots.ts";

export interface Nemesis {
	/** From now on no fault begins; none that was made ends by itself. */
	stop(): void;
	/** The failure of this member is what a fault should lead to. */
	explains(node: NodeId, failure: Error): boolean;
	/** The member was started with damage that it must have noticed. */
	mustRefuse(node: NodeId): boolean;
	/** Members whose disk has lost nothing that it must keep. */
	readonly sound: readonly NodeId[];
	/** All sets of voters of which a majority may be needed. */
	voters(): readonly (readonly NodeId[])[];
	/** It is down, and these have all that it has. */
	mayStayAway(node: NodeId, these: ReadonlySet<NodeId>): boolean;
	/** An operator asks this member that somebody is to lead, or never is. */
	prioritize(asked: Member, chance: Chance): void;
	/** For each configuration that may count: the voters that may lead. */
	mayLead(): readonly (readonly NodeId[])[];
	/** It is a member, and will be one whatever comes of the changes that are under way. */
	staysMember(node: NodeId): boolean;
	/** More disks may be damaged than Skein promises to survive. */
	readonly isBeyond: boolean;
	/** Its log may lack what was written to it: the disk was really damaged, or is gone. */
	hasDamaged(node: NodeId): boolean;
	/** These members are well, and connected with each other, for good; some of the others are struck a last time. */
	heal(nodes: ReadonlySet<NodeId>): void;
	/** All first members have taken part: none waits to be let in by all others (node/first-meeting.ts). */
	readonly isFounded: boolean;
	/** One has noted which disk the other has, so that no other one is taken for it. */
	remembers(node: NodeId, other: NodeId): boolean;
	/** These too, now that nobody need be away any more. */
	bringBack(nodes: ReadonlySet<NodeId>): void;
}

export interface NemesisOptions {
	readonly cluster: Cluster;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly tell: Tell;
	readonly count: Count;
	readonly settings: FaultSettings;
	/** Somebody comes to a member and asks for something, if anybody is free. */
	readonly visit: PlotOptions["visit"];
	readonly onOutrage: (error: unknown) => void;
}

/** What a disk refused before it was healed has come to its end by then. */
const aftermathMs = 1_000;

export function startNemesis(options: NemesisOptions): Nemesis {
	const { cluster, scheduler, chance, tell, count, settings, onOutrage } = options;
	const { members, network } = cluster;
	const ids = (): NodeId[] => members.map(({ id }) => id);
	/** Their disks were made to refuse work: a node may end because of that. */
	const troubled = new Set<NodeId>();
	/** Their disks may hold other bytes than were written. */
	const damaged = new Set<NodeId>();
	const atlas = createFaultAtlas({
		voters: () => operator.voters(),
		profile: settings.atlas,
		chance: chance.fork("atlas"),
		tell,
		isCovered: (node, isGone) => isCovered(cover, node, isGone),
	});
	const cover: CoverOptions = { cluster, voters: () => operator.voters(), spent: () => atlas.spent };
	const sweeps = createCrashSweeps({ chance: chance.fork("sweeps"), tell });
	/** Their disks were damaged, when they were last started, in a way that no start may miss. */
	const refusing = new Set<NodeId>();
	const operator = createOperator({
		cluster,
		chance: chance.fork("operator"),
		tell,
		spent: () => atlas.spent,
		start: bringUp,
		onOutrage,
	});
	const founded = new Set<NodeId>();
	let stopped = false;
	/** Supervisors start what has ended, sooner or later. */
	const restartMs = chance.pick([50, 500, 3_000]);

	const lost = (): number => members.filter(({ hasLostDisk }) => hasLostDisk).length;
	const first = members.filter(({ isFirst }) => isFirst);
	/** Else it is the crash or the pause of one. */
	const severalRun = (): boolean =>
		members.filter(({ state, paused }) => state === "running" && !paused).length > 1;

	function start(member: Member): void {
		const { id, disk, isFirst, hasLostDisk } = member;
		// Who comes later has never met it, and would count it: not covered.
		if (!isDown(member) || (hasLostDisk && !isFirst)) return;
		if (damaged.has(id)) {
			if (!atlas.mayStart(id, disk)) return;
			// What was written and not synced may hide the damage from a process that starts.
			const allIsSeen = [...disk.files().values()].every(isSeen);
			if (allIsSeen && judgeStart(disk.files()) === "detected") refusing.add(id);
			else refusing.delete(id);
		}
		member.start();
		if (!stopped) sweeps.onStart(member);
	}

	/** No process that has read the disk already. */
	function isDown({ state }: Member): boolean {
		return state === "down" || state === "failed" || state === "refused";
	}

	function later(delayMs: number, work: () => unknown): void {
		scheduler.after(delayMs, () => (stopped ? onlyLooked : work()));
	}

	function arm(kind: FaultKind): void {
		const meanMs = settings.everyMs[kind];
		if (meanMs === Number.POSITIVE_INFINITY) return;
		later(chance.exponential(meanMs), () => {
			make(kind, chance.pick(members));
			arm(kind);
		});
	}

	const lasts = (): number => chance.exponential(settings.lastsMs);

	function make(kind: FaultKind, member: Member): void {
		const { id: node, disk } = member;
		switch (kind) {
			case "kill":
			case "power":
				return member.crash(kind);
			case "crash-at-action":
				return member.crashAtAction(chance.integer(1, 30), chance.pick(["kill", "power"]));
			case "crash-at-operation":
				return sweeps.begin(member);
			case "power-everywhere":
				if (severalRun()) count("crash of all at once (power)");
				for (const one of members) one.crash("power");
				return;
			case "stop":
				return member.stop();
			case "pause":
				member.pause(chance.pick(["stopped", "suspended"]));
				return later(lasts(), () => member.resume());
			case "pause-everywhere": {
				if (severalRun()) count("pause of all at once (suspended)");
				for (const one of members) one.pause("suspended");
				return later(lasts(), () => {
					for (const one of members) one.resume();
				});
			}
			case "partition":
				return partition();
			case "clog":
				return onSomeWay(node, (way) => network.clog(way, lasts()));
			case "break-connections":
				return onSomeWay(node, (way) => network.breakConnections(way));
			case "disk-hang":
				disk.hang();
				return later(lasts(), () => disk.resume());
			case "disk-slow":
				disk.slow(chance.pick([3, 30, 300]));
				return later(lasts(), () => disk.slow(1));
			case "disk-full":
				// Zeros that were written ahead hide a short one from the log.
				return fill(member, chance.pick([0, 100, 5_000]), lasts() * chance.pick([1, 1, 10]), 0.5);
			case "disk-error":
				troubled.add(node);
				disk.fail(chance.pick(["read", "write", "sync"]), chance.pick(["once", "sticky"]));
				return later(lasts(), () => disk.works());
			case "clock-jump": {
				const byMs = chance.between(-1, 1) * chance.pick([100, 10_000, 10_000_000]);
				tell({ type: "clock-jump", node, byMs });
				member.clock?.jump(byMs);
				return;
			}
			case "clock-rate": {
				const rate = 1 + chance.between(-maxClockDrift, maxClockDrift);
				tell({ type: "clock-rate", node, rate });
				member.clock?.setRate(rate);
				return;
			}
			case "slow-node": {
				const meanMs = chance.pick([2, 20, 100]);
				const onlyTimers = chance.happens(0.3);
				tell({ type: "slow", node, meanMs, what: onlyTimers ? "timers" : "everything" });
				if (onlyTimers) member.clock?.setLateness(meanMs);
				else member.slow(meanMs);
				return later(lasts(), () => {
					member.clock?.setLateness(0);
					member.slow(0);
				});
			}
			case "transfer":
				return transfer(member, chance.happens(0.5) ? null : chance.pick(members).id);
			case "plot":
				return plots.begin();
			case "members":
				return changeMembers();
			case "disk-rot":
				rotNextSnapshot(100);
				if (isFounded() && atlas.rot({ node, disk, isDown: isDown(member) }) !== null) damaged.add(node);
				return;
			case "disk-misdirect":
				if (isFounded() && atlas.misdirect({ node, disk, isDown: isDown(member) })) damaged.add(node);
				return;
			case "wipe":
				wipe(member);
				return;
			default: {
				const never: never = kind;
				throw new Error(String(never));
			}
		}
	}

	/**
	 * A minority of those who vote may lose what it had; beyond the guarantees all but one, who knows who they were. False:
	 * not this one. Of the first members one is always left: where none is a new cluster begins, and nobody could tell.
	 */
	function wipe(member: Member): boolean {
		const { id, hasLostDisk } = member;
		if (!hasLostDisk && lost() >= mostLost()) return false;
		if (first.every((one) => one === member || one.hasLostDisk)) return false;
		if (!isFounded() || !isRemembered(id) || !atlas.mayLose(id)) return false;
		refusing.delete(id);
		member.wipe();
		return true;
	}

	function mostLost(): number {
		// The atlas counts in each set of voters that may count.
		if (settings.spares > 0) return members.length;
		return settings.atlas === "beyond" ? members.length - 1 : Math.floor((members.length - 1) / 2);
	}

	/**
	 * All others that have their disks know, durably, who has this name: who has never met it, or forgot it, would take
	 * an empty disk for the first. That is not covered.
	 */
	function isRemembered(node: NodeId): boolean {
		const others = members.filter(({ id, hasLostDisk }) => id !== node && !hasLostDisk);
		return others.every(({ id }) => remembers(id, node));
	}

	function remembers(node: NodeId, other: NodeId): boolean {
		const bytes = cluster.member(node).disk.durable("peers.json");
		return bytes !== null && other in (JSON.parse(new TextDecoder().decode(bytes)) as object);
	}

	/** The first members have more than the first entry on disk, or had. */
	function isFounded(): boolean {
		if (founded.size === first.length) return true;
		for (const { id, core } of first) if ((core?.durableIndex ?? 0) > 1) founded.add(id);
		return founded.size === first.length;
	}

	/** Copies do not live long, so whichever comes next. */
	function rotNextSnapshot(looks: number): void {
		if (looks === 0 || members.some(({ id, disk }) => atlas.rotSnapshot(id, disk))) return;
		later(chance.exponential(20), () => {
			rotNextSnapshot(looks - 1);
			// A byte of a file may be another one now: nobody hears of that.
			return onlyLooked;
		});
	}

	function changeMembers(): void {
		if (!isFounded()) return;
		const leader = stage.leader();
		if (leader === null || ofChanges.happens(0.6)) operator.change(null);
		else if (ofChanges.happens(0.5)) lonelyChange(stage, operator, leader);
		else halfChange(stage, operator, leader);
	}

	function fill(member: Member, slackBytes: number, lastsMs: number, databaseShare: number): void {
		const { id, disk, store } = member;
		troubled.add(id);
		disk.full(slackBytes, chance.pick(["kept", "taken"]));
		store.setFull(chance.happens(databaseShare));
		later(lastsMs, () => {
			disk.room();
			store.setFull(false);
		});
	}

	function onSomeWay(from: NodeId, call: (way: Way) => void): void {
		const others = ids().filter((id) => id !== from);
		if (others.length > 0) call([from, chance.pick(others)]);
	}

	function partition(): void {
		const { shape, ways } = drawPartition(chance, ids());
		if (ways.length === 0) return;
		const mode = chance.pick<CutMode>(["reset", "hold", "drop"]);
		tell({ type: "partition", shape, mode });
		network.cut(ways, mode);
		later(lasts(), () => network.mend(ways));
	}

	/** An operator hands leadership over, to somebody or anybody. */
	function transfer(member: Member, to: NodeId | null): void {
		const { server } = member;
		server?.life.enter(() => {
			tell({ type: "transfer", node: member.id, to });
			server.service.transfer(to).catch((error: unknown) => {
				if (!(error instanceof Error && "code" in error)) onOutrage(error);
			});
		});
	}

	const clientChance = chance.fork("clients of plots");
	const plotOptions: PlotOptions = {
		cluster,
		chance: chance.fork("plots"),
		tell,
		electionTimeoutMs: settings.electionTimeoutMs,
		later,
		transfer,
		visit: options.visit,
		fill: (member, lastsMs) => fill(member, 0, lastsMs, 0),
		wipe: (member) => member.isFirst && wipe(member),
		connect: (member) =>
			connect({ member, scheduler, chance: clientChance, delayMs: 0.1, isLetIn: false, onOutrage }),
	};
	const plots = createPlots(plotOptions);
	const ofChanges = chance.fork("changes of members");
	const stage = createStage({ ...plotOptions, chance: ofChanges });

	/** Looks now and then who has ended, as a supervisor does. */
	function supervise(member: Member): void {
		later(chance.exponential(restartMs), () => {
			const isUp = !isDown(member);
			// Who refuses to start is left alone most often: it will refuse again.
			if (member.state !== "refused" || chance.happens(0.1)) start(member);
			isFounded();
			supervise(member);
			return isUp ? onlyLooked : undefined;
		});
	}

	function bringUp(member: Member): void {
		later(chance.exponential(20), () => start(member));
		supervise(member);
	}

	for (const member of members) bringUp(member);
	for (const kind of faultKinds) arm(kind);

	return {
		explains(node, failure) {
			const text = wholeText(failure);
			if (/EIO|ENOSPC|DISK_FULL|disk is full|no space left/.test(text)) return troubled.has(node);
			const { hasPaused, disk } = cluster.member(node);
			if (/cannot be interrupted/.test(text)) return hasPaused || disk.hasHeldUp;
			return /the log is damaged/.test(text) && atlas.mayRefuse(node);
		},
		mustRefuse: (node) => refusing.has(node),
		get sound() {
			return members
				.filter(({ id, hasLostDisk }) => !hasLostDisk && !atlas.spent.has(id))
				.map(({ id }) => id);
		},
		voters: () => operator.voters(),
		mayStayAway: (node, these) =>
			isDown(cluster.member(node)) && isCovered(cover, node, true, (other) => these.has(other)),
		prioritize(asked, ofPriorities) {
			if (isFounded()) operator.prioritize(asked, ofPriorities);
		},
		mayLead: () => operator.mayLead(),
		staysMember: (node) => operator.staysMember(node),
		isBeyond: settings.atlas === "beyond",
		hasDamaged: (node) => damaged.has(node) || cluster.member(node).hasLostDisk,
		stop() {
			stopped = true;
		},
		heal(nodes) {
			if (chance.happens(0.5)) {
				for (const member of members) if (!nodes.has(member.id)) strike(member, { cluster, chance, tell });
			}
			bringBack(nodes);
		},
		get isFounded() {
			return isFounded();
		},
		remembers,
		bringBack,
	};

	function bringBack(nodes: ReadonlySet<NodeId>): void {
		const healed = [...nodes].map((id) => cluster.member(id));
		for (const member of healed) {
			member.clock?.setLateness(0);
			member.slow(0);
			member.disk.heal();
			member.store.setFull(false);
			member.keepClientsOut(false);
		}
		network.heal(nodes);
		keepWell(healed);
		scheduler.after(aftermathMs, () => {
			for (const member of healed) forgive(member, member.server);
		});
	}

	/** Whoever lives on has nothing left of what its disk refused: from now on that explains no end. */
	function forgive(member: Member, server: Member["server"]): void {
		scheduler.after(aftermathMs, () => {
			if (member.state === "running" && member.server === server) troubled.delete(member.id);
		});
	}

	/** Until the end of the run: what was about to fail or to stop when it was healed is started again. */
	function keepWell(healed: readonly Member[]): void {
		for (const member of healed) {
			member.resume();
			member.crashAtAction(Number.POSITIVE_INFINITY, "kill");
			start(member);
		}
		scheduler.after(200, () => keepWell(healed));
	}
}

/** Of an error and what caused it. */
function wholeText(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	const code = "code" in error ? String(error.code) : "";
	return `${code} ${error.message} ${error.cause === undefined ? "" : wholeText(error.cause)}`;
}
