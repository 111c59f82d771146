/**
 * The network between simulated nodes: all ways between them, each with its three lanes (lane.ts), and
 * what is cut. Nodes only ever reach it through the Network that `connect` gives, one for each life.
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import { commonVersion, wireVersions } from "../../../skein/src/peer/codec/wire-version.ts";
import {
	type Lane,
	lanes,
	type Network,
	type NetworkReceiver,
	type WireVersions,
} from "../../../skein/src/world/network.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { Count, Tell } from "../trace/event.ts";
import { type CutMode, createLane, type Door, type SimulatedLane } from "./lane.ts";
import { calmNetwork, type NetworkSettings } from "./network-settings.ts";
import type { Way } from "./partitions.ts";

/** Who a node says that it is, and whom it believes: asked on both sides of each new connection, as in the handshake. */
export interface Credentials {
	readonly incarnation: string;
	readonly accepts: (node: NodeId, incarnation: string) => boolean;
	/** Of the program that runs: absent, this one's. */
	readonly wire?: WireVersions;
}

export interface SimulatedNetwork {
	/** For a new life of a node. `stop` ends it, and must also be called when the process was killed. */
	connect(node: NodeId, credentials?: Credentials): Network;
	/** Nothing goes these ways any more. A connection needs both ways to be made, one to stand. */
	cut(ways: readonly Way[], mode: CutMode): void;
	mend(ways: readonly Way[]): void;
	/** Nothing leaves this way for so long; it waits. */
	clog(way: Way, forMs: number): void;
	/**
	 * What one lane of this way carries waits until the function that is returned is called, or the way is
	 * mended. The other lanes go on, and overtake it.
	 */
	holdLane(way: Way, lane: Lane): () => void;
	/** Copies of what goes this way stay on it, and come when the function that is returned is called. */
	keepCopies(way: Way): () => void;
	/** All connections of this way end, noticed or not. */
	breakConnections(way: Way): void;
	/** Between these nodes all is well for good; what the faults of the rest do to them stays. */
	heal(nodes: ReadonlySet<NodeId>): void;
	isCut(from: NodeId, to: NodeId): boolean;
}

export interface SimulatedNetworkOptions {
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly settings: NetworkSettings;
	readonly tell: Tell;
	/** Absent: nobody asks. */
	readonly count?: Count;
	/** All nodes that there will ever be. */
	readonly nodes: readonly NodeId[];
}

/** One life of a node, as far as the network knows. */
interface Attachment {
	readonly receiver: NetworkReceiver;
	readonly door: Door & { open: boolean };
	readonly credentials: Credentials | null;
}

const wireOf = (credentials: Credentials | null): WireVersions => credentials?.wire ?? wireVersions;

type Link = Readonly<Record<Lane, SimulatedLane>>;

export function createSimulatedNetwork(options: SimulatedNetworkOptions): SimulatedNetwork {
	const { scheduler, tell, count = () => {}, nodes, settings } = options;
	/** Started and not stopped. */
	const attached = new Map<NodeId, Attachment>();
	const links = new Map<string, Link>();
	const cuts = new Map<string, CutMode>();
	const healed = new Set<string>();
	const keyOf = (from: NodeId, to: NodeId): string => `${from}>${to}`;
	const others = (node: NodeId): readonly NodeId[] => nodes.filter((other) => other !== node);
	/** A healed way is calm, but its distance stays. */
	const calm: NetworkSettings = {
		...calmNetwork,
		minDelayMs: settings.minDelayMs,
		meanDelayMs: settings.meanDelayMs,
	};

	function canConnect(from: NodeId, to: NodeId): Door | null {
		const here = attached.get(from);
		const there = attached.get(to);
		if (here === undefined || there === undefined) return null;
		if (cuts.has(keyOf(from, to)) || cuts.has(keyOf(to, from))) return null;
		return believes(here, to, there) && believes(there, from, here) ? there.door : null;
	}

	function believes(one: Attachment, node: NodeId, other: Attachment): boolean {
		return one.credentials?.accepts(node, other.credentials?.incarnation ?? "") ?? true;
	}

	function createLink(from: NodeId, to: NodeId): Link {
		const way = keyOf(from, to);
		const chance = options.chance.fork(way);
		const make = (lane: Lane): SimulatedLane =>
			createLane({
				scheduler,
				chance: chance.fork(lane),
				settings: () => (healed.has(way) ? calm : settings),
				tell,
				count,
				from,
				to,
				lane,
				doorOf: () => canConnect(from, to),
				onNews(ready) {
					if (lane === "control") attached.get(from)?.receiver.onReachable(to, ready);
				},
			});
		return { control: make("control"), log: make("log"), bulk: make("bulk") };
	}

	for (const from of nodes) for (const to of others(from)) links.set(keyOf(from, to), createLink(from, to));

	function eachLane(from: NodeId, to: NodeId, call: (lane: SimulatedLane) => void): void {
		const link = links.get(keyOf(from, to));
		if (link === undefined) throw new RangeError(`there is no way from ${from} to ${to}`);
		for (const lane of lanes) call(link[lane]);
	}

	function attach(node: NodeId, receiver: NetworkReceiver, credentials: Credentials | null): Attachment {
		if (attached.has(node)) throw new Error(`${node} is connected twice`);
		const attachment: Attachment = {
			receiver,
			door: {
				open: true,
				onMessage(from, lane, bytes) {
					const { newest } = wireOf(credentials);
					if ((bytes[0] ?? 0) > newest)
						throw new Error(`${node} knows wire version ${newest}, and got ${bytes[0]} from ${from}`);
					receiver.onMessage(from, lane, bytes);
				},
			},
			credentials,
		};
		attached.set(node, attachment);
		for (const other of others(node)) {
			eachLane(node, other, (lane) => lane.dial());
			eachLane(other, node, (lane) => {
				lane.refuse();
				lane.dial();
			});
		}
		return attachment;
	}

	function detach(node: NodeId, attachment: Attachment): void {
		if (!attachment.door.open) return;
		attachment.door.open = false;
		attached.delete(node);
		for (const other of others(node)) {
			eachLane(node, other, (lane) => lane.die());
			eachLane(other, node, (lane) => lane.end());
		}
	}

	function mend([from, to]: Way): void {
		if (!cuts.delete(keyOf(from, to))) return;
		tell({ type: "mend", from, to });
		eachLane(from, to, (lane) => lane.mend());
		eachLane(to, from, (lane) => lane.dial());
	}

	return {
		connect(node, credentials) {
			let attachment: Attachment | null = null;
			let stopped = false;
			const own = new Map(others(node).map((to) => [to, links.get(keyOf(node, to))]));
			const link = (to: NodeId): Link | undefined => (stopped ? undefined : own.get(to));
			return {
				async start(receiver) {
					if (attachment !== null || stopped) throw new Error("a network is started once");
					attachment = attach(node, receiver, credentials ?? null);
				},
				send: (to, lane, bytes) => link(to)?.[lane].send(bytes) ?? false,
				queuedBytes: (to, lane) => link(to)?.[lane].queuedBytes() ?? 0,
				reachable: (to) => link(to)?.control.ready ?? false,
				wire: wireOf(credentials ?? null),
				wireVersion(to) {
					const own = wireOf(credentials ?? null);
					const other = attached.get(to);
					return other === undefined
						? own.oldest
						: (commonVersion(own, wireOf(other.credentials)) ?? own.oldest);
				},
				// All nodes that there will ever be know each other.
				meet() {},
				async stop() {
					stopped = true;
					if (attachment !== null) detach(node, attachment);
				},
			};
		},
		cut(ways, mode) {
			for (const [from, to] of ways) {
				const key = keyOf(from, to);
				if (healed.has(key) || cuts.has(key)) continue;
				cuts.set(key, mode);
				tell({ type: "cut", from, to, mode });
				eachLane(from, to, (lane) => lane.cut(mode));
			}
		},
		mend(ways) {
			for (const way of ways) mend(way);
		},
		clog([from, to], forMs) {
			if (!healed.has(keyOf(from, to))) eachLane(from, to, (lane) => lane.clog(forMs));
		},
		holdLane([from, to], lane) {
			const key = keyOf(from, to);
			const held = links.get(key)?.[lane];
			if (held === undefined || healed.has(key) || cuts.has(key)) return () => {};
			tell({ type: "lane-held", from, to, lane });
			held.cut("hold");
			return () => {
				if (!cuts.has(key)) held.mend();
			};
		},
		keepCopies([from, to]) {
			if (healed.has(keyOf(from, to))) return () => {};
			return links.get(keyOf(from, to))?.control.keepCopies() ?? (() => {});
		},
		breakConnections([from, to]) {
			if (!healed.has(keyOf(from, to))) eachLane(from, to, (lane) => lane.end());
		},
		heal(well) {
			const ways = [...well].flatMap((from) =>
				[...well].filter((to) => to !== from).map((to): Way => [from, to]),
			);
			for (const [from, to] of ways) healed.add(keyOf(from, to));
			for (const way of ways) mend(way);
			for (const [from, to] of ways) eachLane(from, to, (lane) => lane.mend());
			for (const [from, to] of ways) {
				eachLane(from, to, (lane) => {
					// What waits behind a clog or an end that nobody has noticed begins anew.
					lane.end(true);
					lane.dial();
				});
			}
		},
		isCut: (from, to) => cuts.has(keyOf(from, to)),
	};
}
