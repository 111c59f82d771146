/** All members of a simulated cluster, and what an observer sees of them after each event. */
import { initialConfiguration } from "../../../skein/src/consensus/configuration.ts";
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../skein/src/consensus/view.ts";
import type { NodeSettings } from "../../../skein/src/node/settings.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { Profile, StoreSettings } from "../machine/store.ts";
import type { Observation } from "../properties/observation.ts";
import type { Count, Tell } from "../trace/event.ts";
import { drawClockFault } from "../world/clock.ts";
import { createSimulatedDisk } from "../world/disk.ts";
import { type DiskSettings } from "../world/disk-settings.ts";
import { createSimulatedNetwork, type SimulatedNetwork } from "../world/network.ts";
import type { NetworkSettings } from "../world/network-settings.ts";
import { type Configurations, createConfigurations } from "./configurations.ts";
import { createMember, type Member } from "./member.ts";
import { createUpgrades, type UpgradeSettings } from "./upgrades.ts";

export interface Cluster {
	/** Those that were there from the start, and those that came since. Grows. */
	readonly members: readonly Member[];
	/** A machine more, which runs nothing yet and belongs to nothing; null: there is none left. */
	deploy(): Member | null;
	/** Who may count in a majority. */
	readonly configurations: Configurations;
	readonly network: SimulatedNetwork;
	member(id: NodeId): Member;
	/** Where its log ended when it was last seen, also if it does not run; null: it never ran. */
	logEnd(id: NodeId): LogEnd | null;
	/** To be called when an event and what it set off are over: shows the members that did something, and says which. */
	look(): readonly Member[];
	/** What the observers found broken; null: nothing. */
	readonly broken: unknown;
	dispose(): void;
}

export interface ClusterOptions {
	readonly size: number;
	/** So many of them, the last ones, are witnesses; default: none. */
	readonly witnesses?: number;
	/** Machines that may come later. */
	readonly spares?: number;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly profile: Profile;
	readonly settings: NodeSettings;
	readonly storeSettings: StoreSettings;
	readonly networkSettings: NetworkSettings;
	readonly diskSettingsOf: (node: NodeId) => DiskSettings;
	/** Null or absent: all run this program. */
	readonly upgrades?: UpgradeSettings | null;
	readonly tell: Tell;
	/** Absent: nobody asks. */
	readonly count?: Count;
	/** Throws when what it sees must not be. */
	readonly observe: (observation: Observation) => void;
}

export type LogEnd = Pick<CoreView, "lastIndex" | "lastTerm" | "durableIndex">;

/** What a member's view was when it was last shown. */
type Shown = Pick<
	CoreView,
	| "role"
	| "term"
	| "leader"
	| "established"
	| "lastIndex"
	| "lastTerm"
	| "durableIndex"
	| "commitIndex"
	| "base"
	| "configurationIndex"
>;

export function createCluster(options: ClusterOptions): Cluster {
	const { size, scheduler, chance, profile, settings, tell } = options;
	/** Few, most often one. */
	let touched: Member[] = [];
	/** Of the event before: used again. */
	let shownLast: Member[] = [];
	const shown = new Map<NodeId, Shown>();
	const logEnds = new Map<NodeId, LogEnd>();

	/** Inside production code: what an observer throws must not be taken for a failure of the code that it watches. */
	function observe(observation: Observation): void {
		if (cluster.broken !== null) return;
		try {
			options.observe(observation);
		} catch (error) {
			cluster.broken = error;
		}
	}

	const applied = new Map<NodeId, number>();

	/** A snapshot may hold a commit of which the node has not heard yet (Database.commit tells late). */
	function hearOf(observation: Observation): void {
		if (observation.type === "applied") applied.set(observation.node, observation.position.index);
		else if (observation.type === "snapshot") {
			const { node, position } = observation;
			if (position.index > (applied.get(node) ?? 0))
				observe({ type: "applied", node, position, digest: null });
		}
		observe(observation);
	}

	const idOf = (number: number): NodeId => `n${number + 1}`;
	const ids = Array.from({ length: size }, (_, number) => idOf(number));
	const laterIds = Array.from({ length: options.spares ?? 0 }, (_, number) => idOf(size + number));
	const network = createSimulatedNetwork({
		scheduler,
		chance: chance.fork("network"),
		settings: options.networkSettings,
		tell,
		count: options.count ?? (() => {}),
		nodes: [...ids, ...laterIds],
	});
	const witnessIds = ids.slice(size - (options.witnesses ?? 0));
	const bootstrap = initialConfiguration(
		ids.map((id) =>
			witnessIds.includes(id) ? { id, peer: `${id}:1`, witness: true } : { id, peer: `${id}:1` },
		),
	);
	const configurations = createConfigurations(bootstrap);
	const create = (id: NodeId, isFirst: boolean): Member => {
		const own = chance.fork(id);
		const member: Member = createMember({
			id,
			scheduler,
			chance: own.fork("process"),
			tell,
			disk: createSimulatedDisk({
				node: id,
				scheduler,
				chance: own.fork("disk"),
				settings: options.diskSettingsOf(id),
				tell,
				checksum: profile.checksum,
			}),
			store: profile.createStore(own.fork("store"), options.storeSettings),
			connect: (node, credentials) => network.connect(node, credentials),
			bootstrap: isFirst ? bootstrap : null,
			isWitness: witnessIds.includes(id),
			settings,
			notedIn: (payload, isWhole) => profile.notedIn(payload, isWhole),
			mustRunAlone: (request) => profile.mustRunAlone(request),
			wire: createUpgrades(own.fork("upgrades"), options.upgrades ?? null),
			clockFault: drawClockFault(own.fork("clock")),
			observe: (observation) => {
				hearOf(observation);
				if (observation.type === "applied") {
					const { node, position, digest } = observation;
					tell({ type: "applied", node, index: position.index, digest: digest ?? "" });
				} else if (observation.type === "snapshot") {
					tell({ type: "snapshot-made", node: observation.node, index: observation.position.index });
				}
			},
			touched() {
				if (!touched.includes(member)) touched.push(member);
			},
		});
		return member;
	};
	const members = ids.map((id) => create(id, true));
	const spares = [...laterIds];

	function show(member: Member): void {
		const { id, core } = member;
		if (core === null) {
			shown.delete(id);
			return;
		}
		const before = shown.get(id);
		const isRoleShown = before !== undefined && hasSameRole(core, before);
		const isLogShown = before !== undefined && hasSameLog(core, before);
		if (isRoleShown && isLogShown) return;
		const { role, term, leader, established } = core;
		const { lastIndex, lastTerm, durableIndex, commitIndex, base } = core;
		const { configurationIndex } = core;
		const now = { role, term, leader, established, lastIndex, lastTerm, durableIndex, commitIndex, base };
		shown.set(id, { ...now, configurationIndex });
		logEnds.set(id, now);
		configurations.note(core);
		if (before !== undefined && before.configurationIndex !== configurationIndex) tellMembers(id, core);
		if (!isRoleShown) tell({ type: "role", node: id, role, term, leader, established });
		if (!isLogShown) {
			const last = { last: lastIndex, lastTerm };
			const indexes = { ...last, durable: durableIndex, commit: commitIndex, base: base.index };
			tell({ type: "log", node: id, ...indexes });
		}
		observe({ type: "view", node: id, view: core });
	}

	function tellMembers(node: NodeId, { configuration, configurationIndex: index }: CoreView): void {
		const { voters, outgoingVoters, learners } = configuration;
		const lists = {
			voters: voters.join(" "),
			outgoing: outgoingVoters.join(" "),
			learners: learners.join(" "),
		};
		tell({ type: "members", node, index, ...lists });
	}

	const cluster: Cluster & { broken: unknown } = {
		members,
		configurations,
		deploy() {
			const id = spares.shift();
			if (id === undefined) return null;
			const member = create(id, false);
			members.push(member);
			return member;
		},
		network,
		member(id) {
			const found = members.find((one) => one.id === id);
			if (found === undefined) throw new RangeError(`there is no member ${id}`);
			return found;
		},
		logEnd: (id) => logEnds.get(id) ?? null,
		look() {
			const members = touched;
			touched = shownLast;
			// Not by its length: that would give its memory back.
			while (touched.length > 0) touched.pop();
			shownLast = members;
			for (const member of members) show(member);
			return members;
		},
		broken: null,
		dispose() {
			for (const { store } of members) store.dispose();
		},
	};
	return cluster;
}

function hasSameRole(one: Shown, other: Shown): boolean {
	return (
		one.role === other.role &&
		one.term === other.term &&
		one.leader === other.leader &&
		one.established === other.established
	);
}

function hasSameLog(one: Shown, other: Shown): boolean {
	return (
		one.lastIndex === other.lastIndex &&
		one.lastTerm === other.lastTerm &&
		one.durableIndex === other.durableIndex &&
		one.commitIndex === other.commitIndex &&
		one.base.index === other.base.index
	);
}
