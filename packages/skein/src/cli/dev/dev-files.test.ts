// The small parts of `skein dev`: log lines for people, bounded log files, the file that the nodes share, busy ports.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { UsageError } from "../usage-error.ts";
import { openClusterFile } from "./cluster-file.ts";
import { logFileLimitBytes, openLogFile } from "./log-file.ts";
import { readLogLine } from "./log-line.ts";
import { busyPorts } from "./ports.ts";

function temporaryFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "skein-dev-"));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	return folder;
}

test("warnings, errors and what is no JSON are worth a line; the rest is not", () => {
	const line = (level: string) =>
		JSON.stringify({ level, time: "t", node: "n1", msg: "hm", peer: "n2", waitMs: 5 });
	expect(readLogLine(line("warn"))).toEqual({ importance: "warning", text: "warn: hm (peer=n2 waitMs=5)" });
	expect(readLogLine(line("error")).importance).toBe("error");
	expect(readLogLine(line("info")).importance).toBe("usual");
	expect(readLogLine("FATAL ERROR: heap")).toEqual({ importance: "error", text: "FATAL ERROR: heap" });
	expect(readLogLine("  ").importance).toBe("usual");
});

test("an error is shown once, by its message", () => {
	const fields = { level: "error", error: { message: "disk on fire", stack: "…" } };
	expect(readLogLine(JSON.stringify({ ...fields, msg: "stopped" })).text).toBe(
		"error: stopped (error=disk on fire)",
	);
	expect(readLogLine(JSON.stringify({ ...fields, msg: "cannot start: disk on fire" })).text).toBe(
		"error: cannot start: disk on fire",
	);
});

test("a log file never grows beyond its limit, and the one before is kept", () => {
	const folder = temporaryFolder();
	const log = openLogFile(folder);
	log.write(new Uint8Array(logFileLimitBytes - 1));
	log.write(Buffer.from("ab"));
	log.close();
	expect(readFileSync(join(folder, "log.jsonl"), "utf8")).toBe("ab");
	expect(statSync(join(folder, "log.1.jsonl")).size).toBe(logFileLimitBytes - 1);
	const again = openLogFile(folder);
	again.write(Buffer.from("c"));
	again.close();
	expect(readFileSync(join(folder, "log.jsonl"), "utf8")).toBe("abc");
});

test("a cluster finds its id and secret again, which only the owner may read", () => {
	const folder = join(temporaryFolder(), "data");
	const made = openClusterFile(folder, 3);
	expect(openClusterFile(folder, 3)).toEqual(made);
	expect(made.secret).toHaveLength(32);
	expect(statSync(join(folder, "dev.json")).mode & 0o777).toBe(0o600);
});

test("another number of nodes, or a damaged file, is refused in words", () => {
	const folder = temporaryFolder();
	openClusterFile(folder, 3);
	expect(() => openClusterFile(folder, 5)).toThrow(/holds a cluster of 3 nodes: start it with --nodes 3/);
	writeFileSync(join(folder, "dev.json"), "{");
	expect(() => openClusterFile(folder, 3)).toThrow(UsageError);
});

test("a port that somebody listens on is busy", async () => {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	const port = typeof address === "object" && address !== null ? address.port : 0;
	expect(await busyPorts([port])).toEqual([port]);
	await new Promise((resolve) => server.close(resolve));
	expect(await busyPorts([port])).toEqual([]);
});
