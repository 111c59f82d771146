/**
 * The README's commands work as they are written. Under "## Try it", the first fenced `sh` block is
 * started and must say where the cluster is and who leads; every line of the blocks after it is then run, one after the
 * other, and must succeed; at the end the first gets a Ctrl-C and must end well.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { until } from "./support/until.ts";

const root = resolve(import.meta.dirname, "..");

interface ReadmeCommands {
	readonly start: string;
	readonly tries: readonly string[];
}

function commandsOf(readme: string): ReadmeCommands {
	const section = /^## Try it$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(readme)?.[1] ?? "";
	const [start, ...others] = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(
		(block) => block[1] ?? "",
	);
	if (start === undefined) throw new Error('the README has no "## Try it" with a block of commands');
	const tries = others.flatMap((block) => block.split("\n").filter((line) => line.trim() !== ""));
	if (tries.length === 0) throw new Error('the README\'s "Try it" tries nothing');
	return { start: start.trim(), tries };
}

/** The path as a user has it: without the folder of the repository's own Node that npm scripts put in front. */
function pathOfUser(): string {
	return (process.env["PATH"] ?? "")
		.split(":")
		.filter((entry) => !entry.includes("node_modules") && !entry.includes("node-gyp-bin"))
		.join(":");
}

interface Ended {
	readonly code: number | null;
	readonly output: string;
}

function shell(
	command: string,
	cwd: string,
): { child: ChildProcess; output: () => string; ended: Promise<Ended> } {
	const environment = Object.fromEntries(
		Object.entries(process.env).filter(([name]) => !/^(npm_|VITEST|NODE_ENV|INIT_CWD|TEST$)/i.test(name)),
	);
	const child = spawn("/bin/sh", ["-c", command], {
		cwd,
		env: { ...environment, PATH: pathOfUser() },
		detached: true,
	});
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8");
		stream.on("data", (text: string) => {
			output += text;
		});
	}
	const ended = new Promise<Ended>(
		(
			done, // Killed by SIGINT is what a shell calls 130; npm ends so after a Ctrl-C.
		) => child.once("close", (code, signal) => done({ code: signal === "SIGINT" ? 130 : code, output })),
	);
	return { child, output: () => output, ended };
}

function isAlive(pid: number): boolean {
	try {
		return process.kill(pid, 0);
	} catch {
		return false;
	}
}

test("start, try, Ctrl-C", async () => {
	const { start, tries } = commandsOf(readFileSync(join(root, "README.md"), "utf8"));
	// In a folder of its own, for the data goes to ./.skein; what `npm ci` brings is there already.
	const copy = mkdtempSync(join(tmpdir(), "skein-readme-"));
	cpSync(join(root, "package.json"), join(copy, "package.json"));
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
	const command = start
		.split("\n")
		.map((line) => line.replace(/^npm (ci|install)\s*(&&|$)/, "").trim())
		.filter((line) => line !== "" && !/^(git clone|cd) /.test(line))
		.join("\n");
	expect(command).not.toBe("");
	const running = shell(`exec ${command}`, copy);
	try {
		await until({ what: "the cluster to say where it is", timeoutMs: 60_000, everyMs: 100 }, () => {
			if (running.child.exitCode !== null) throw new Error(running.output());
			return /http:\/\/127\.0\.0\.1:8080/.test(running.output()) && /leads/.test(running.output());
		});
		for (const line of tries) {
			const tried = await shell(line, copy).ended;
			expect(tried.code, `${line}\n${tried.output}`).toBe(0);
		}
	} finally {
		// As a terminal does it: to every process of the group.
		if (running.child.pid !== undefined && running.child.exitCode === null)
			process.kill(-running.child.pid, "SIGINT");
		const limit = setTimeout(() => {
			if (running.child.pid !== undefined) process.kill(-running.child.pid, "SIGKILL");
		}, 30_000);
		const { code, output } = await running.ended;
		clearTimeout(limit);
		rmSync(copy, { recursive: true, force: true });
		expect([0, 130], output).toContain(code);
		// Nothing of the whole group is left, and it went because the nodes stopped, not because npm did.
		expect(output).toContain("Stopped.");
		await until(
			{ what: "the last process to end", timeoutMs: 5_000 },
			() => !isAlive(-(running.child.pid ?? 0)),
		);
	}
});

test("a README without commands is refused", () => {
	expect(() => commandsOf("```sh\nnpm start\n```")).toThrow("Try it");
	expect(() => commandsOf("## Try it\n```sh\nnpm start\n```\n")).toThrow("tries nothing");
	const readme =
		"# A\n## Try it\n\n```sh\nnpm ci\nnpm start\n```\n\n```sh\na\n\nb\n```\n## More\n```sh\nc\n```\n";
	expect(commandsOf(readme)).toEqual({ start: "npm ci\nnpm start", tries: ["a", "b"] });
});
