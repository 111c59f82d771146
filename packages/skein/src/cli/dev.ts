// `skein dev`: a whole cluster on this machine, made to be killed for fun.

import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { styleText } from "node:util";
import { acknowledgementText } from "../database/acknowledgement-text.ts";
import { type DevCluster, openClusterFile } from "./dev/cluster-file.ts";
import { busyPorts } from "./dev/ports.ts";
import { type SupervisedNode, superviseNode } from "./dev/supervised-node.ts";
import { askLeadership, isReady, type Leadership, watchLeader } from "./dev/watch-leader.ts";
import { listenForStop } from "./interrupt.ts";
import type { devOptions, OptionValues } from "./options.ts";
import { skeinVersion } from "./version.ts";

type DevValues = OptionValues<typeof devOptions>;

/** A node's peer port lies this far above its HTTP port. */
const peerPortDistance = 10_000;
const readyLimitMs = 30_000;
const mostFailedStarts = 3;
const stepDownLimitMs = 2_000;

export async function dev(values: DevValues): Promise<void> {
	const ports = Array.from({ length: values.nodes }, (_, index) => values.port + index);
	await refuseBusyPorts(ports);
	const cluster = openClusterFile(values.data, values.nodes);

	let nodes: SupervisedNode[] = [];
	const signals = listenForStop(() => {
		say("Killing them.");
		for (const node of nodes) node.kill();
	});
	// Nodes that miss each other while they start and stop are no news.
	let isCalm = false;
	nodes = ports.map((_, index) => startOne(index, ports, values, cluster, () => isCalm));
	try {
		const urls = nodes.map((node) => node.url);
		const leadership = await untilReady(nodes, signals.asked);
		if (leadership !== null) {
			isCalm = true;
			introduce(nodes, leadership, values);
			await watchLeader(urls, leadership, signals.asked, ({ leader, term }) => {
				say(leader === null ? "nobody leads" : `${styleText("bold", leader)} leads now (term ${term})`);
			});
		} else if (!signals.asked.aborted) {
			process.exitCode = 1;
			say(`The cluster does not get ready. What the nodes said: ${join(values.data, "n1", "log.jsonl")} …`);
		}
	} finally {
		isCalm = false;
		await stopAll(nodes);
	}
}

async function refuseBusyPorts(ports: readonly number[]): Promise<void> {
	const busy = await busyPorts([...ports, ...ports.map((port) => port + peerPortDistance)]);
	if (busy.length === 0) return;
	const which = busy.length === 1 ? `port ${busy.join()} is` : `ports ${busy.join(", ")} are`;
	throw new Error(
		`${which} in use on this machine (another skein dev?). ` +
			"Stop what listens there, or choose others: skein dev --port 9080 --data .skein-9080",
	);
}

function startOne(
	index: number,
	ports: readonly number[],
	values: DevValues,
	cluster: DevCluster,
	showsWarnings: () => boolean,
): SupervisedNode {
	const idOf = (position: number): string => `n${position + 1}`;
	const peerOf = (port: number): string => `127.0.0.1:${port + peerPortDistance}`;
	const port = ports[index];
	if (port === undefined) throw new Error(`no port for node ${index}`);
	const id = idOf(index);
	const directory = join(values.data, id);
	return superviseNode({
		id,
		url: `http://127.0.0.1:${port}`,
		secret: cluster.secret,
		logDirectory: directory,
		showsWarnings,
		say: (line) => say(`${styleText("bold", id)} ${line}`),
		arguments: [
			["--id", id],
			["--data", directory],
			["--listen", `127.0.0.1:${port}`],
			["--peer", peerOf(port)],
			["--cluster", ports.map((other, position) => `${idOf(position)}=${peerOf(other)}`).join()],
			["--cluster-id", cluster.clusterId],
			["--log-level", values.logLevel],
			["--log-format", "json"],
			values.acknowledgement === null
				? []
				: ["--acknowledgement", acknowledgementText(values.acknowledgement)],
		].flat(),
	});
}

/** Resolves when every node serves; null when stopped before, when it takes too long, or when a node cannot start. */
async function untilReady(nodes: readonly SupervisedNode[], asked: AbortSignal): Promise<Leadership | null> {
	const urls = nodes.map((node) => node.url);
	const deadline = performance.now() + readyLimitMs;
	while (!asked.aborted && performance.now() < deadline) {
		if (nodes.some((node) => node.shortLives >= mostFailedStarts)) return null;
		const ready = await Promise.all(urls.map(isReady));
		if (ready.every(Boolean)) {
			const leadership = await askLeadership(urls);
			if (leadership !== null && leadership.leader !== null) return leadership;
		}
		await sleep(50, undefined, { signal: asked }).catch(() => {});
	}
	return null;
}

function introduce(nodes: readonly SupervisedNode[], leadership: Leadership, values: DevValues): void {
	const url = values.port === 8080 ? "" : ` --url http://127.0.0.1:${values.port}`;
	const lines = nodes.map((node) => {
		const role = node.id === leadership.leader ? "leads" : "follows";
		return `  ${styleText("bold", node.id)}  ${node.url}  ${role.padEnd(7)}  pid ${node.pid ?? "none"}`;
	});
	const victim = nodes.find((node) => node.id === leadership.leader);
	say(`Skein ${skeinVersion()}: ${nodes.length} nodes, data in ${relative(".", values.data) || "."}\n`);
	say(lines.join("\n"));
	say(`\nTry:        npx skein sql${url} "select 'honk' as goose, sqlite_version() as sqlite"`);
	if (nodes.length > 2) say(`For fun:    kill -9 ${victim?.pid ?? "PID"}, and see who leads then`);
	say("Stop:       Ctrl-C\n");
}

/**
 * The followers first, the leader last: with the leader first, leadership would walk from one
 * stopping node to the next. Alone, the leader steps down (check-quorum); asked to stop before, it
 * would try for two seconds to hand over to nodes that are gone.
 */
async function stopAll(nodes: readonly SupervisedNode[]): Promise<void> {
	if (nodes.length === 0) return;
	say(`Stopping ${nodes.length} nodes (Ctrl-C again to kill them) …`);
	const leadership = await askLeadership(nodes.map((node) => node.url));
	const leader = nodes.find((node) => node.id === leadership?.leader);
	await Promise.all(nodes.filter((node) => node !== leader).map((node) => node.stop()));
	if (leader !== undefined && nodes.length > 1) await untilSteppedDown(leader.url);
	await leader?.stop();
	say("Stopped.");
}

async function untilSteppedDown(url: string): Promise<void> {
	const deadline = performance.now() + stepDownLimitMs;
	while (performance.now() < deadline) {
		const leadership = await askLeadership([url]);
		if (leadership === null || leadership.leader === null) return;
		await sleep(50);
	}
}

function say(line: string): void {
	process.stdout.write(`${line}\n`);
}
