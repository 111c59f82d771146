/** What the tests of connections share: a real clock, a log that remembers, nodes on loopback. */
import { createServer } from "node:net";
import type { Clock } from "../world/clock.ts";
import type { LogFields, Logger } from "../world/logger.ts";
import type { Lane, NetworkReceiver } from "../world/network.ts";
import { createTcpNetwork, type TcpNetwork, type TcpNetworkOptions } from "./tcp-network.ts";

export const realClock: Clock = {
	now: () => performance.now(),
	wallTime: () => Date.now(),
	setTimer(delayMs, callback) {
		const timer = setTimeout(callback, delayMs);
		return { cancel: () => clearTimeout(timer) };
	},
};

export interface LogLine {
	readonly level: string;
	readonly fields: LogFields;
	readonly message: string;
}

export function createMemoryLog(lines: LogLine[]): Logger {
	const write = (level: string) => (fields: LogFields, message: string) =>
		void lines.push({ level, fields, message });
	const logger: Logger = {
		debug: write("debug"),
		info: write("info"),
		warn: write("warn"),
		error: write("error"),
		child: () => logger,
	};
	return logger;
}

export interface Received {
	readonly from: string;
	readonly lane: Lane;
	readonly bytes: Uint8Array;
}

export interface TestNode {
	readonly network: TcpNetwork;
	readonly received: Received[];
	readonly reachable: string[];
	readonly lines: LogLine[];
}

export async function freePorts(count: number): Promise<number[]> {
	const servers = Array.from({ length: count }, () => createServer());
	const ports = await Promise.all(
		servers.map(
			(server) =>
				new Promise<number>((resolve) => {
					server.listen(0, "127.0.0.1", () => {
						const address = server.address();
						resolve(address !== null && typeof address === "object" ? address.port : 0);
					});
				}),
		),
	);
	await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
	return ports;
}

/** A node `id` among nodes of which each has a port; what it receives is kept. */
export async function startNode(
	id: string,
	ports: Readonly<Record<string, number>>,
	options: Partial<TcpNetworkOptions> = {},
	receiver: Partial<NetworkReceiver> = {},
): Promise<TestNode> {
	const received: Received[] = [];
	const reachable: string[] = [];
	const lines: LogLine[] = [];
	const peers = Object.entries(ports)
		.filter(([peer]) => peer !== id)
		.map(([peer, port]) => ({ id: peer, host: "127.0.0.1", port }));
	const network = createTcpNetwork({
		identity: { clusterId: "c1", nodeId: id, incarnation: `${id}-first` },
		version: "0.1.0",
		listen: { host: "127.0.0.1", port: ports[id] ?? 0 },
		peers,
		secret: "a secret of the tests",
		clock: realClock,
		log: createMemoryLog(lines),
		...options,
	});
	await network.start({
		onMessage: (from, lane, bytes) => void received.push({ from, lane, bytes }),
		onReachable: (node, up) => void reachable.push(`${up ? "+" : "-"}${node}`),
		...receiver,
	});
	return { network, received, reachable, lines };
}

export async function until(condition: () => boolean, what: string, timeoutMs = 5_000): Promise<void> {
	const end = performance.now() + timeoutMs;
	while (!condition()) {
		if (performance.now() > end) throw new Error(`not in time: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
}
