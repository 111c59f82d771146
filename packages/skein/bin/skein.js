#!/usr/bin/env node
// The door: runs the command line on a Node.js that is new enough. Plain JavaScript that Node 18
// understands: started by an older one, it finds the right one beside itself and starts itself again on it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as module from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const self = fileURLToPath(import.meta.url);
const oldest = [24, 15];

/** A process started with this variable set stops when the IPC channel to its parent closes. */
const watchParent = "SKEIN_WATCH_PARENT";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) await runHere();
else runOnNewerNode();

async function runHere() {
	if (process.env[watchParent] === "1" && process.channel !== undefined) followParent();
	// Threads read the variable: without the cache each of them loads the compiler that strips types.
	process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "node-compile-cache");
	module.enableCompileCache();
	const root = dirname(dirname(self));
	// A clone has the sources, which Node runs as they are; the published package has only dist.
	const source = join(root, "src/cli/main.ts");
	const built = join(root, "dist/skein/src/cli/main.js");
	const { main } = await import(pathToFileURL(existsSync(source) ? source : built).href);
	await main(process.argv.slice(2));
}

/** A parent that is killed cannot stop us any more; but its end of the channel closes. */
function followParent() {
	delete process.env[watchParent];
	process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
	process.channel.unref();
}

function runOnNewerNode() {
	const node = newerNode();
	if (node === undefined) {
		console.error(
			`skein needs Node.js ${oldest.join(".")} or newer; this is ${process.versions.node} (${process.execPath}),\n` +
				`and the package ${platformPackage()} that brings the right one is not installed.\n` +
				"Install a newer Node.js (https://nodejs.org), or run npm install again without --omit=optional.",
		);
		process.exitCode = 1;
		return;
	}
	const child = spawn(node, [self, ...process.argv.slice(2)], {
		stdio: ["inherit", "inherit", "inherit", "ipc"],
		env: { ...process.env, [watchParent]: "1" },
	});
	child.on("error", (error) => {
		console.error(`cannot start ${node}: ${error.message}`);
		process.exitCode = 1;
	});
	// Ctrl-C reaches both processes, `kill -INT` this one alone: so it is always passed on, and those
	// commands that live through a SIGINT take two within a moment as one (src/cli/interrupt.ts).
	const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
	const forward = (signal) => child.kill(signal);
	for (const signal of signals) process.on(signal, forward);
	child.on("exit", (code, signal) => {
		for (const name of signals) process.removeListener(name, forward);
		if (signal !== null) process.kill(process.pid, signal);
		else process.exitCode = code ?? 1;
	});
}

function platformPackage() {
	return `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
}

function newerNode() {
	const require = module.createRequire(import.meta.url);
	try {
		const root = dirname(require.resolve(`${platformPackage()}/package.json`));
		return [join(root, "bin/node"), join(root, "bin/node.exe")].find((path) => existsSync(path));
	} catch {
		return undefined;
	}
}
