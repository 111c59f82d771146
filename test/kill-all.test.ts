// The power goes: every node is killed at the same moment under load, and all come back.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { run } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";

const cluster = useCluster();

test("SIGKILL of all three at once: what was acknowledged is there after the restart", async () => {
	await underLoad(cluster(), async (ledger) => {
		await Promise.all(cluster().nodes.map((node) => node.kill()));
		const acknowledged = ledger.acknowledged;
		await Promise.all(cluster().nodes.map((node) => node.start()));
		await ledger.progress(20);
		expect(ledger.acknowledged).toBeGreaterThan(acknowledged);
	});
});

test("two of three come back: they have every acknowledged write between them", async () => {
	const leader = await cluster().leader();
	await run(leader.url, "create table kept (x integer)");
	await run(leader.url, "insert into kept values (1), (2)");
	await Promise.all(cluster().nodes.map((node) => node.kill()));
	const others = cluster().nodes.filter((node) => node !== leader);
	await Promise.all(others.map((node) => node.start()));
	const next = await cluster().leader();
	expect((await run(next.url, "select sum(x) from kept")).rows).toEqual([[3]]);
	await cluster().heal();
});

test("a clean stop of all, and a start: the same contents and no torn tail", async () => {
	const leader = await cluster().leader();
	await run(leader.url, "create table calm (x integer)");
	await run(leader.url, "insert into calm values (7)");
	const exits = await Promise.all(cluster().nodes.map((node) => node.stop()));
	expect(exits).toEqual(exits.map(() => ({ code: 0, signal: null })));
	await cluster().heal();
	expect((await run((await cluster().leader()).url, "select x from calm")).rows).toEqual([[7]]);
});
