// bin/skein.js as real processes: finding the right Node, exit codes, signals, no process left behind.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const door = fileURLToPath(new URL("../../bin/skein.js", import.meta.url));
const oldNode = findOldNode();

function findOldNode(): string | null {
	const folders = (process.env["PATH"] ?? "").split(delimiter);
	const candidates = folders.map((folder) => join(folder, "node")).filter((path) => existsSync(path));
	return candidates.find((path) => Number(/^v(\d+)/.exec(versionOf(path))?.[1] ?? 99) < 24) ?? null;
}

function versionOf(node: string): string {
	return execFileSync(node, ["--version"], { encoding: "utf8" });
}

async function run(node: string, ...commandLine: string[]) {
	const child = spawn(node, [door, ...commandLine], { stdio: ["ignore", "pipe", "pipe"] });
	let stdout = "";
	let stderr = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
	child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
	const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
	return { status, stdout, stderr };
}

/** Where nobody listens. */
const nobody = `http://127.0.0.1:${await freePort()}`;

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	if (address === null || typeof address === "string") throw new Error("no port");
	return address.port;
}

interface Case {
	readonly commandLine: readonly string[];
	readonly exitCode: number;
	readonly says: RegExp;
}

const cases: readonly Case[] = [
	{ commandLine: ["--version"], exitCode: 0, says: /^\d+\.\d+\.\d+\n$/ },
	{ commandLine: ["--help"], exitCode: 0, says: /skein dev/ },
	{ commandLine: ["start", "--help"], exitCode: 0, says: /--cluster[^]*Examples:/ },
	{ commandLine: ["member", "--help"], exitCode: 0, says: /add[^]*remove[^]*promote[^]*demote/ },
	{ commandLine: ["member", "add", "n4"], exitCode: 2, says: /--peer is missing/ },
	{
		commandLine: ["member", "remove", "n4", "--force"],
		exitCode: 2,
		says: /there is no --force[^]*--confirm[^]*Try: skein member remove --help/,
	},
	{ commandLine: ["format", "page"], exitCode: 2, says: /it is row, statement or wal/ },
	{ commandLine: ["member", "ad"], exitCode: 2, says: /Did you mean add/ },
	{
		commandLine: ["start", "--id", "n1", "--join", "8080", "--cluster", "n1=a:1"],
		exitCode: 2,
		says: /--join and --cluster exclude each other/,
	},
	{
		commandLine: ["start", "--id", "n1", "--join", "8080", "--peer", "0.0.0.0:1"],
		exitCode: 2,
		says: /--advertise-peer/,
	},
	{ commandLine: ["strat"], exitCode: 2, says: /Did you mean start/ },
	{ commandLine: ["start", "--lisen", "1"], exitCode: 2, says: /Did you mean --listen/ },
	{
		commandLine: ["bench", "--url", "6000"],
		exitCode: 2,
		says: /--url is "6000": port 6000 is one of those/,
	},
	{
		commandLine: ["status", "--url", `${nobody},localhost:6000`],
		exitCode: 2,
		says: /port 6000 is one of those/,
	},
	{ commandLine: ["start"], exitCode: 2, says: /--id is missing[^]*Try: skein start --help/ },
	{ commandLine: ["bench", "a"], exitCode: 2, says: /too many arguments[^]*Try: skein bench --help/ },
	{ commandLine: ["sql", "--url", "8080", "--url", "8081"], exitCode: 2, says: /--url is given twice/ },
	{
		commandLine: ["status", "-w", "--watch"],
		exitCode: 2,
		says: /--watch is given twice[^]*skein status --help/,
	},
	{
		commandLine: ["start", "--id", "n1", "--cluster", "n2=a:1"],
		exitCode: 2,
		says: /does not name this node/,
	},
	{ commandLine: ["dev", "--nodes", "0"], exitCode: 2, says: /whole number from 1 to 9/ },
	{ commandLine: ["dev", "--config", "/nowhere.json"], exitCode: 2, says: /cannot read \/nowhere.json/ },
	{ commandLine: ["status", "--url", nobody], exitCode: 1, says: /UNREACHABLE/ },
	{ commandLine: ["sql", "--url", nobody, "select 1"], exitCode: 1, says: /cannot reach/ },
];

test.concurrent.each(cases)(
	"skein $commandLine exits with $exitCode",
	async ({ commandLine, exitCode, says }) => {
		const { status, stdout, stderr } = await run(process.execPath, ...commandLine);
		expect(stdout + stderr).toMatch(says);
		expect(status).toBe(exitCode);
		expect(stderr).not.toMatch(/ {4}at /);
	},
);

test("output that nobody reads ends a command quietly", async () => {
	const child = spawn(process.execPath, [door, "start", "--help"], { stdio: ["ignore", "pipe", "pipe"] });
	let errors = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
	child.stdout.destroy();
	expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
	expect(errors).toBe("");
});

test.skipIf(oldNode === null)("an old Node starts the right one and passes exit codes on", async () => {
	const { stdout } = await run(process.execPath, "--version");
	expect(await run(oldNode ?? "", "--version")).toMatchObject({ status: 0, stdout });
	expect((await run(oldNode ?? "", "strat")).status).toBe(2);
});

/** A command that runs until it is told to stop, started by an old Node, once it is really running. */
async function watching(): Promise<{ outer: ChildProcess; innerPid: number; ended: Promise<unknown[]> }> {
	const commandLine = [door, "status", "--watch", "--url", nobody];
	const outer = spawn(oldNode ?? "", commandLine, { stdio: ["ignore", "pipe", "inherit"] });
	const ended = new Promise<unknown[]>((resolve) => outer.once("exit", (...how) => resolve(how)));
	onTestFinished(() => void outer.kill("SIGKILL"));
	await new Promise((resolve) => outer.stdout?.once("data", resolve));
	const children = readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, "utf8").trim();
	const innerPid = Number(children);
	expect(innerPid).toBeGreaterThan(0);
	return { outer, innerPid, ended };
}

async function untilGone(pid: number): Promise<void> {
	const deadline = performance.now() + 5_000;
	while (isRunning(pid)) {
		if (performance.now() > deadline) throw new Error(`process ${pid} lives on`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

function isRunning(pid: number): boolean {
	try {
		// A zombie has ended; its parent has not looked yet.
		return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
	} catch {
		return false;
	}
}

test.skipIf(oldNode === null).each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
	"%s to the old Node alone reaches the command, which ends by itself",
	async (signal) => {
		const { outer, innerPid, ended } = await watching();
		outer.kill(signal);
		expect(await ended).toEqual([0, null]);
		await untilGone(innerPid);
	},
);

test.skipIf(oldNode === null)("the command does not outlive an old Node that is killed", async () => {
	const { outer, innerPid } = await watching();
	outer.kill("SIGKILL");
	await untilGone(innerPid);
});

test.skipIf(oldNode === null)("a command that is killed by a signal looks so from outside", async () => {
	const { innerPid, ended } = await watching();
	process.kill(innerPid, "SIGKILL");
	expect(await ended).toEqual([null, "SIGKILL"]);
});
