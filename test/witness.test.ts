/** Real processes: two nodes with data and a witness are a cluster that either of the two may leave. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { get, post, view } from "./support/http.ts";
import { createNodeProcess, type NodeProcess } from "./support/node-process.ts";
import { freePorts } from "./support/ports.ts";
import { underLoad } from "./support/under-load.ts";
import { until } from "./support/until.ts";

const cluster = useCluster({ nodes: 2 });
const machines: NodeProcess[] = [];

afterAll(async () => {
	await Promise.all(machines.map((node) => node.kill()));
});

async function machine(id: string, directory: string, witness: boolean): Promise<NodeProcess> {
	const [port = 0, peerPort = 0] = await freePorts(2);
	const joins = cluster().node("n1").url;
	const options = { ...cluster().identity, settings: null, id, port, peerPort, join: joins, witness };
	const node = createNodeProcess({ ...options, directory: join(cluster().directory, directory) });
	machines.push(node);
	return node;
}

test("the leader is killed while clients write: the other one serves with the witness, and nothing is lost", async () => {
	const witness = await machine("w1", "w1", true);
	await witness.start();
	await until({ what: "the witness to be a member", timeoutMs: 20_000 }, async () => {
		const { members } = await view(witness.url);
		return members["w1"]?.kind === "witness";
	});

	const leader = await cluster().leader();
	const refused = await post(witness.url, "/sql", { sql: "select 1" });
	expect([refused.status, JSON.parse(refused.body).code]).toEqual([503, "WITNESS"]);
	expect(refused.body).toContain(`${leader.id} leads, at ${leader.url}`);
	expect((await get(witness.url, "/health")).status).toBe(200);
	// The leader told of the member above, which hears of it from the leader a moment later.
	await until({ what: "the witness to say what it is", timeoutMs: 10_000 }, async () => {
		const { status, body } = await get(witness.url, "/ready");
		return status === 503 && body.includes("a witness: it votes");
	});

	await underLoad(cluster(), async (ledger) => {
		await leader.kill();
		await ledger.progress(20);
		const after = await cluster().leader();
		expect(after.id).not.toBe(leader.id);
		// Once it has lasted for a while.
		const isSaid = async (): Promise<boolean> => {
			const { body } = await get(after.url, "/metrics");
			const is = `acknowledgement="quorum",effect="answers-without",member="${leader.id}"`;
			return body.includes(is);
		};
		await until({ what: "the missing copy to be said", timeoutMs: 10_000 }, isSaid);
	});
	expect(readdirSync(witness.dataDirectory).filter((name) => /sqlite|\.db/.test(name))).toEqual([]);
	expect((await view(witness.url)).members["w1"]?.role).toBe("follower");
});

test("what a machine is it stays, and witnesses are few", async () => {
	const { url } = cluster().node("n1");
	const second = { change: "add", id: "w2", peer: "127.0.0.1:1", as: "witness" };
	const promoted = { change: "promote", id: "w1" };
	for (const [change, why] of [
		[second, /too many are witnesses/],
		[promoted, /a witness holds no data/],
	] as const) {
		const answer = await post(url, "/cluster/members", { changes: [change] });
		expect([answer.status, answer.body]).toEqual([400, expect.stringMatching(why)]);
	}
	await machines[0]?.kill();
	const asData = await machine("w1", "w1", false);
	expect((await asData.startAndFail()).code).toBe(1);
	expect(asData.logText()).toContain("is a witness's, which has no data");
});
