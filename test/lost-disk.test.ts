/** A node that lost its disk is not believed under its old name, its log says what to do, and that works. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { get, post, run, view } from "./support/http.ts";
import { createNodeProcess, type NodeProcess } from "./support/node-process.ts";
import { freePorts } from "./support/ports.ts";
import { until } from "./support/until.ts";

const cluster = useCluster({ nodes: 3 });
const extra: NodeProcess[] = [];

afterAll(async () => {
	await Promise.all(extra.map((node) => node.kill()));
});

test("it comes back under a new name, by what its log says", async () => {
	const leader = await cluster().leader();
	await run(leader.url, "create table goose (name text)");
	await run(leader.url, "insert into goose values ('Akka')");
	const [broken, other] = await cluster().followers();
	if (broken === undefined || other === undefined) throw new Error("no followers");
	await cluster().caughtUp();
	await broken.kill();
	rmSync(broken.dataDirectory, { recursive: true });
	await broken.start();
	await until({ what: "the way back in its log", timeoutMs: 10_000 }, async () =>
		broken.logLines().some(({ hint }) => String(hint).includes(`skein member remove ${broken.id}`)),
	);
	expect((await get(broken.url, "/ready")).status).toBe(503);
	await broken.kill();

	const [port = 0, peerPort = 0] = await freePorts(2);
	const again = createNodeProcess({
		...cluster().identity,
		settings: null,
		id: `${broken.id}b`,
		directory: join(cluster().directory, "again"),
		port,
		peerPort,
		join: leader.url,
	});
	extra.push(again);
	await again.start();
	await until({ what: "it to vote", timeoutMs: 15_000 }, async () => {
		const { members } = await view(leader.url);
		return members[again.id]?.kind === "voter";
	});
	const removed = await post(other.url, "/cluster/members", {
		changes: [{ change: "remove", id: broken.id }],
	});
	expect(removed.status).toBe(200);
	expect(Object.keys((await view(again.url)).members).sort()).toEqual([again.id, leader.id, other.id].sort());
	// It counts: with one of the old ones gone the two that are left serve.
	await leader.kill();
	await until({ what: "the two to serve", timeoutMs: 15_000 }, async () => {
		const answer = await run(again.url, "select name from goose").catch(() => null);
		return answer?.rows[0]?.[0] === "Akka";
	});
});
