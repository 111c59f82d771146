// Nodes of Skein as an operator starts them: `skein start` with default settings, one process each.
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { view } from "../../test/support/http.ts";
import { freePorts } from "../../test/support/ports.ts";
import { until } from "../../test/support/until.ts";
import { openWorkplace } from "../children.ts";
import { waitForQuiet } from "../quiet.ts";
import { installSkein, nodeBinary } from "./install.ts";

export interface Node {
	readonly id: string;
	readonly port: number;
	readonly url: string;
	readonly pid: number;
	readonly isRunning: boolean;
	start(): Promise<void>;
	/** Resolves when the process has ended. */
	end(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
}

export interface SkeinCluster extends AsyncDisposable {
	readonly nodes: readonly Node[];
	readonly directory: string;
	leader(): Promise<Node>;
	followers(): Promise<Node[]>;
	pids(): number[];
}

export interface ClusterOptions {
	readonly nodes?: number;
	/** Options of Node.js itself for the node with this id, such as those that profile it. */
	readonly runtimeOptions?: (id: string) => readonly string[];
	/** Directories of data from before: the cluster starts again on what it had. */
	readonly directory?: string;
}

export async function openSkein(options: ClusterOptions = {}): Promise<SkeinCluster> {
	await waitForQuiet();
	const workplace = openWorkplace("skein");
	try {
		const skein = await installSkein(workplace.directory);
		const ids = Array.from({ length: options.nodes ?? 3 }, (_, index) => `n${index + 1}`);
		const ports = await freePorts(ids.length * 2);
		const peers = ids.map((id, index) => `${id}=127.0.0.1:${ports[ids.length + index]}`).join(",");
		const secret = randomBytes(24).toString("hex");
		const nodes = ids.map((id, index): Node => {
			const port = ports[index] ?? 0;
			const url = `http://127.0.0.1:${port}`;
			const directory = join(workplace.directory, id);
			mkdirSync(directory);
			const flags = {
				"--id": id,
				"--data": join(directory, "data"),
				"--listen": `127.0.0.1:${port}`,
				"--peer": `127.0.0.1:${ports[ids.length + index]}`,
				"--cluster": peers,
				"--log-format": "json",
			};
			let child: ChildProcess | null = null;
			return {
				id,
				port,
				url,
				get pid() {
					if (child?.pid === undefined) throw new Error(`${id} does not run`);
					return child.pid;
				},
				get isRunning() {
					return child !== null;
				},
				async start() {
					const log = openSync(join(directory, "log.jsonl"), "a");
					const runtime = options.runtimeOptions?.(id) ?? [];
					const started = workplace.start(
						nodeBinary,
						[...runtime, skein, "start", ...Object.entries(flags).flat()],
						{ cwd: directory, stdio: ["ignore", log, log], env: { ...process.env, SKEIN_SECRET: secret } },
					);
					child = started;
					started.once("exit", () => {
						if (child === started) child = null;
					});
					await until({ what: `${id} to answer`, timeoutMs: 20_000 }, () => view(url));
				},
				async end(signal) {
					const ending = child;
					if (ending === null) return;
					const ended = new Promise<void>((resolve) => ending.once("exit", () => resolve()));
					ending.kill(signal);
					await ended;
				},
			};
		});
		await Promise.all(nodes.map((node) => node.start()));
		const cluster = clusterOf(nodes, workplace.directory, async () => {
			await Promise.all(nodes.map((node) => node.end("SIGKILL")));
			await workplace[Symbol.asyncDispose]();
		});
		const { url } = await cluster.leader();
		// Not by a read: a node that was asked is no idle one any more.
		await until({ what: "the leader to be ready", timeoutMs: 15_000 }, async () =>
			(await fetch(`${url}/ready`)).ok ? true : null,
		);
		return cluster;
	} catch (error) {
		await workplace[Symbol.asyncDispose]();
		throw error;
	}
}

function clusterOf(nodes: readonly Node[], directory: string, close: () => Promise<void>): SkeinCluster {
	const running = (): Node[] => nodes.filter((node) => node.isRunning);
	const cluster: SkeinCluster = {
		nodes,
		directory,
		async leader() {
			return await until({ what: "a leader", timeoutMs: 15_000 }, async () => {
				const views = await Promise.all(
					running().map(async (node) => ({ node, seen: await view(node.url) })),
				);
				// Its own word counts, and in the newest term: others may still name one that is gone.
				const term = Math.max(...views.map(({ seen }) => seen.term));
				const leads = views.find(({ node, seen }) => seen.term === term && seen.leader === node.id);
				return leads?.node ?? null;
			});
		},
		async followers() {
			const leader = await cluster.leader();
			return running().filter((node) => node !== leader);
		},
		pids: () => running().map((node) => node.pid),
		[Symbol.asyncDispose]: close,
	};
	return cluster;
}
