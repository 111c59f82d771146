// A follower is away while the log is cut: it comes back by a snapshot, under load, and equals the others.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { post, run, view } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";
import { until } from "./support/until.ts";

// Everything small, so that seconds do what hours do.
const cluster = useCluster({
	settings: {
		logSegmentBytes: 64 * 1024,
		compactLogBytes: 128 * 1024,
		checkpointBytes: 64 * 1024,
		logTailEntries: 50,
		compactionIntervalMs: 50,
		snapshotChunkBytes: 16 * 1024,
	},
});

/** Writes until every running node's log no longer begins at 1; the log lines or files say so. */
async function writeUntilCompacted(url: string): Promise<void> {
	await run(url, "create table if not exists filler (id integer primary key, x blob)");
	await until({ what: "the log to be cut", timeoutMs: 30_000, everyMs: 1 }, async () => {
		for (let round = 0; round < 10; round += 1) {
			await run(url, "insert into filler (x) values (randomblob(20000))");
		}
		return cluster()
			.nodes.filter((node) => node.isRunning)
			.every((node) => !segments(node.dataDirectory).some((name) => isFirstSegment(name)));
	});
}

function segments(dataDirectory: string): string[] {
	const names = readdirSync(join(dataDirectory, "log")).filter((name) => /^\d+/.test(name));
	if (names.length === 0) throw new Error(`no segments in ${dataDirectory}/log`);
	return names;
}

/** Segments are named by their first index. */
const isFirstSegment = (name: string): boolean => Number.parseInt(name, 10) <= 1;

test("killed, left behind, caught up by a snapshot while clients write", async () => {
	const leader = await cluster().leader();
	const [follower] = await cluster().followers();
	await underLoad(cluster(), async (ledger) => {
		await follower?.kill();
		await writeUntilCompacted(leader.url);
		const { commitIndex } = await view(leader.url);
		await follower?.start();
		await until({ what: "the follower to catch up", timeoutMs: 30_000 }, async () => {
			const applied = (await view(follower?.url ?? "")).members[follower?.id ?? ""]?.appliedIndex;
			return applied !== null && applied !== undefined && applied >= commitIndex;
		});
		await ledger.progress(20);
	});
	// It could not have come by the log.
	expect(follower?.logText()).toMatch(/snapshot/i);
});

test("the leader is killed while it sends a snapshot: the next one sends its own", async () => {
	const leader = await cluster().leader();
	const [follower] = await cluster().followers();
	await underLoad(cluster(), async (ledger) => {
		await follower?.kill();
		await writeUntilCompacted(leader.url);
		await follower?.start();
		await leader.kill();
		await leader.start();
		await ledger.progress(20);
	});
});

test("a node that installed a snapshot survives SIGKILL, and can lead", async () => {
	const [follower] = await cluster().followers();
	await follower?.kill();
	await writeUntilCompacted((await cluster().leader()).url);
	await follower?.start();
	await cluster().caughtUp();
	await underLoad(cluster(), async () => {
		await follower?.kill();
		await follower?.start();
		await cluster().caughtUp();
		const leader = await cluster().leader();
		const answer = await post(leader.url, "/cluster/transfer", { to: follower?.id });
		expect(answer.status, answer.body).toBe(200);
	});
});
