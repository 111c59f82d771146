/** The SQL that replicas trip over, through a real leader, then through another one, in each log format: all members end equal, rowids included. */
import { describe, expect, test } from "vitest";
import { logFormats } from "../packages/skein/src/database/log-format.ts";
import { sqlCases } from "../packages/skein/src/database/testing/sql-cases.ts";
import { type Cluster, useCluster } from "./support/cluster.ts";
import { expectEqualMembers } from "./support/compare.ts";
import { pipeline, post } from "./support/http.ts";

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

describe.each(logFormats)("%s", (format) => {
	const cluster = useCluster();

	test("every case, through any node, and a change of leader in the middle", async () => {
		const { url } = await cluster().leader();
		expect((await post(url, "/cluster/format", { format })).status).toBe(200);
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
});
