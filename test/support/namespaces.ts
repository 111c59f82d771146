/**
 * The network between the nodes as the kernel has it: each node in a network namespace of its own, and a router between
 * them, in one too. A cut is a rule of the router: packets of that direction vanish, nobody is told, and TCP sends them
 * again when it is mended. Clients stay outside: they come through a relay at the router, and reach a node that the others
 * do not.
 *
 * A namespace lives as long as the process that holds it, and each of these ends with the test.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { Network } from "./proxy.ts";
import { until } from "./until.ts";

export interface Place {
	readonly node: string;
	/** Where it listens, inside. */
	readonly port: number;
	/** Where clients find it, on the test's own loopback. */
	readonly outside: number;
}

/** Delays would need a queue that not every kernel has. */
export interface Namespaces extends Omit<Network, "delay"> {
	hostOf(node: string): string;
	/** The words before a command that is to run there. */
	at(node: string): readonly string[];
}

const relay = join(import.meta.dirname, "namespace-relay.ts");

/** Null: they can be made here. Else why not, for whoever reads what was skipped. */
export function whyNoNamespaces(): string | null {
	const tried = spawnSync("unshare", ["--net", "ip", "rule", "list"], { encoding: "utf8" });
	if (tried.error !== undefined) return `no unshare (util-linux): ${tried.error.message}`;
	if (tried.status !== 0) return `no rights for network namespaces, or no iproute2: ${tried.stderr.trim()}`;
	return null;
}

/** Runs `command` in a namespace of its own until its standard input ends, which is this process's end at the latest. */
function hold(command: readonly string[]): ChildProcess {
	return spawn("unshare", ["--net", ...command], { stdio: ["pipe", "ignore", "inherit"] });
}

export async function openNamespaces(directory: string, places: readonly Place[]): Promise<Namespaces> {
	const numbers = new Map(places.map(({ node }, index) => [node, index + 1]));
	const numberOf = (node: string): number => {
		const number = numbers.get(node);
		if (number === undefined) throw new Error(`there is no node ${node}`);
		return number;
	};
	const hostOf = (node: string): string => `10.231.${numberOf(node)}.2`;
	const socketOf = (node: string): string => join(directory, `${node}.socket`);

	const ways = places.map(({ node, port }) => ({ socket: socketOf(node), host: hostOf(node), port }));
	const router = hold([process.execPath, relay, JSON.stringify(ways)]);
	const holders = new Map(places.map(({ node }) => [node, hold(["sh", "-c", "read _", directory])]));
	const enter = (holder: ChildProcess | undefined): string[] => [
		"nsenter",
		`--net=/proc/${holder?.pid}/ns/net`,
		"--",
	];
	const run = (holder: ChildProcess | undefined, words: string): void => {
		const [command = "", ...rest] = [...enter(holder), ...words.split(" ")];
		execFileSync(command, rest, { stdio: ["ignore", "ignore", "pipe"] });
	};
	const inRouter = (words: string): void => run(router, words);

	/** Before they have one of their own, they still share ours, and nothing must be set up there. */
	async function separate(holder: ChildProcess): Promise<void> {
		const isOwn = (): boolean =>
			execFileSync("readlink", [`/proc/${holder.pid}/ns/net`]).toString() !==
			execFileSync("readlink", ["/proc/self/ns/net"]).toString();
		await until({ what: "a network namespace", timeoutMs: 5_000 }, isOwn);
	}

	await Promise.all([router, ...holders.values()].map(separate));
	inRouter("ip link set lo up");
	for (const [node, holder] of holders) {
		const number = numberOf(node);
		inRouter(`ip link add to${number} type veth peer name eth0 netns ${holder.pid}`);
		inRouter(`ip addr add 10.231.${number}.1/24 dev to${number}`);
		inRouter(`ip link set to${number} up`);
		run(holder, "ip link set lo up");
		run(holder, `ip addr add ${hostOf(node)}/24 dev eth0`);
		run(holder, "ip link set eth0 up");
		run(holder, `ip route add default via 10.231.${number}.1`);
	}
	inRouter("sysctl -q -w net.ipv4.ip_forward=1");

	const doors = await Promise.all(places.map(({ node, outside }) => openDoor(outside, socketOf(node))));
	const cuts = new Set<string>();

	function cutOneWay(from: string, to: string): void {
		const rule = `from ${hostOf(from)} to ${hostOf(to)} blackhole`;
		if (cuts.has(rule)) return;
		inRouter(`ip rule add ${rule}`);
		cuts.add(rule);
	}

	function cut(a: string, b: string): void {
		cutOneWay(a, b);
		cutOneWay(b, a);
	}

	return {
		hostOf,
		at: (node) => enter(holders.get(node)),
		cut,
		cutOneWay,
		isolate(node) {
			for (const other of numbers.keys()) if (other !== node) cut(node, other);
		},
		mend() {
			for (const rule of cuts) inRouter(`ip rule del ${rule}`);
			cuts.clear();
		},
		async close() {
			await Promise.all(doors.map((door) => new Promise((resolve) => door.close(resolve))));
			for (const holder of [router, ...holders.values()]) {
				const ended = once(holder, "exit");
				holder.stdin?.end();
				await ended;
			}
		},
	};
}

/** Sockets of the file system do not belong to a network: they are the way in. */
async function openDoor(port: number, socket: string): Promise<Server> {
	const server = createServer((client) => {
		const inside = connect(socket);
		const end = (): void => {
			client.destroy();
			inside.destroy();
		};
		for (const one of [client, inside]) one.on("error", end).on("close", end);
		client.pipe(inside).pipe(client);
	});
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(port, "127.0.0.1", resolve);
	});
	return server;
}
