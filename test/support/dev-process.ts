/** `skein dev` as a process: started on free ports, its output kept and waited on. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { until } from "./until.ts";

/** A node's peer port lies this far above its port for clients. */
export const peerPortDistance = 10_000;

/** The first of `count` free ports in a row whose peer ports are free too, all below the kernel's own range. */
export async function freePortRow(count: number): Promise<number> {
	return await until({ what: "free ports in a row", timeoutMs: 10_000 }, async () => {
		const first = randomInt(10_000, 22_000 - count);
		const ports = Array.from({ length: count }, (_, index) => first + index);
		const free = await Promise.all([...ports, ...ports.map((port) => port + peerPortDistance)].map(isFree));
		return free.every(Boolean) ? first : null;
	});
}

function isFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
	});
}

export interface DevProcess {
	readonly child: ChildProcess;
	/** Exit code and signal. */
	readonly ended: Promise<readonly [number | null, NodeJS.Signals | null]>;
	output(): string;
	/** Resolves when `pattern` is in what was printed after `from` characters. */
	prints(pattern: RegExp, from?: number): Promise<RegExpExecArray>;
	/** The process ids in the introduction, by node. */
	pids(): ReadonlyMap<string, number>;
}

export function startDev(
	command: readonly [string, ...string[]],
	options: { directory: string; port: number },
): DevProcess {
	const [file, ...rest] = command;
	const child = spawn(file, [...rest, "dev", "--port", String(options.port)], {
		cwd: options.directory,
		stdio: ["ignore", "pipe", "pipe"],
	});
	let text = "";
	let hasEnded = false;
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (chunk: string) => {
			text += chunk;
		});
	}
	const ended = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) => {
		child.once("close", (code, signal) => {
			hasEnded = true;
			resolve([code, signal]);
		});
	});
	return {
		child,
		ended,
		output: () => text,
		async prints(pattern, from = 0) {
			const found = await until({ what: `${pattern} in the output`, timeoutMs: 40_000 }, () => {
				return pattern.exec(text.slice(from)) ?? (hasEnded ? "ended" : null);
			}).catch((error: unknown) => {
				throw new Error(`${error instanceof Error ? error.message : String(error)}:\n${text}`);
			});
			if (typeof found === "string") throw new Error(`it ended before it printed ${pattern}:\n${text}`);
			return found;
		},
		pids: () =>
			new Map([...text.matchAll(/^ {2}(n\d) .*pid (\d+)$/gm)].map(([, id, pid]) => [id ?? "", Number(pid)])),
	};
}

/** Also false for a process that has ended and was not asked about yet. */
export function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}
