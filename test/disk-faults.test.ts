// Disks that are full, fail or hang, on the leader and on a follower.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { run, sql } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";

const cluster = useCluster({ settings: {} });

test("fdatasync fails on the leader: its process ends at once, nothing acknowledged is lost", async () => {
	await underLoad(cluster(), async (ledger) => {
		const leader = await cluster().leader();
		leader.fault("fail-sync", true);
		const exit = await leader.exit(10_000);
		expect(exit.signal).toBeNull();
		expect(exit.code).not.toBe(0);
		expect(leader.logText()).toContain("EIO");
		leader.fault("fail-sync", false);
		await ledger.progress(20);
	});
});

test("fdatasync fails on a follower: its process ends, the leader goes on", async () => {
	const leader = await cluster().leader();
	await underLoad(cluster(), async (ledger) => {
		const [follower] = await cluster().followers();
		follower?.fault("fail-sync", true);
		expect((await follower?.exit(10_000))?.code).not.toBe(0);
		follower?.fault("fail-sync", false);
		await ledger.progress(20);
		expect((await cluster().leader()).id).toBe(leader.id);
	});
});

test("the leader's disk is full: another leads, and it comes back by itself when there is room", async () => {
	await underLoad(cluster(), async (ledger) => {
		const leader = await cluster().leader();
		leader.fault("full", true);
		await ledger.progress(20, 20_000);
		expect((await cluster().leader()).id).not.toBe(leader.id);
		leader.fault("full", false);
		expect(leader.isRunning, leader.logText().slice(-2_000)).toBe(true);
		await cluster().caughtUp();
		// Reads and writes through it work again.
		await run(leader.url, "select 1");
	});
});

test("all disks are full: writes fail and say so, reads go on, and there is no process lost", async () => {
	const { url } = await cluster().leader();
	await run(url, "create table room (x)");
	// A read that asks for no more than some committed state must find this one everywhere.
	await cluster().caughtUp();
	for (const node of cluster().nodes) node.fault("full", true);
	const answer = await sql(url, { sql: "insert into room values (1)" }, { timeoutMs: 20_000 });
	expect(answer.ok).toBe(false);
	for (const node of cluster().nodes) {
		const read = await sql(node.url, { sql: "select count(*) from room" }, { consistency: "eventual" });
		expect(read.ok, JSON.stringify(read)).toBe(true);
	}
	for (const node of cluster().nodes) node.fault("full", false);
	await cluster().heal();
	await run((await cluster().leader()).url, "insert into room values (2)");
	expect(cluster().nodes.every((node) => node.isRunning)).toBe(true);
});

test("the leader's disk hangs: it stops leading within seconds although its process lives", async () => {
	await underLoad(
		cluster(),
		async (ledger) => {
			const leader = await cluster().leader();
			leader.fault("hang", true);
			await ledger.progress(20, 20_000);
			expect((await cluster().leader()).id).not.toBe(leader.id);
			leader.fault("hang", false);
		},
		{ requestTimeoutMs: 3_000 },
	);
});
