/**
 * The real Network: TCP connections between the nodes of a cluster. Each node dials every other once
 * a lane and only sends on what it dialled; it only receives on what it accepted. DESIGN.md has why.
 */
import { randomBytes, randomInt } from "node:crypto";
import { createServer, type Socket } from "node:net";
import type { Member, NodeId } from "../consensus/types.ts";
import type { Identity } from "../log/log.ts";
import type { Clock, Timer } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import { type Lane, lanes, type Network, type NetworkReceiver, type WireVersions } from "../world/network.ts";
import type { Random } from "../world/random.ts";
import { acceptConnection, type IncomingConnection } from "./accept.ts";
import { wireVersions } from "./codec/wire-version.ts";
import { createWarnOnce, type PeerContext } from "./context.ts";
import { dialPeer, type OutgoingLane } from "./dial.ts";
import { defaultPeerLimits, type PeerLimits } from "./limits.ts";
import { type PeerAddress, peerAddress } from "./peer-address.ts";

export interface TcpNetworkOptions {
	readonly identity: Identity;
	/** Of the software; for the peers' logs. */
	readonly version: string;
	readonly listen: { readonly host: string; readonly port: number };
	/** The other nodes of the cluster, as far as they are known yet; `meet` tells of others. */
	readonly peers: readonly PeerAddress[];
	/** Null: peers are believed. Either all nodes have the same, or none has one. */
	readonly secret: string | null;
	readonly clock: Clock;
	readonly random?: Random;
	readonly log: Logger;
	readonly limits?: Partial<PeerLimits>;
	/** Asked at each handshake, once the peer has proved itself. False refuses it: a node that lost its disk and kept its name. */
	readonly onIncarnation?: (node: NodeId, incarnation: string) => boolean;
	/** For tests: as a program of another version would. */
	readonly wire?: WireVersions;
	/** Clusters that were given up for this one (`skein recover`): their members are told so. */
	readonly recoveredFrom?: readonly string[];
	/** A node of the cluster that gave this one up has proved it; said at each such handshake. */
	readonly onSuperseded?: (by: string) => void;
}

export interface TcpNetwork extends Network {
	/** The port that is listened on; differs from the option if that was 0. */
	port(): number;
}

const systemRandom: Random = {
	below: (bound) => randomInt(bound),
	bytes: (length) => randomBytes(length),
};

export function createTcpNetwork(options: TcpNetworkOptions): TcpNetwork {
	const limits = { ...defaultPeerLimits, ...options.limits };
	const log = options.log.child({ part: "peer" });
	const context: PeerContext = {
		identity: options.identity,
		version: options.version,
		secret: options.secret,
		wire: options.wire ?? wireVersions,
		clock: options.clock,
		random: options.random ?? systemRandom,
		limits,
		log,
		warnOnce: createWarnOnce(options.clock, log, limits.logIntervalMs),
		onIncarnation: options.onIncarnation ?? (() => true),
		recoveredFrom: options.recoveredFrom ?? [],
		onSuperseded: options.onSuperseded ?? (() => {}),
	};
	const outgoing = new Map<NodeId, Readonly<Record<Lane, OutgoingLane>>>();
	const addresses = new Map<NodeId, PeerAddress>();
	/** Members no more. */
	const leaving = new Map<NodeId, Timer>();
	/** Everything accepted and not closed yet, and among it the one that counts for a peer and lane. */
	const accepted = new Set<IncomingConnection>();
	const incoming = new Map<string, IncomingConnection>();
	let pendingHandshakes = 0;
	let receiver: NetworkReceiver | null = null;
	let sweeper: Timer | null = null;
	let stopped = false;

	const server = createServer(
		{ noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 },
		onConnection,
	);

	function onConnection(socket: Socket): void {
		if (stopped || pendingHandshakes >= limits.maxPendingHandshakes) {
			socket.destroy();
			if (!stopped) context.warnOnce("pending", {}, "too many connections that do not say who they are");
			return;
		}
		pendingHandshakes++;
		let key: string | null = null;
		const connection = acceptConnection(context, socket, {
			isMember: (node) => outgoing.has(node),
			onHandshake(authenticated) {
				pendingHandshakes--;
				if (authenticated === null) return;
				key = `${authenticated.node}/${authenticated.lane}`;
				// A peer that dials again knows that its old connection is dead, often before we do.
				incoming.get(key)?.destroy();
				incoming.set(key, connection);
				hurry(authenticated.node);
			},
			onMessage(from, lane, bytes) {
				if (!stopped) receiver?.onMessage(from, lane, bytes);
			},
			onClose() {
				accepted.delete(connection);
				if (key !== null && incoming.get(key) === connection) incoming.delete(key);
			},
		});
		accepted.add(connection);
	}

	/** A peer that reaches us can most likely be reached: no need to wait out the back-off. */
	function hurry(node: NodeId): void {
		const peer = outgoing.get(node);
		if (peer !== undefined) for (const lane of lanes) peer[lane].hurry();
	}

	function dialAll(peer: PeerAddress): void {
		const dial = (lane: Lane): OutgoingLane =>
			dialPeer(context, peer, lane, (ready) => {
				if (lane === "control" && !stopped) receiver?.onReachable(peer.id, ready);
			});
		addresses.set(peer.id, peer);
		outgoing.set(peer.id, { control: dial("control"), log: dial("log"), bulk: dial("bulk") });
	}

	function hangUp(node: NodeId): void {
		const peer = outgoing.get(node);
		if (peer === undefined) return;
		const wasReady = peer.control.ready();
		outgoing.delete(node);
		addresses.delete(node);
		for (const lane of lanes) {
			peer[lane].stop();
			incoming.get(`${node}/${lane}`)?.destroy();
		}
		if (wasReady) receiver?.onReachable(node, false);
	}

	function meet(nodes: readonly Member[]): void {
		if (receiver === null || stopped) return;
		const others = nodes.filter(({ id }) => id !== options.identity.nodeId).map(peerAddress);
		for (const peer of others) {
			leaving.get(peer.id)?.cancel();
			leaving.delete(peer.id);
			const known = addresses.get(peer.id);
			if (known?.host === peer.host && known.port === peer.port) continue;
			hangUp(peer.id);
			dialAll(peer);
		}
		for (const id of outgoing.keys()) {
			if (leaving.has(id) || others.some((peer) => peer.id === id)) continue;
			const forget = (): void => {
				leaving.delete(id);
				hangUp(id);
			};
			leaving.set(id, context.clock.setTimer(limits.forgetAfterMs, forget));
		}
	}

	function sweep(): void {
		for (const peer of outgoing.values()) for (const lane of lanes) peer[lane].sweep();
		for (const connection of accepted) connection.sweep();
		sweeper = context.clock.setTimer(limits.receiptIntervalMs, sweep);
	}

	return {
		wire: context.wire,
		wireVersion: (to, lane) => outgoing.get(to)?.[lane].wireVersion() ?? context.wire.oldest,
		async start(given) {
			if (receiver !== null || stopped) throw new Error("a network is started once");
			receiver = given;
			await listen(server, options.listen);
			if (stopped) return;
			server.on("error", (error) => log.error({ detail: error.message }, "the port between nodes failed"));
			for (const peer of options.peers) dialAll(peer);
			sweep();
		},
		send: (to, lane, bytes) => outgoing.get(to)?.[lane].send(bytes) ?? false,
		queuedBytes: (to, lane) => outgoing.get(to)?.[lane].queuedBytes() ?? 0,
		reachable: (node) => outgoing.get(node)?.control.ready() ?? false,
		meet,
		port() {
			const address = server.address();
			if (address === null || typeof address === "string") throw new Error("not listening");
			return address.port;
		},
		async stop() {
			if (stopped) return;
			stopped = true;
			sweeper?.cancel();
			for (const timer of leaving.values()) timer.cancel();
			for (const peer of outgoing.values()) for (const lane of lanes) peer[lane].stop();
			for (const connection of accepted) connection.destroy();
			if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
		},
	};
}

function listen(
	server: ReturnType<typeof createServer>,
	where: { host: string; port: number },
): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen(where.port, where.host, () => {
			server.removeListener("error", reject);
			resolve();
		});
	});
}
