// A query of a minute on every node, and 200 MB inserted from a SELECT on the leader: no election, and other reads go on.
import { setTimeout as sleep } from "node:timers/promises";
import { run, sql, view } from "../../test/support/http.ts";
import { type Measurement, quantile, type Row, show } from "../report.ts";
import { type Node, openSkein, type SkeinCluster } from "../skein/cluster.ts";

const queryMs = 60_000;
const insertRows = 20_000;
const insertRowBytes = 10_000;
/** Far longer than the longest wait that would still be called "going on". */
const readLimitMs = 30_000;

export const longWork: Measurement = {
	name: "long-work",
	title: "Long work",
	async run({ say }) {
		const query = await onNewCluster(longQueries);
		say(`the queries: ${describe(query)}`);
		const insert = await onNewCluster(largeInsert);
		say(`the insert: ${describe(insert)}`);
		const row = (measure: string, seen: Seen): Row => ({
			measure,
			atLeast: "no election, other reads go on",
			aim: "",
			measured: describe(seen),
			isMet: seen.elections === 0 && seen.failedReads === 0 && seen.longestReadMs < 2_000,
		});
		return {
			rows: [
				row(`A query of ${queryMs / 1_000} s on every node at once`, query),
				row("200 MB inserted from a SELECT on the leader", insert),
			],
			details: [
				"Meanwhile each node is asked for one row every 20 ms (`eventual`), and the leader `linearizable`.",
				"",
				`The queries: ${query.outcome}. The insert: ${insert.outcome}.`,
			].join("\n"),
		};
	},
};

interface Seen {
	readonly seconds: number;
	readonly elections: number;
	readonly reads: number;
	readonly failedReads: number;
	readonly longestReadMs: number;
	readonly p99ReadMs: number;
	readonly outcome: string;
}

const describe = (seen: Seen): string =>
	`${seen.elections} elections, ${show(seen.reads)} other reads (${seen.failedReads} failed) in ${show(seen.seconds)} s: p99 ${show(seen.p99ReadMs)} ms, longest ${show(seen.longestReadMs)} ms`;

/** Each on nodes of its own: a query that its client gave up may go on and must not weigh on the insert. */
async function onNewCluster(work: (cluster: SkeinCluster, leader: Node) => Promise<string>): Promise<Seen> {
	await using cluster = await openSkein();
	const leader = await cluster.leader();
	return await during(cluster, () => work(cluster, leader));
}

async function during(cluster: SkeinCluster, work: () => Promise<string>): Promise<Seen> {
	const leader = await cluster.leader();
	const { term } = await view(leader.url);
	const startedAt = performance.now();
	const end = { isReached: false };
	const outcome = work().finally(() => {
		end.isReached = true;
	});
	const times: number[] = [];
	let failedReads = 0;
	const read = async (node: Node, consistency: "eventual" | "linearizable"): Promise<void> => {
		while (!end.isReached) {
			const sentAt = performance.now();
			const answer = await sql(node.url, { sql: "select 1" }, { consistency, timeoutMs: readLimitMs });
			if (!answer.ok) failedReads += 1;
			times.push(performance.now() - sentAt);
			await sleep(20);
		}
	};
	await Promise.all([...cluster.nodes.map((node) => read(node, "eventual")), read(leader, "linearizable")]);
	const told = await outcome;
	const seconds = (performance.now() - startedAt) / 1_000;
	const after = await view((await cluster.leader()).url);
	return {
		seconds,
		elections: after.term - term,
		reads: times.length,
		failedReads,
		longestReadMs: Math.max(...times),
		p99ReadMs: quantile(times, 0.99),
		outcome: told,
	};
}

/** Counts until the server or the client ends it: either is an answer. */
async function longQueries({ nodes }: SkeinCluster): Promise<string> {
	const endless =
		"with recursive c(x) as (values(1) union all select x + 1 from c) select max(x) from c where x < 0";
	const answers = await Promise.all(
		nodes.map(async (node) => {
			const startedAt = performance.now();
			const answer = await sql(node.url, { sql: endless }, { consistency: "eventual", timeoutMs: queryMs });
			const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
			return answer.ok ? `answered after ${seconds} s` : `${answer.code} after ${seconds} s`;
		}),
	);
	return answers.join(", ");
}

async function largeInsert(_: SkeinCluster, leader: Node): Promise<string> {
	await run(leader.url, "create table large (id integer primary key, x blob)");
	const startedAt = performance.now();
	const answer = await sql(
		leader.url,
		{
			sql: `with recursive c(x) as (values(1) union all select x + 1 from c limit ${insertRows})
				insert into large (x) select randomblob(${insertRowBytes}) from c`,
		},
		{ timeoutMs: 120_000 },
	);
	const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
	return answer.ok
		? `acknowledged after ${seconds} s`
		: `${answer.code} (${answer.message}) after ${seconds} s`;
}
