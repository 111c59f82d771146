// Programs that a measurement starts: none outlives it, and what one prints is its result.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGuard } from "../test/support/guard.ts";

export interface Workplace extends AsyncDisposable {
	/** A temporary folder. Removed at the end, together with every process whose command line names it. */
	readonly directory: string;
	/** Starts a program that stays. */
	start(command: string, options?: readonly string[], spawnOptions?: SpawnOptions): ChildProcess;
	watch(pid: number): void;
}

export function openWorkplace(name: string): Workplace {
	const directory = mkdtempSync(join(tmpdir(), `skein-bench-${name}-`));
	const guard = openGuard(directory);
	return {
		directory,
		start(command, options = [], spawnOptions = {}) {
			const child = spawn(command, options, { stdio: "ignore", cwd: directory, ...spawnOptions });
			if (child.pid !== undefined) guard.watch(child.pid);
			child.on("error", (error) => console.error(`${command}: ${error.message}`));
			return child;
		},
		watch: (pid) => guard.watch(pid),
		async [Symbol.asyncDispose]() {
			// The guard itself keeps no process alive, and this one must live until everything is gone.
			const alive = setInterval(() => {}, 1_000);
			await guard.close();
			clearInterval(alive);
		},
	};
}

export interface RunOptions {
	readonly directory?: string;
	readonly input?: string;
	readonly user?: string;
}

/** Runs a program to its end; what it wrote to its standard output. Throws when its exit code is not 0. */
export function run(command: string, options: readonly string[], how: RunOptions = {}): Promise<string> {
	const [program, args] =
		how.user === undefined || process.getuid?.() !== 0
			? [command, options]
			: ["runuser", ["-u", how.user, "--", command, ...options]];
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, {
			stdio: ["pipe", "pipe", "pipe"],
			...(how.directory === undefined ? {} : { cwd: how.directory }),
		});
		const output: Buffer[] = [];
		const errors: Buffer[] = [];
		child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
		child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
		// A program that ends without reading what it is given says so by its exit code.
		child.stdin.on("error", () => {});
		child.stdin.end(how.input ?? "");
		child.on("error", reject);
		child.on("close", (code) => {
			if (code === 0) resolve(Buffer.concat(output).toString());
			else
				reject(
					new Error(
						`${command} ${options.join(" ")} ended with ${code}:\n${Buffer.concat(errors).toString()}`,
					),
				);
		});
	});
}
