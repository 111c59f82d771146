/** Real processes: nodes join a cluster that is written to, vote, learn, leave, and do not come back under old names. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { isDeepStrictEqual, promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { type Cluster, useCluster } from "./support/cluster.ts";
import { get, post, run, view } from "./support/http.ts";
import { createNodeProcess, type NodeProcess } from "./support/node-process.ts";
import { freePorts } from "./support/ports.ts";
import { until } from "./support/until.ts";

const cluster = useCluster({ nodes: 3 });
const extra: NodeProcess[] = [];
const skein = join(import.meta.dirname, "../packages/skein/bin/skein.js");

afterAll(async () => {
	await Promise.all(extra.map((node) => node.kill()));
});

async function machine(id: string, joins: string, learner = false): Promise<NodeProcess> {
	const [port = 0, peerPort = 0] = await freePorts(2);
	const directory = join(cluster().directory, id);
	const node = createNodeProcess({
		...cluster().identity,
		settings: null,
		id,
		directory,
		port,
		peerPort,
		join: joins,
		learner,
	});
	extra.push(node);
	return node;
}

async function kindsOn(url: string): Promise<Record<string, string>> {
	const { members } = await view(url);
	return Object.fromEntries(Object.entries(members).map(([id, { kind }]) => [id, kind]));
}

async function isSo(url: string, kinds: Record<string, string>): Promise<void> {
	await until({ what: () => `members to be ${JSON.stringify(kinds)}`, timeoutMs: 20_000 }, async () => {
		const now = await kindsOn(url);
		return isDeepStrictEqual(now, kinds);
	});
}

async function command(...words: string[]): Promise<string> {
	const { stdout } = await promisify(execFile)(process.execPath, [skein, ...words]);
	return stdout;
}

async function rowsOn(node: NodeProcess): Promise<number> {
	const answer = await run(node.url, "select count(*) from goose", [], { consistency: "linearizable" });
	return Number(answer.rows[0]?.[0]);
}

/** Rows until `stop` is called; all that were acknowledged must be there. */
function startWriting(urls: readonly string[]): { stop: () => Promise<number> } {
	let stopped = false;
	let acknowledged = 0;
	const loop = async (): Promise<void> => {
		for (let number = 0; !stopped; number++) {
			const url = urls[number % urls.length] ?? "";
			const answer = await run(url, "insert into goose (name) values ('g')").catch(() => null);
			if (answer !== null) acknowledged++;
		}
	};
	const done = loop();
	return {
		async stop() {
			stopped = true;
			await done;
			return acknowledged;
		},
	};
}

test("nodes join, vote, learn and leave under load; nothing that was acknowledged is lost", async () => {
	const { nodes } = cluster();
	const first: Cluster["nodes"][number] = cluster().node("n1");
	await run(first.url, "create table goose (id integer primary key, name text)");
	const writer = startWriting([cluster().node("n2").url, cluster().node("n3").url]);

	// By itself: it asks to be added, catches up and votes.
	const n4 = await machine("n4", first.url);
	await n4.start();
	await isSo(first.url, { n1: "voter", n2: "voter", n3: "voter", n4: "voter" });

	// Added by an operator first, as a read replica.
	const n5 = await machine("n5", cluster().node("n2").url, true);
	const peer = `127.0.0.1:${n5.peerPort}`;
	expect(
		await command("member", "add", "n5", "--peer", peer, "--learner", "--dry-run", "--url", first.url),
	).toMatch(/the members would be: .*n5 \(learner\)/);
	expect(await command("member", "add", "n5", "--peer", peer, "--learner", "--url", first.url)).toMatch(
		/are now/,
	);
	expect(await command("member", "add", "n5", "--peer", peer, "--learner", "--url", first.url)).toMatch(
		/nothing to do/,
	);
	await n5.start();
	await until({ what: "n5 to be ready", timeoutMs: 20_000 }, async () => {
		const { status } = await get(n5.url, "/ready").catch(() => ({ status: 0 }));
		return status === 200;
	});
	await command("member", "promote", "n5", "--url", n4.url);
	await command("member", "demote", "n5", "--url", n4.url);
	await isSo(n5.url, { n1: "voter", n2: "voter", n3: "voter", n4: "voter", n5: "learner" });

	// The leader goes, and it is n1.
	await post(first.url, "/cluster/transfer", { to: "n1" });
	expect(await command("member", "remove", "n1", "--url", n5.url)).toMatch(/are now/);
	await isSo(n4.url, { n2: "voter", n3: "voter", n4: "voter", n5: "learner" });
	const ready = await until({ what: "n1 to know it", timeoutMs: 10_000 }, async () => {
		const answer = await get(first.url, "/ready");
		return answer.status === 503 && JSON.stringify(answer.body).includes("removed") ? answer : null;
	});
	expect(ready.status).toBe(503);
	await expect(command("member", "add", "n1", "--peer", "127.0.0.1:1", "--url", n4.url)).rejects.toThrow(
		/was a member before/,
	);

	// Two of three voters are enough, the new one among them; its address survives a restart.
	const acknowledged = await writer.stop();
	await n4.stop();
	await n4.start();
	await cluster().node("n3").kill();
	await until({ what: "n2 and n4 to serve", timeoutMs: 20_000 }, async () => {
		const answer = await run(n4.url, "insert into goose (name) values ('last')").catch(() => null);
		return answer !== null;
	});
	expect(await rowsOn(n4)).toBeGreaterThan(acknowledged);
	expect(await rowsOn(n5)).toBe(await rowsOn(n4));
	expect(nodes.length).toBe(3);
});
