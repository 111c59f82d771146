/**
 * One simulated member: the parts of the world that outlive its process (disk, database file), and the
 * process on top of them, put together as start-node.ts does. Started, stopped, killed, paused, wiped.
 */
import { encodeConfiguration, noMembers } from "../../../skein/src/consensus/configuration.ts";
import type { Configuration, Entry, NodeId } from "../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../skein/src/consensus/view.ts";
import type { Database } from "../../../skein/src/database/database.ts";
import { openWitnessDatabase } from "../../../skein/src/database/witness-database.ts";
import { openLog } from "../../../skein/src/log/segmented-log.ts";
import { afterFirstMeeting } from "../../../skein/src/node/first-meeting.ts";
import { createIncarnations } from "../../../skein/src/node/incarnations.ts";
import { createNode, defaultGroup, type Node } from "../../../skein/src/node/node.ts";
import type { Service } from "../../../skein/src/node/service.ts";
import type { NodeSettings } from "../../../skein/src/node/settings.ts";
import { silentLogger } from "../../../skein/src/world/logger.ts";
import type { Network, WireVersions } from "../../../skein/src/world/network.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { Profile, Store } from "../machine/store.ts";
import type { Observation } from "../properties/observation.ts";
import { observeDatabase, observeLog, observeNetwork } from "../properties/observe-member.ts";
import type { Tell } from "../trace/event.ts";
import {
	type ClockFault,
	createSimulatedClock,
	type PauseKind,
	type SimulatedClock,
} from "../world/clock.ts";
import type { SimulatedDisk } from "../world/disk.ts";
import type { Credentials } from "../world/network.ts";
import { gatedClock, gatedNetwork } from "./gates.ts";
import { createLife, type Life } from "./life.ts";

export type CrashKind = "kill" | "power";

/** "down" until it is started; "refused" and "failed" ended by themselves. */
export type MemberState = "down" | "starting" | "running" | "stopping" | "refused" | "failed";

/** A running process, as clients reach it. */
export interface RunningProcess {
	readonly life: Life;
	readonly service: Service;
}

export interface Member {
	readonly id: NodeId;
	readonly disk: SimulatedDisk;
	readonly store: Store;
	readonly state: MemberState;
	readonly paused: boolean;
	/** Now or before. */
	readonly hasPaused: boolean;
	/** It belongs to the configuration that the cluster began with. */
	readonly isFirst: boolean;
	/** It votes and has no data. */
	readonly isWitness: boolean;
	/** Its disk is another one than at first, which began empty. */
	readonly hasLostDisk: boolean;
	/** Why it ended by itself. */
	readonly failure: Error | null;
	readonly server: RunningProcess | null;
	/** The clock of the process that runs. */
	readonly clock: SimulatedClock | null;
	readonly core: CoreView | null;
	readonly keepsClientsOut: boolean;
	start(): void;
	/** As SIGTERM: hands over, and is killed if it takes too long. */
	stop(): void;
	crash(kind: CrashKind): void;
	/** Crashes in the middle of what it does next: after so many more calls to the world. */
	/** Infinity: not any more. */
	crashAtAction(number: number, kind: CrashKind): void;
	/** Everything that it is told, and every timer, comes so much later on average; 0: on time. */
	slow(meanMs: number): void;
	pause(kind: PauseKind): void;
	resume(): void;
	/** Clients do not get through to it; what they had sent before goes on. */
	keepClientsOut(isOut: boolean): void;
	wipe(): void;
}

export interface MemberOptions {
	readonly id: NodeId;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly tell: Tell;
	readonly disk: SimulatedDisk;
	readonly store: Store;
	readonly connect: (node: NodeId, credentials: Credentials) => Network;
	/** Of a new group; null: it joins one. */
	readonly bootstrap: Configuration | null;
	readonly isWitness: boolean;
	readonly settings: NodeSettings;
	readonly clockFault: ClockFault;
	/** Asked at each start: of the program that runs then. */
	readonly wire: () => WireVersions;
	readonly notedIn: Profile["notedIn"];
	readonly mustRunAlone: Profile["mustRunAlone"];
	readonly observe: (observation: Observation) => void;
	/** Something happened in the process: its view is to be looked at when this event is over. */
	readonly touched: () => void;
}

interface Running {
	readonly life: Life;
	readonly clock: SimulatedClock;
	readonly wire: WireVersions;
	/** Null until the log has told which incarnation this is. */
	network: Network | null;
	node: Node | null;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

export function createMember(options: MemberOptions): Member {
	const { id, scheduler, chance, tell, disk, store, bootstrap, settings, observe } = options;
	let running: Running | null = null;
	let lives = 0;
	const firstEntries: Entry[] =
		bootstrap === null
			? []
			: [{ index: 1, term: 1, kind: "configuration", payload: encodeConfiguration(bootstrap) }];

	function start(): void {
		if (running !== null) return;
		lives++;
		const life = createLife({ scheduler, chance: chance.fork(`life ${lives}`), touched: options.touched });
		const clock = createSimulatedClock({ scheduler, chance, ...options.clockFault });
		const current: Running = { life, clock, wire: options.wire(), network: null, node: null };
		running = current;
		member.clock = clock;
		member.state = "starting";
		member.failure = null;
		tell({ type: "start", node: id, life: lives });
		boot(current).catch((error: unknown) => endBySelf(current, "refused", error));
	}

	async function boot(current: Running): Promise<void> {
		const { life } = current;
		const gated = disk.through(life);
		const clock = gatedClock(current.clock, life);
		// Before the log, as start-node.ts does.
		const witness = options.isWitness ? await openWitnessDatabase(gated) : null;
		const log = await openLog({
			disk: gated,
			directory: "log",
			create: { clusterId: "simulated", nodeId: id, incarnation: drawIncarnation() },
			bootstrap: firstEntries,
			settings: { segmentBytes: settings.logSegmentBytes, cacheBytes: settings.logCacheBytes },
		});
		const database =
			witness ??
			store.open({
				after: (delayMs, work) => void life.after(delayMs, work),
				disk: gated,
				device: disk.device,
			});
		const { applied, configuration } = database.opened;
		const configurationIndex = configuration?.index ?? null;
		observe({ type: "started", node: id, recovered: log.recovered, applied, configurationIndex });
		const { accepts } = await createIncarnations(gated, silentLogger);
		const network = options.connect(id, {
			incarnation: log.recovered.identity.incarnation,
			accepts: (other, incarnation) => !life.over && accepts(other, incarnation),
			wire: current.wire,
		});
		current.network = network;
		const node = await createNode({
			self: id,
			version: "0.0.0",
			url: `http://${id}`,
			bootstrap: bootstrap ?? noMembers,
			log: observeLog(log, id, observe),
			database: observeDatabase(tellingOfSnapshots(database), id, observe, () =>
				witness === null ? store.digest() : null,
			),
			witness: options.isWitness,
			network: observeNetwork(
				afterFirstMeeting(gatedNetwork(network, life), {
					self: id,
					group: defaultGroup,
					recovered: log.recovered,
					clock,
					others: bootstrap?.voters.filter((other) => other !== id) ?? [],
					logger: silentLogger,
				}),
				observe,
			),
			clock,
			random: { below: (bound) => chance.below(bound), bytes: (length) => chance.bytes(length) },
			disk: gated,
			logger: silentLogger,
			settings,
			mustRunAlone: options.mustRunAlone,
			notedIn: options.notedIn,
		});
		void node.failed.then((error) => endBySelf(current, "failed", error));
		await node.start();
		current.node = node;
		member.state = "running";
		if (running === current) {
			member.core = node.core;
			member.server = { life, service: node.service };
		}
		tell({ type: "started", node: id, applied: applied.index, last: node.core.lastIndex });
	}

	/** Drawn at each start, and only used by the first on a disk. */
	function drawIncarnation(): string {
		return [...chance.bytes(16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
	}

	function tellingOfSnapshots(database: Database): Database {
		return {
			...database,
			async installSnapshot(path, sha256) {
				const installed = await database.installSnapshot(path, sha256);
				tell({ type: "snapshot-installed", node: id, index: installed.applied.index });
				return installed;
			},
		};
	}

	/** A process that throws is a process that exits. */
	function endBySelf(current: Running, how: "refused" | "failed", error: unknown): void {
		if (current.life.over || running !== current) return;
		member.failure = error instanceof Error ? error : new Error(String(error));
		tell({ type: how, node: id, reason: member.failure.message });
		end("kill");
		member.state = how;
	}

	/** The process is gone, however. */
	function end(kind: CrashKind): void {
		const current = running;
		if (current === null) return;
		running = null;
		member.paused = false;
		member.core = null;
		member.server = null;
		member.clock = null;
		current.life.end();
		current.clock.stop();
		void current.network?.stop();
		disk.crash(kind);
		store.crash(kind);
		observe({ type: "ended", node: id });
		options.touched();
		member.state = "down";
	}

	function crash(kind: CrashKind): void {
		if (running === null) {
			// A machine may also lose power while nothing of Skein runs on it.
			if (kind === "power") {
				disk.crash(kind);
				store.crash(kind);
			}
			return;
		}
		tell({ type: "crash", node: id, kind });
		end(kind);
	}

	function stop(): void {
		const current = running;
		if (current?.node === null || current === null || member.state !== "running") return;
		const { node, life } = current;
		member.state = "stopping";
		scheduler.after(2 * settings.stopTimeoutMs, () => {
			if (running === current) crash("kill");
		});
		life.enter(() => {
			void (async () => {
				await node.handOver();
				await node.stop();
				if (life.over) return;
				tell({ type: "stopped", node: id });
				end("kill");
			})();
		});
	}

	const member: Writable<Member> = {
		id,
		disk,
		store,
		state: "down",
		paused: false,
		hasPaused: false,
		isFirst: bootstrap !== null,
		isWitness: options.isWitness,
		hasLostDisk: false,
		failure: null,
		server: null,
		clock: null,
		core: null,
		keepsClientsOut: false,
		start,
		stop,
		crash,
		crashAtAction(number, kind) {
			running?.life.endAtAction(number, () => crash(kind));
		},
		slow(meanMs) {
			running?.life.slow(meanMs);
		},
		pause(kind) {
			if (running === null || running.life.paused) return;
			tell({ type: "pause", node: id, kind });
			member.hasPaused = true;
			running.clock.pause(kind);
			running.life.pause();
			member.paused = running.life.paused;
		},
		resume() {
			if (running === null || !running.life.paused) return;
			tell({ type: "resume", node: id });
			running.clock.resume();
			running.life.resume();
			member.paused = running.life.paused;
		},
		keepClientsOut(isOut) {
			member.keepsClientsOut = isOut;
			if (isOut) tell({ type: "clients-kept-out", node: id });
		},
		wipe() {
			end("power");
			member.state = "down";
			member.hasLostDisk = true;
			disk.wipe();
			store.wipe();
			tell({ type: "wipe", node: id });
			observe({ type: "disk-lost", node: id });
		},
	};
	return member;
}
