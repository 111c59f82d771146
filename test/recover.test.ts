/** Two of three are lost for good: the third goes on as a new cluster, others join it, and who comes back is refused. */
import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { run, view } from "./support/http.ts";
import { createNodeProcess, type NodeProcess, nodeBinary, skeinBinary } from "./support/node-process.ts";
import { freePorts } from "./support/ports.ts";
import { until } from "./support/until.ts";

const cluster = useCluster({ nodes: 3 });
const extra: NodeProcess[] = [];

afterAll(async () => {
	await Promise.all(extra.map((node) => node.kill()));
});

async function recover(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
	try {
		const done = await promisify(execFile)(nodeBinary, [skeinBinary, "recover", ...words]);
		return { code: 0, ...done };
	} catch (error) {
		const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
		return { code, stdout, stderr };
	}
}

test("a new cluster from the survivor, and the old members stay out", async () => {
	const leader = await cluster().leader();
	await run(leader.url, "create table goose (name text)");
	await run(leader.url, "insert into goose values ('Akka')");
	const [survivor, lost] = await cluster().followers();
	if (survivor === undefined || lost === undefined) throw new Error("no followers");
	await cluster().caughtUp();
	await leader.kill();
	await lost.kill();
	rmSync(lost.dataDirectory, { recursive: true });
	const inUse = await recover("--data", survivor.dataDirectory, "--dry-run");
	expect(inUse).toMatchObject({ code: 1, stderr: expect.stringContaining("is in use") });
	await survivor.kill();

	const refused = await recover("--data", survivor.dataDirectory);
	expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining("may be lost") });
	const sentence = /--confirm "([^"]+)"/.exec(refused.stderr)?.[1] ?? "";
	expect(sentence).toMatch(/are gone for good.* is lost$/);
	const done = await recover("--data", survivor.dataDirectory, "--confirm", sentence);
	expect(done).toMatchObject({
		code: 0,
		stdout: expect.stringContaining("the only member of the new cluster"),
	});
	// With the same words as before, though they name the cluster that was given up.
	await survivor.start();
	await until({ what: "the survivor to serve", timeoutMs: 10_000 }, async () => {
		await run(survivor.url, "insert into goose values ('Gorgo')");
		return true;
	});

	const [port = 0, peerPort = 0] = await freePorts(2);
	const joined = createNodeProcess({
		...cluster().identity,
		settings: null,
		id: "n4",
		directory: join(cluster().directory, "n4"),
		port,
		peerPort,
		join: survivor.url,
	});
	extra.push(joined);
	await joined.start();
	// The old leader's disk is as it was: it may be back, and hear where it belongs.
	const exited = await leader.startAndFail();
	expect(exited.code).toBe(1);
	expect(leader.logText()).toContain("skein start --id NEW --join URL-OF-A-NODE");
	expect((await leader.startAndFail()).code).toBe(1);
	await until({ what: "n4 to vote", timeoutMs: 10_000 }, async () => {
		return (await view(survivor.url)).members["n4"]?.kind === "voter";
	});
	const { rows } = await run(joined.url, "select name from goose order by name");
	expect(rows).toEqual([["Akka"], ["Gorgo"]]);
	expect(Object.keys((await view(joined.url)).members).sort()).toEqual([survivor.id, "n4"].sort());
});
