// One node process under `skein dev`: started, watched, started again when it dies, stopped.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../package-root.ts";
import { openLogFile } from "./log-file.ts";
import { readLogLine } from "./log-line.ts";

export interface SupervisedNode {
	readonly id: string;
	readonly url: string;
	/** Null between its death and its next start. */
	readonly pid: number | null;
	/** How often, one after the other, it died soon after its start. */
	readonly shortLives: number;
	/** Asks it to stop (it hands over by itself) and waits; kills it when it takes too long. */
	stop(): Promise<void>;
	kill(): void;
}

export interface SupervisedNodeOptions {
	readonly id: string;
	readonly url: string;
	readonly arguments: readonly string[];
	/** Not an argument: those can be read by every user of the machine. */
	readonly secret: string;
	readonly logDirectory: string;
	/** Whether warnings go to the terminal now; errors always do. */
	readonly showsWarnings: () => boolean;
	/** For people: one line, without the node's id. */
	readonly say: (line: string) => void;
}

const stopLimitMs = 15_000;
const restartPauseMs = 500;
const longestPauseMs = 10_000;
/** A node that lived for less has crashed at its start. */
const shortLifeMs = 5_000;
const notableLinesPerSecond = 5;
const lastLines = 8;

export function superviseNode(options: SupervisedNodeOptions): SupervisedNode {
	const { id, url, say } = options;
	const log = openLogFile(options.logDirectory);
	let child: ChildProcess | null = null;
	let restart: NodeJS.Timeout | null = null;
	let isStopping = false;
	let shortLives = 0;
	let ended: Promise<void> = Promise.resolve();

	const start = (): void => {
		const isRestart = restart !== null;
		restart = null;
		const startedAt = performance.now();
		const lines: NodeLines = { shown: 0, tail: [] };
		const process = spawnNode(options);
		child = process;
		if (process.pid !== undefined && isRestart) say(`runs again as pid ${process.pid}`);
		process.stderr?.on("data", (chunk: Buffer) => log.write(chunk));
		if (process.stderr !== null) followLines(process.stderr, options, lines);
		ended = new Promise((resolve) => {
			process.once("error", (error) => {
				say(`cannot be started: ${error.message}`);
				resolve();
			});
			// Not "exit": the last lines of the log come before "close".
			process.once("close", (code, signal) => {
				child = null;
				resolve();
				if (isStopping) return;
				const isShort = performance.now() - startedAt < shortLifeMs;
				shortLives = isShort ? shortLives + 1 : 0;
				const pauseMs = Math.min(
					longestPauseMs,
					restartPauseMs * 2 ** Math.min(10, Math.max(0, shortLives - 1)),
				);
				const how = signal === null ? `stopped with exit code ${code ?? 1}` : `was killed by ${signal}`;
				say(`${how} (pid ${process.pid ?? "none"}); starting it again in ${pauseMs / 1_000} s`);
				// A death that nothing on the terminal explains.
				if (signal === null && lines.shown === 0) for (const line of lines.tail) say(`  ${line}`);
				restart = setTimeout(start, pauseMs);
			});
		});
	};
	start();

	return {
		id,
		url,
		get pid() {
			return child?.pid ?? null;
		},
		get shortLives() {
			return shortLives;
		},
		async stop() {
			isStopping = true;
			if (restart !== null) clearTimeout(restart);
			child?.kill("SIGTERM");
			// A process that somebody paused for fun would otherwise not see it.
			child?.kill("SIGCONT");
			const limit = setTimeout(() => {
				say(`does not stop within ${stopLimitMs / 1_000} s: killing it`);
				child?.kill("SIGKILL");
			}, stopLimitMs);
			await ended;
			clearTimeout(limit);
			log.close();
		},
		kill() {
			isStopping = true;
			if (restart !== null) clearTimeout(restart);
			child?.kill("SIGKILL");
		},
	};
}

function spawnNode(options: SupervisedNodeOptions): ChildProcess {
	const door = fileURLToPath(new URL("bin/skein.js", packageRoot()));
	return spawn(process.execPath, [door, "start", ...options.arguments], {
		// The channel closes when this process ends, however it ends: then the node stops by itself.
		stdio: ["ignore", "ignore", "pipe", "ipc"],
		env: { ...process.env, SKEIN_SECRET: options.secret, SKEIN_WATCH_PARENT: "1" },
		// A process group of its own: Ctrl-C is for this process, which stops the nodes in order.
		detached: true,
	});
}

interface NodeLines {
	/** How many went to the terminal. */
	shown: number;
	readonly tail: string[];
}

/** Shows what matters, a few lines a second, and keeps the last ones in `tail`. */
function followLines(stream: NodeJS.ReadableStream, options: SupervisedNodeOptions, lines: NodeLines): void {
	let second = 0;
	let shownThisSecond = 0;
	createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (raw) => {
		const line = readLogLine(raw);
		lines.tail.push(line.text);
		if (lines.tail.length > lastLines) lines.tail.shift();
		if (line.importance === "usual" || (line.importance === "warning" && !options.showsWarnings())) return;
		const now = Math.floor(performance.now() / 1_000);
		if (now !== second) {
			second = now;
			shownThisSecond = 0;
		}
		if (shownThisSecond++ >= notableLinesPerSecond) return;
		lines.shown++;
		options.say(line.text);
	});
}
