/** One real node: a process that the test starts, kills, pauses, stops and starts again; its log lines are kept. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Fault, FaultyNodeOptions, SettingsOverride } from "./faulty-node.ts";
import { view } from "./http.ts";
import { until } from "./until.ts";

const root = resolve(import.meta.dirname, "../..");
export const nodeBinary = join(root, "node_modules/.bin/node");
export const skeinBinary = join(root, "packages/skein/bin/skein.js");
const faultyNode = join(import.meta.dirname, "faulty-node.ts");

export interface NodeProcessOptions {
	readonly id: string;
	/** Holds the node's data, log file and faults. */
	readonly directory: string;
	readonly port: number;
	readonly peerPort: number;
	/** Where the members reach each other: id to HOST:PORT. */
	readonly cluster: ReadonlyMap<string, string>;
	/** Where it runs, if not on the test's own loopback: how its command begins, and where it listens. */
	readonly place?: { readonly command: readonly string[]; readonly host: string; readonly port: number };
	readonly clusterId: string;
	readonly secret: string;
	/** Not empty: the node runs faulty-node.ts instead of `skein start`. */
	readonly settings: SettingsOverride | null;
	readonly onSpawn: (pid: number) => void;
	/** The URL of a node whose cluster it joins, by `skein start --join`; `cluster` says nothing then. */
	readonly join?: string;
	/** It joins as a learner. */
	readonly learner?: boolean;
	/** It joins as a witness. */
	readonly witness?: boolean;
}

export interface LogLine {
	readonly level: string;
	readonly msg: string;
	readonly [field: string]: unknown;
}

export interface Exit {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
}

export interface NodeProcess {
	readonly id: string;
	readonly url: string;
	readonly port: number;
	readonly peerPort: number;
	readonly dataDirectory: string;
	readonly isRunning: boolean;
	readonly pid: number;
	/** Starts the process; resolves when it answers /health, or rejects with its last log lines when it ends before. */
	start(): Promise<void>;
	/** Starts it and resolves with how it ended by itself. */
	startAndFail(): Promise<Exit>;
	/** SIGKILL: no goodbye. */
	kill(): Promise<void>;
	/** SIGTERM: hands over, finishes, ends. */
	stop(): Promise<Exit>;
	signal(signal: NodeJS.Signals): void;
	/** Resolves when the process has ended, however that came. */
	exit(timeoutMs: number): Promise<Exit>;
	pause(): void;
	resume(): void;
	/** Switches a fault of the disk on or off (clusters with `settings` only). */
	fault(fault: Fault, isOn: boolean): void;
	clearFaults(): void;
	logText(): string;
	logLines(): LogLine[];
}

export function createNodeProcess(options: NodeProcessOptions): NodeProcess {
	const { id, directory, port, peerPort } = options;
	const url = `http://127.0.0.1:${port}`;
	const dataDirectory = join(directory, "data");
	const faultsDirectory = join(directory, "faults");
	const logPath = join(directory, "log.jsonl");
	mkdirSync(faultsDirectory, { recursive: true });
	let child: ChildProcess | null = null;
	let ended: Promise<Exit> = Promise.resolve({ code: null, signal: null });

	function commandLine(): string[] {
		const cluster = [...options.cluster].map(([member, peer]) => ({ id: member, peer }));
		const listen = { host: options.place?.host ?? "127.0.0.1", port: options.place?.port ?? port };
		const address = `${listen.host}:${listen.port}`;
		const peerAddress = `${listen.host}:${peerPort}`;
		if (options.join !== undefined) {
			const flags = {
				"--id": id,
				"--data": dataDirectory,
				"--listen": address,
				"--peer": peerAddress,
				"--join": options.join,
				"--log-format": "json",
			};
			const words = [skeinBinary, "start", ...Object.entries(flags).flat()];
			if (options.witness === true) return [...words, "--witness"];
			return options.learner === true ? [...words, "--learner"] : words;
		}
		if (options.settings === null) {
			const flags = {
				"--id": id,
				"--data": dataDirectory,
				"--listen": address,
				"--peer": peerAddress,
				"--cluster": cluster.map((member) => `${member.id}=${member.peer}`).join(","),
				"--cluster-id": options.clusterId,
				"--log-format": "json",
			};
			return [skeinBinary, "start", ...Object.entries(flags).flat()];
		}
		const faulty: FaultyNodeOptions = {
			id,
			dataDirectory,
			listen,
			peer: { host: listen.host, port: peerPort },
			cluster,
			clusterId: options.clusterId,
			secret: options.secret,
			advertiseUrl: null,
			settings: options.settings,
			faultsDirectory,
		};
		return [faultyNode, JSON.stringify(faulty)];
	}

	function spawnNode(): void {
		if (child !== null) throw new Error(`${id} runs already`);
		const log = openSync(logPath, "a");
		const [command = nodeBinary, ...words] = [
			...(options.place?.command ?? []),
			nodeBinary,
			...commandLine(),
		];
		const spawned = spawn(command, words, {
			stdio: ["ignore", log, log],
			cwd: directory,
			env: {
				...process.env,
				SKEIN_SECRET: options.secret,
				NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compile"),
			},
		});
		closeSync(log);
		child = spawned;
		if (spawned.pid !== undefined) options.onSpawn(spawned.pid);
		ended = new Promise((resolve, reject) => {
			spawned.once("error", reject);
			spawned.once("exit", (code, signal) => {
				child = null;
				resolve({ code, signal });
			});
		});
	}

	const self: NodeProcess = {
		id,
		url,
		port,
		peerPort,
		dataDirectory,
		get isRunning() {
			return child !== null;
		},
		get pid() {
			if (child?.pid === undefined) throw new Error(`${id} does not run`);
			return child.pid;
		},
		async start() {
			spawnNode();
			await until({ what: `${id} to answer`, timeoutMs: 20_000 }, async () => {
				if (child !== null) return await view(url);
				return "ended";
			});
			if (child === null) throw new Error(`${id} ended while it started:\n${tail(self.logText(), 10)}`);
		},
		async startAndFail() {
			spawnNode();
			return await self.exit(20_000);
		},
		async kill() {
			child?.kill("SIGKILL");
			await ended;
		},
		async stop() {
			self.signal("SIGTERM");
			return await self.exit(25_000);
		},
		signal(signal) {
			if (child === null) throw new Error(`${id} does not run`);
			child.kill(signal);
		},
		async exit(timeoutMs) {
			const exited = await until({ what: `${id} to end`, timeoutMs }, () => (child === null ? ended : null));
			return exited;
		},
		pause: () => self.signal("SIGSTOP"),
		resume: () => self.signal("SIGCONT"),
		fault(fault, isOn) {
			if (options.settings === null) throw new Error("faults need a cluster with settings");
			if (isOn) writeFileSync(join(faultsDirectory, fault), "");
			else rmSync(join(faultsDirectory, fault), { force: true });
		},
		clearFaults() {
			rmSync(faultsDirectory, { recursive: true, force: true });
			mkdirSync(faultsDirectory);
		},
		logText: () => readFileSync(logPath, "utf8"),
		logLines: () =>
			self
				.logText()
				.split("\n")
				.filter((line) => line.startsWith("{"))
				.map((line): LogLine => JSON.parse(line)),
	};
	return self;
}

export function tail(text: string, lines: number): string {
	return text.trimEnd().split("\n").slice(-lines).join("\n");
}
