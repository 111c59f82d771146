/**
 * A whole cluster of real processes on loopback ports with its data in a temporary folder. Every
 * connection between nodes goes through the test's own proxy, so links can be cut. When a test of
 * the file fails, the end of every node's log is printed; nothing outlives the test.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { SettingsOverride } from "./faulty-node.ts";
import { openGuard } from "./guard.ts";
import { get, run, view } from "./http.ts";
import { type Namespaces, openNamespaces } from "./namespaces.ts";
import { createNodeProcess, type NodeProcess, type NodeProcessOptions, tail } from "./node-process.ts";
import { freePorts } from "./ports.ts";
import { type Network, openNetwork } from "./proxy.ts";
import { until } from "./until.ts";

export interface ClusterOptions {
	readonly nodes?: number;
	/** Runs the nodes by faulty-node.ts with these settings; without, by `skein start`. */
	readonly settings?: SettingsOverride;
	/** Each node in a network namespace of its own: links are cut by the kernel, packet by packet. */
	readonly namespaces?: boolean;
	/** False: the nodes are made but not started. */
	readonly start?: boolean;
}

export interface Cluster {
	readonly nodes: readonly NodeProcess[];
	readonly directory: string;
	readonly network: Network;
	readonly urls: readonly string[];
	/** What all nodes share, for tests that start another process. */
	readonly identity: Pick<NodeProcessOptions, "cluster" | "clusterId" | "secret" | "onSpawn">;
	node(id: string): NodeProcess;
	/** The node that leads, in the newest term that any running node tells of, and can serve. */
	leader(timeoutMs?: number): Promise<NodeProcess>;
	followers(): Promise<NodeProcess[]>;
	/** Resolves when every running node has applied all that is committed now. */
	caughtUp(timeoutMs?: number): Promise<void>;
	/** Everybody runs, reaches everybody, and has applied everything. */
	heal(): Promise<void>;
	printLogs(): void;
	close(): Promise<void>;
}

export async function openCluster(options: ClusterOptions = {}): Promise<Cluster> {
	const ids = Array.from({ length: options.nodes ?? 3 }, (_, index) => `n${index + 1}`);
	const directory = mkdtempSync(join(tmpdir(), "skein-test-"));
	const guard = openGuard(directory);
	const ports = await freePorts(ids.length * 3);
	const portOf = (index: number, kind: number): number => ports[index * 3 + kind] ?? 0;
	const inside = options.namespaces === true ? await namespacesFor(directory, ids, portOf) : null;
	const network: Network =
		(inside === null ? null : { ...inside, delay: cannotDelay }) ??
		(await openNetwork(
			ids.map((node, index) => ({ node, port: portOf(index, 2), behind: portOf(index, 1) })),
		));
	const peerOf = (id: string, index: number): string =>
		inside === null ? `127.0.0.1:${portOf(index, 2)}` : `${inside.hostOf(id)}:${portOf(index, 1)}`;
	const identity = {
		cluster: new Map(ids.map((id, index) => [id, peerOf(id, index)])),
		clusterId: `test-${randomBytes(4).toString("hex")}`,
		secret: randomBytes(24).toString("hex"),
		onSpawn: (pid: number) => guard.watch(pid),
	};
	const nodes = ids.map((id, index) =>
		createNodeProcess({
			...identity,
			settings: options.settings ?? null,
			id,
			directory: join(directory, id),
			port: portOf(index, 0),
			peerPort: portOf(index, 1),
			...(inside !== null && {
				place: { command: inside.at(id), host: inside.hostOf(id), port: portOf(index, 2) },
			}),
		}),
	);
	const running = (): NodeProcess[] => nodes.filter((node) => node.isRunning);

	const cluster: Cluster = {
		nodes,
		directory,
		network,
		urls: nodes.map((node) => node.url),
		identity,
		node(id) {
			const found = nodes.find((node) => node.id === id);
			if (found === undefined) throw new Error(`there is no node ${id}`);
			return found;
		},
		async leader(timeoutMs = 15_000) {
			return await until({ what: "a leader that serves", timeoutMs }, async () => {
				const views = await Promise.all(
					running().map((node) => view(node.url, { timeoutMs: 1_000 }).catch(() => null)),
				);
				const newest = views
					.filter((seen) => seen !== null)
					.toSorted((a, b) => b.term - a.term)
					.find((seen) => seen.leader !== null);
				if (newest?.leader === null || newest?.leader === undefined) return null;
				const leader = cluster.node(newest.leader);
				if (!leader.isRunning) return null;
				// Its own word counts: others may still name one that is gone.
				const own = await view(leader.url, { timeoutMs: 1_000 });
				if (own.leader !== leader.id || own.term < newest.term) return null;
				const ready = await get(leader.url, "/ready", { timeoutMs: 1_000 });
				return ready.status === 200 ? leader : null;
			});
		},
		async followers() {
			const leader = await cluster.leader();
			return running().filter((node) => node !== leader);
		},
		async caughtUp(timeoutMs = 20_000) {
			const leader = await cluster.leader(timeoutMs);
			const { commitIndex } = await view(leader.url);
			const applied: Record<string, number | null> = {};
			const what = (): string =>
				`all members to have applied ${commitIndex}; they have ${JSON.stringify(applied)}`;
			await until({ what, timeoutMs }, async () => {
				for (const node of running()) {
					applied[node.id] = (await view(node.url)).members[node.id]?.appliedIndex ?? null;
				}
				return running().every((node) => (applied[node.id] ?? 0) >= commitIndex);
			});
		},
		async heal() {
			network.mend();
			for (const node of nodes) node.clearFaults();
			for (const node of running()) node.resume();
			await Promise.all(nodes.filter((node) => !node.isRunning).map((node) => node.start()));
			await cluster.caughtUp(30_000);
		},
		printLogs() {
			for (const node of nodes) {
				let text = "";
				try {
					text = tail(node.logText(), 40);
				} catch {
					text = "(it never ran)";
				}
				console.error(
					`--- the end of the log of ${node.id} (${node.isRunning ? "running" : "not running"}) ---\n${text}`,
				);
			}
		},
		async close() {
			await Promise.all(nodes.map((node) => node.kill()));
			await network.close();
			await guard.close();
		},
	};
	try {
		if (options.start !== false) {
			await Promise.all(nodes.map((node) => node.start()));
			await run((await cluster.leader()).url, "select 1");
		}
	} catch (error) {
		cluster.printLogs();
		await cluster.close();
		throw error;
	}
	return cluster;
}

function cannotDelay(): never {
	throw new Error("links between namespaces cannot be delayed: use the proxy");
}

/** Of the three ports of a node the third is where it listens for clients inside: outside, they come to the first. */
function namespacesFor(
	directory: string,
	ids: readonly string[],
	portOf: (index: number, kind: number) => number,
): Promise<Namespaces> {
	const places = ids.map((node, index) => ({ node, port: portOf(index, 2), outside: portOf(index, 0) }));
	return openNamespaces(directory, places);
}

/** One cluster for all tests of a file (or describe block): healthy again before each, its logs printed after a failure. */
export function useCluster(options: ClusterOptions = {}): () => Cluster {
	let cluster: Cluster | null = null;
	const current = (): Cluster => {
		if (cluster === null) throw new Error("the cluster is not started");
		return cluster;
	};
	beforeAll(async () => {
		cluster = await openCluster(options);
	});
	afterEach(async ({ task }) => {
		if (task.result?.state !== "fail") return;
		current().printLogs();
		// So that one failure is one failure: the next test begins with a whole cluster, if that is still possible.
		await current()
			.heal()
			.catch((error: unknown) => console.error(`the cluster does not heal: ${String(error)}`));
	});
	afterAll(async () => {
		await cluster?.close();
	});
	return current;
}
