// The network falls apart, packet by packet, in the kernel: on no side of a cut, in no direction of it, do two leaders serve.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Cluster, useCluster } from "./support/cluster.ts";
import { run, sql, view } from "./support/http.ts";
import { whyNoNamespaces } from "./support/namespaces.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { underLoad } from "./support/under-load.ts";
import { until } from "./support/until.ts";

const obstacle = whyNoNamespaces();
if (obstacle !== null) console.warn(`skipped, the tests of split networks: ${obstacle}`);

/** Who hears no leader says so sooner than by default: these tests wait for that. */
const settings = { leaderWaitMs: 1_500 };
const patient = { timeoutMs: 2_500 };
const impatient = { requestTimeoutMs: 1_000 };
/** The longest that a leader may take to notice that nobody hears it: the default election timeout, and what a busy machine adds. */
const leaseMs = 350;
const slackMs = 650;

describe.skipIf(obstacle !== null)("four nodes", () => {
	const cluster = useCluster({ nodes: 4, namespaces: true, settings });

	test("split two and two: neither side serves, and both heal", async () => {
		const leader = await cluster().leader();
		await run(leader.url, "create table halves (side text)");
		const [friend, ...others] = await cluster().followers();
		const sides = [[leader, friend], others].map((side) => side.filter((node) => node !== undefined));
		split(cluster(), sides);
		const ask = (text: (side: number) => string) =>
			Promise.all(
				sides.flatMap((side, number) => side.map(({ url }) => sql(url, { sql: text(number) }, patient))),
			);
		const writes = ask((side) => `insert into halves values ('${side}')`);
		// Until then the old leader may answer from its lease: nobody else can lead.
		await sleep(leaseMs + slackMs);
		const reads = ask(() => "select * from halves");
		const answers = [...(await writes), ...(await reads)];
		expect(answers.filter(({ ok }) => ok)).toEqual([]);
		// Nobody on the other side leads: there is no quorum in two of four.
		const named = await Promise.all(others.map(({ url }) => view(url)));
		expect(named.map(({ leader: id }) => id).filter((id) => others.some((other) => other.id === id))).toEqual(
			[],
		);
		await cluster().heal();
		await run((await cluster().leader()).url, "insert into halves values ('whole')");
		await expectOneHistory(cluster(), "select count(*) from halves where side = 'whole'", 1);
	});
});

describe.skipIf(obstacle !== null)("five nodes", () => {
	const cluster = useCluster({ nodes: 5, namespaces: true, settings });

	test("split three and two: the majority serves, the leader in the minority does not", async () => {
		const old = await cluster().leader();
		await run(old.url, "create table counter (n integer)");
		await run(old.url, "insert into counter values (0)");
		await run(old.url, "create table minority (side text)");
		const [friend, ...majority] = await cluster().followers();
		split(cluster(), [[old, friend].filter((node) => node !== undefined), majority]);
		const next = await newLeader(majority, old);
		await run(next.url, "update counter set n = 1");
		const answers = await Promise.all(
			[old, friend].flatMap((node) => [
				sql(node?.url ?? "", { sql: "select n from counter" }, patient),
				sql(node?.url ?? "", { sql: "insert into minority values ('old')" }, patient),
			]),
		);
		expect(answers.filter(({ ok }) => ok)).toEqual([]);
		await cluster().heal();
		await expectOneHistory(cluster(), "select n from counter", 1);
	});

	test("a leader that clients reach and followers do not stops serving within its lease", async () => {
		const old = await cluster().leader();
		await run(old.url, "create table deaf (n integer)");
		await run(old.url, "insert into deaf values (0)");
		await run(old.url, "create table unheard (n integer)");
		cluster().network.isolate(old.id);
		const cutAt = performance.now();
		const answered: { readonly afterMs: number; readonly what: string; readonly rows: unknown }[] = [];
		const asking = (async () => {
			while (performance.now() < cutAt + 3_000) {
				for (const what of ["select n from deaf", "insert into unheard values (1)"]) {
					const begunMs = performance.now() - cutAt;
					const answer = await sql(old.url, { sql: what }, { timeoutMs: 300 });
					if (answer.ok) answered.push({ afterMs: begunMs, what, rows: answer.results[0]?.rows });
				}
			}
		})();
		const others = cluster().nodes.filter((node) => node !== old);
		const next = await newLeader(others, old);
		await run(next.url, "update deaf set n = 1");
		await asking;
		expect(answered.filter(({ what }) => what.startsWith("insert"))).toEqual([]);
		expect(answered.filter(({ afterMs }) => afterMs > leaseMs + slackMs)).toEqual([]);
		for (const { rows } of answered) expect(rows).toEqual([[0]]);
		expect((await view(old.url)).leader).not.toBe(old.id);
		await cluster().heal();
		await expectOneHistory(cluster(), "select n from deaf", 1);
	});

	test("links that carry one way only: a leader that hears nobody, and one whom nobody hears", async () => {
		for (const direction of ["in", "out"] as const) {
			await underLoad(
				cluster(),
				async (ledger) => {
					const old = await cluster().leader();
					for (const { id } of cluster().nodes) {
						if (id === old.id) continue;
						if (direction === "in") cluster().network.cutOneWay(id, old.id);
						else cluster().network.cutOneWay(old.id, id);
					}
					await newLeader(
						cluster().nodes.filter((node) => node !== old),
						old,
					);
					await ledger.progress(20, 20_000);
				},
				impatient,
			);
		}
	});

	test("a node between two sides that do not see each other: one leader, and writes go on", async () => {
		const [bridge, ...rest] = cluster().nodes;
		const report = await underLoad(
			cluster(),
			async (ledger) => {
				split(cluster(), [rest.slice(0, 2), rest.slice(2)]);
				await ledger.progress(40, 20_000);
				const { term } = await view(bridge?.url ?? "");
				await ledger.progress(40, 20_000);
				// Both sides hear the same leader, or only its own does: nobody deposes it again and again.
				expect((await view(bridge?.url ?? "")).term - term).toBeLessThanOrEqual(1);
			},
			impatient,
		);
		expect(report.acknowledged).toBeGreaterThan(120);
	});

	test("a leader that wakes up with the old messages of all others in its buffers is refused by term", async () => {
		await underLoad(
			cluster(),
			async (ledger) => {
				const old = await cluster().leader();
				const { term } = await view(old.url);
				old.pause();
				const next = await newLeader(
					cluster().nodes.filter((node) => node !== old),
					old,
				);
				await ledger.progress(30, 20_000);
				old.resume();
				await ledger.progress(30, 20_000);
				const now = await view(old.url);
				expect(now.term).toBeGreaterThan(term);
				expect(now.leader).toBe((await view(next.url)).leader);
				// The new leader was not disturbed by what the old one had still to say.
				expect((await cluster().leader()).id).toBe(next.id);
			},
			impatient,
		);
	});
});

function split({ network }: Cluster, sides: readonly (readonly NodeProcess[])[]): void {
	for (const [number, side] of sides.entries())
		for (const other of sides.slice(number + 1).flat()) for (const one of side) network.cut(one.id, other.id);
}

async function newLeader(among: readonly NodeProcess[], old: NodeProcess): Promise<NodeProcess> {
	return await until({ what: "another leader", timeoutMs: 10_000 }, async () => {
		for (const node of among) {
			const { leader } = await view(node.url, { timeoutMs: 1_000 });
			const found = among.find(({ id }) => id === leader);
			if (found !== undefined && found !== old) return found;
		}
		return null;
	});
}

/** Every member says the same, and that it is this. */
async function expectOneHistory(cluster: Cluster, query: string, expected: number): Promise<void> {
	await cluster.caughtUp();
	for (const { url, id } of cluster.nodes) {
		const { rows } = await run(url, query, [], { consistency: "eventual" });
		expect(rows, id).toEqual([[expected]]);
	}
}
