// What is too large for a message between nodes is told at once; what is not arrives.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { post, run } from "./support/http.ts";

const cluster = useCluster();

test("results that are too large together are refused at once, and a large one arrives, through every node", async () => {
	const leader = await cluster().leader();
	await run(leader.url, "create table results (x)");
	const large = (characters: number): string => `select printf('%.*c', ${characters}, 'x')`;
	for (const { url } of cluster().nodes) {
		const started = performance.now();
		const answer = await post(url, "/sql", ["insert into results values (1)", large(20e6), large(20e6)]);
		expect(answer.status).toBe(413);
		expect(JSON.parse(answer.body)).toMatchObject({ code: "PAYLOAD_TOO_LARGE", outcome: "did-not-happen" });
		expect(performance.now() - started).toBeLessThan(5_000);
		const alone = await post(url, "/sql", ["insert into results values (2)", large(20e6)]);
		expect(alone.status).toBe(200);
	}
	expect((await run(leader.url, "select sum(x), count(*) from results")).rows).toEqual([[6, 3]]);
});

test("millions of tiny values are refused before they are read, and nobody is elected for them", async () => {
	const before = await cluster().leader();
	for (const url of cluster().urls) {
		const body = `{"sql":"select ?","args":[${"1,".repeat(8_000_000)}1]}`;
		const answer = await post(url, "/sql", body);
		expect([answer.status, answer.body]).toEqual([413, expect.stringContaining("PAYLOAD_TOO_LARGE")]);
	}
	expect((await cluster().leader()).id).toBe(before.id);
});
