/**
 * The README's commands work as they are written. A fenced `sh` block that follows the comment
 * `<!-- ci: start -->` is started and must say that it is ready; blocks after `<!-- ci: try -->` are then run one
 * after the other and must succeed; at the end the first gets a Ctrl-C and must end well.
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
	const blocks = [...readme.matchAll(/<!-- ci: (start|try) -->\s*```sh\n([\s\S]*?)```/g)];
	const of = (kind: string): string[] =>
		blocks.filter((block) => block[1] === kind).map((block) => (block[2] ?? "").trim());
	const [start, ...others] = of("start");
	if (start === undefined || others.length > 0)
		throw new Error("the README must have one block marked <!-- ci: start -->");
	const tries = of("try").flatMap((block) => block.split("\n").filter((line) => line.trim() !== ""));
	if (tries.length === 0) throw new Error("the README has no block marked <!-- ci: try -->");
	return { start, tries };
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
	const ended = new Promise<Ended>((done) => child.once("close", (code) => done({ code, output })));
	return { child, output: () => output, ended };
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
	}
});

test("a README without marked blocks is refused", () => {
	expect(() => commandsOf("```sh\nnpm start\n```")).toThrow("ci: start");
	expect(
		commandsOf("<!-- ci: start -->\n```sh\nnpm start\n```\n<!-- ci: try -->\n```sh\na\n\nb\n```"),
	).toEqual({
		start: "npm start",
		tries: ["a", "b"],
	});
});
