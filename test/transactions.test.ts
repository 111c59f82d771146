// Interactive transactions over several requests: through any node, with an idle limit, and over a change of leader.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { execute, type PipelineAnswer, pipeline, run } from "./support/http.ts";
import { until } from "./support/until.ts";

const cluster = useCluster({ settings: { transactionIdleMs: 1_500 } });

function codeOf(answer: PipelineAnswer): string | undefined {
	const failed = answer.results.find((result) => result.type === "error");
	return failed?.type === "error" ? failed.error.code : undefined;
}

test("through every node: not visible before the commit, visible after it", async () => {
	await run((await cluster().leader()).url, "create table t (x integer)");
	for (const [index, node] of cluster().nodes.entries()) {
		const begun = await pipeline(node.url, [execute("begin"), execute(`insert into t values (${index})`)]);
		expect(codeOf(begun)).toBeUndefined();
		expect(begun.baton).toBeTypeOf("string");
		const elsewhere = cluster().nodes[(index + 1) % 3]?.url ?? "";
		const count = await run(elsewhere, "select count(*) from t", [], { consistency: "linearizable" });
		expect(count.rows).toEqual([[index]]);
		const ended = await pipeline(
			node.url,
			[execute("select count(*) from t"), execute("commit"), { type: "close" }],
			{ baton: begun.baton },
		);
		expect(codeOf(ended)).toBeUndefined();
		const [read] = ended.results;
		expect(read?.type === "ok" && read.response.result?.rows).toEqual([
			[{ type: "integer", value: String(index + 1) }],
		]);
		expect((await run(elsewhere, "select count(*) from t")).rows).toEqual([[index + 1]]);
	}
});

test("rollback leaves nothing", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table undone (x)");
	const begun = await pipeline(url, [execute("begin"), execute("insert into undone values (1)")]);
	await pipeline(url, [execute("rollback"), { type: "close" }], { baton: begun.baton });
	expect((await run(url, "select count(*) from undone")).rows).toEqual([[0]]);
});

test("idle too long: rolled back, others can write, and the client is told", async () => {
	const [follower] = await cluster().followers();
	const url = follower?.url ?? "";
	await run(url, "create table idle (x)");
	const begun = await pipeline(url, [
		execute("begin immediate"),
		execute("insert into idle values ('lost')"),
	]);
	// This write waits for the writer, which the transaction owns until its idle limit.
	await run((await cluster().leader()).url, "insert into idle values ('kept')");
	const late = await pipeline(url, [execute("insert into idle values ('late')"), execute("commit")], {
		baton: begun.baton,
	}).then(codeOf, (error: unknown) => String(error));
	expect(late).toMatch(/TRANSACTION_TIMEOUT|STREAM_EXPIRED/);
	expect((await run(url, "select x from idle")).rows).toEqual([["kept"]]);
});

test("the client closes its stream in the middle: rolled back at once", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table closed (x)");
	const begun = await pipeline(url, [execute("begin"), execute("insert into closed values (1)")]);
	await pipeline(url, [{ type: "close" }], { baton: begun.baton });
	const started = performance.now();
	await run(url, "insert into closed values (2)");
	expect(performance.now() - started).toBeLessThan(1_000);
	expect((await run(url, "select x from closed")).rows).toEqual([[2]]);
});

test("the leader is killed under an open transaction: the commit fails and nothing of it is there", async () => {
	const leader = await cluster().leader();
	const [follower] = await cluster().followers();
	const url = follower?.url ?? "";
	await run(url, "create table orphan (x)");
	const begun = await pipeline(url, [execute("begin"), execute("insert into orphan values (1)")]);
	await leader.kill();
	const committed = await pipeline(url, [execute("insert into orphan values (2)"), execute("commit")], {
		baton: begun.baton,
		timeoutMs: 20_000,
	}).then(codeOf, (error: unknown) => String(error));
	expect(committed).toBeTypeOf("string");
	await cluster().heal();
	expect((await run(url, "select count(*) from orphan")).rows).toEqual([[0]]);
	await run(url, "insert into orphan values (3)");
});

test("a read-only transaction keeps its snapshot, on a follower", async () => {
	const [follower] = await cluster().followers();
	const url = follower?.url ?? "";
	await run(url, "create table seen (x)");
	const begun = await pipeline(url, [
		execute("begin transaction readonly"),
		execute("select count(*) from seen"),
	]);
	expect(codeOf(begun)).toBeUndefined();
	await run(url, "insert into seen values (1)");
	const again = await pipeline(
		url,
		[execute("select count(*) from seen"), execute("commit"), { type: "close" }],
		{
			baton: begun.baton,
		},
	);
	const [read] = again.results;
	expect(read?.type === "ok" && read.response.result?.rows).toEqual([[{ type: "integer", value: "0" }]]);
	await until({ what: "the new row", timeoutMs: 5_000 }, async () => {
		return (await run(url, "select count(*) from seen")).rows[0]?.[0] === 1;
	});
});
