// The guard: when the process that started nodes is killed, the nodes and their folder go too, also nodes that stand still.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeBinary } from "./node-process.ts";
import { until } from "./until.ts";

test("SIGKILL of the test leaves neither processes nor files", async () => {
	const directory = mkdtempSync(join(tmpdir(), "skein-guard-"));
	// A test in small: it opens a guard, starts one process that stands still and one that runs, and says their pids.
	const script = `
		import { openGuard } from ${JSON.stringify(join(import.meta.dirname, "guard.ts"))};
		import { spawn } from "node:child_process";
		const guard = openGuard(${JSON.stringify(directory)});
		const children = [1, 2].map(() => spawn("/bin/sh", ["-c", "while true; do sleep 1; done", ${JSON.stringify(directory)}]));
		for (const child of children) guard.watch(child.pid);
		children[0].kill("SIGSTOP");
		console.log(JSON.stringify(children.map((child) => child.pid)));
		setInterval(() => {}, 1000);
	`;
	const parent = spawn(nodeBinary, ["--input-type=module-typescript", "-e", script], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	let output = "";
	parent.stdout.on("data", (text) => {
		output += String(text);
	});
	const pids: number[] = await until({ what: "the pids", timeoutMs: 10_000 }, () =>
		output.includes("]") ? JSON.parse(output) : null,
	);
	for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(true);
	parent.kill("SIGKILL");
	await until({ what: "nothing to be left", timeoutMs: 10_000 }, () => {
		return pids.every((pid) => !existsSync(`/proc/${pid}`)) && !existsSync(directory);
	});
});
