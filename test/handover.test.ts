// Leadership handed over on purpose, by order and by SIGTERM: no client sees an error.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { post, view } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";

const cluster = useCluster();

test("transfer to a named node under load: it leads, nobody saw an error", async () => {
	const [target] = await cluster().followers();
	const report = await underLoad(cluster(), async (ledger) => {
		const { url } = await cluster().leader();
		const answer = await post(url, "/cluster/transfer", { to: target?.id });
		expect(answer.status, answer.body).toBe(200);
		expect(JSON.parse(answer.body).leader).toBe(target?.id);
		expect((await view(target?.url ?? "")).leader).toBe(target?.id);
		await ledger.progress(20);
	});
	expect(report.failures).toEqual({});
	expect(report.longestGapMs).toBeLessThan(1_000);
});

test("transfer asked of a follower, and to nobody in particular", async () => {
	const before = await cluster().leader();
	const [follower] = await cluster().followers();
	const answer = await post(follower?.url ?? "", "/cluster/transfer", {});
	expect(answer.status, answer.body).toBe(200);
	expect(JSON.parse(answer.body).leader).not.toBe(before.id);
	expect((await cluster().leader()).id).toBe(JSON.parse(answer.body).leader);
});

test("transfer to a node that is down is refused, and the leader goes on", async () => {
	const leader = await cluster().leader();
	const [target] = await cluster().followers();
	await target?.kill();
	const answer = await post(leader.url, "/cluster/transfer", { to: target?.id }, { timeoutMs: 10_000 });
	expect(answer.status).not.toBe(200);
	expect(JSON.parse(answer.body).code).toBeTypeOf("string");
	expect((await cluster().leader()).id).toBe(leader.id);
	await cluster().heal();
});

test("transfer to a stranger is refused", async () => {
	const { url } = await cluster().leader();
	const answer = await post(url, "/cluster/transfer", { to: "n99" });
	expect(answer.status).toBe(400);
	expect(JSON.parse(answer.body)).toMatchObject({ code: "BAD_REQUEST" });
});

test("SIGTERM of the leader under load: exit code 0, and clients of the other nodes see no error", async () => {
	const leader = await cluster().leader();
	const report = await underLoad(cluster(), async (ledger) => {
		expect(await leader.stop()).toEqual({ code: 0, signal: null });
		await ledger.progress(20);
	});
	// Only its own door was closed: what it had taken it answered.
	const { NETWORK: _, ...failures } = report.failures;
	expect(failures).toEqual({});
	expect(report.unknown).toBe(0);
});
