/** The SQL that replicas trip over, through a real leader, then through another one: all members end equal, rowids included. */
import { expect, test } from "vitest";
import { sqlCases } from "../packages/skein/src/database/testing/sql-cases.ts";
import { type Cluster, useCluster } from "./support/cluster.ts";
import { expectEqualMembers } from "./support/compare.ts";
import { pipeline } from "./support/http.ts";

const cluster = useCluster();

/** All steps of a request run, also those behind one that fails, as in the cases. */
async function runAll(on: Cluster, requests: readonly (readonly string[])[]): Promise<number> {
	let succeeded = 0;
	for (const [number, statements] of requests.entries()) {
		const node = on.nodes[number % on.nodes.length];
		if (node === undefined) throw new Error("a cluster without nodes");
		const steps = statements.map((sql) => ({ stmt: { sql, want_rows: true } }));
		const answer = await pipeline(node.url, [{ type: "batch", batch: { steps } }, { type: "close" }]);
		const [result] = answer.results;
		if (result?.type !== "ok") throw new Error(`${statements.join("; ")}: ${JSON.stringify(result)}`);
		succeeded += JSON.stringify(result).includes('"step_results"') ? 1 : 0;
	}
	return succeeded;
}

test("every case, through any node, and a change of leader in the middle", async () => {
	const before = sqlCases.flatMap((one) => one.before);
	const after = sqlCases.flatMap((one) => one.after);
	expect(await runAll(cluster(), before)).toBe(before.length);
	const contents = await expectEqualMembers(cluster());
	expect(Object.keys(contents).length).toBeGreaterThan(30);
	const old = await cluster().leader();
	await old.kill();
	await old.start();
	const next = await cluster().leader();
	expect(await runAll(cluster(), after)).toBe(after.length);
	await expectEqualMembers(cluster());
	expect(next.isRunning).toBe(true);
});
