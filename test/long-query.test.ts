// Long work: a query of many seconds on every node and a large INSERT … SELECT on the leader bring no election, and others are served.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { expectEqualMembers } from "./support/compare.ts";
import { run, sql, view } from "./support/http.ts";

const cluster = useCluster();
const count = (limit: number): string =>
	`with recursive c(x) as (values(1) union all select x + 1 from c limit ${limit}) select count(*) from c`;

test("while they run, other reads are answered and the term stays", async () => {
	const leader = await cluster().leader();
	const { term } = await view(leader.url);
	await run(leader.url, "create table large (id integer primary key, x blob)");
	const isDone = { yet: false };
	const long = Promise.all([
		...cluster().nodes.map((node) =>
			sql(node.url, { sql: count(8_000_000) }, { consistency: "eventual", timeoutMs: 60_000 }),
		),
		sql(
			leader.url,
			{
				sql: "with recursive c(x) as (values(1) union all select x + 1 from c limit 40000) insert into large (x) select randomblob(1000) from c",
			},
			{ timeoutMs: 60_000 },
		),
	]).finally(() => {
		isDone.yet = true;
	});
	let reads = 0;
	let slowestMs = 0;
	while (!isDone.yet) {
		for (const node of cluster().nodes) {
			const started = performance.now();
			await run(node.url, "select 1", [], { consistency: "eventual", timeoutMs: 10_000 });
			slowestMs = Math.max(slowestMs, performance.now() - started);
			reads += 1;
		}
	}
	for (const answer of await long) expect(answer.ok, JSON.stringify(answer).slice(0, 500)).toBe(true);
	expect(reads).toBeGreaterThan(10);
	// Two cores carry it all here; a read that waited for the long one would take as long as it.
	expect(slowestMs).toBeLessThan(2_000);
	expect(await view(leader.url)).toMatchObject({ term, leader: leader.id });
	expect((await run(leader.url, "select count(*), sum(length(x)) from large")).rows).toEqual([
		[40_000, 40_000_000],
	]);
	await run(leader.url, "delete from large where id > 1000");
	await expectEqualMembers(cluster());
});
