// `skein dev` is made to be killed for fun: what dies is started again, and nothing is left when it ends.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type DevProcess, freePortRow, isAlive, startDev } from "./support/dev-process.ts";
import { until } from "./support/until.ts";

const door = resolve(import.meta.dirname, "../packages/skein/bin/skein.js");

function temporaryFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "skein-dev-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
}

async function devCluster(directory: string, port: number): Promise<DevProcess> {
	const dev = startDev([process.execPath, door], { directory, port });
	onTestFinished(async () => {
		dev.child.kill("SIGKILL");
		const pids = [...dev.output().matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
		await until({ what: "the nodes to end", timeoutMs: 15_000 }, () => !pids.some(isAlive));
	});
	await dev.prints(/Stop: /);
	return dev;
}

function sql(port: number, statement: string): string {
	const commandLine = [door, "sql", "--json", "--url", `http://127.0.0.1:${port}`, statement];
	const { status, stdout, stderr } = spawnSync(process.execPath, commandLine, { encoding: "utf8" });
	expect(stderr).toBe("");
	expect(status).toBe(0);
	return stdout;
}

test("a leader that is killed is followed by another, started again, and misses nothing", async () => {
	const port = await freePortRow(3);
	const directory = temporaryFolder();
	const dev = await devCluster(directory, port);
	sql(port, "create table t (a integer primary key); insert into t values (1)");
	const leader = /^ {2}(n\d) .* leads/m.exec(dev.output())?.[1] ?? "";
	const pid = dev.pids().get(leader) ?? 0;

	const before = dev.output().length;
	process.kill(pid, "SIGKILL");
	await dev.prints(new RegExp(`${leader} was killed by SIGKILL \\(pid ${pid}\\); starting it again`), before);
	const [, next] = await dev.prints(/(n\d) leads now \(term \d+\)/, before);
	expect(next).not.toBe(leader);
	await dev.prints(new RegExp(`${leader} runs again as pid \\d+`), before);

	for (const at of [port, port + 1, port + 2]) {
		await until({ what: `the row at ${at}`, timeoutMs: 10_000 }, () =>
			sql(at, "select a from t").includes("[[1]]"),
		);
	}
	dev.child.kill("SIGINT");
	expect(await dev.ended).toEqual([0, null]);
	expect(dev.output()).toMatch(/Stopped\.\n$/);

	// The same data again: the same cluster.
	const again = await devCluster(directory, port);
	expect(sql(port, "select a from t")).toContain("[[1]]");
	expect(again.pids().size).toBe(3);
});

test("when skein dev itself is killed, its nodes stop by themselves", async () => {
	const port = await freePortRow(3);
	const dev = await devCluster(temporaryFolder(), port);
	const pids = [...dev.pids().values()];
	expect(pids.filter(isAlive)).toHaveLength(3);
	dev.child.kill("SIGKILL");
	await until({ what: "the nodes to end", timeoutMs: 15_000 }, () => !pids.some(isAlive));
});

test("a port that is in use is an error before anything starts", async () => {
	const port = await freePortRow(3);
	const directory = temporaryFolder();
	await devCluster(directory, port);
	const second = spawnSync(process.execPath, [door, "dev", "--port", String(port + 2), "--data", "other"], {
		cwd: directory,
		encoding: "utf8",
	});
	expect(second.status).toBe(1);
	expect(second.stderr).toMatch(new RegExp(`port.* ${port + 2}.* in use`));
	expect(second.stdout).toBe("");
});
