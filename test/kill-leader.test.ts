// The leader is killed without a word while clients write: another takes over and nothing acknowledged is lost.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { view } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";

const cluster = useCluster();

test("SIGKILL of the leader: the others elect within three seconds, acknowledged writes stay", async () => {
	const before = await cluster().leader();
	const { term } = await view(before.url);
	const report = await underLoad(cluster(), async (ledger) => {
		await before.kill();
		await ledger.progress(20);
		const after = await cluster().leader();
		expect(after.id).not.toBe(before.id);
		expect((await view(after.url)).term).toBeGreaterThan(term);
	});
	expect(report.longestGapMs).toBeLessThan(3_000);
});

test("three leaders in a row are killed, each with what it had not sent yet", async () => {
	await underLoad(cluster(), async (ledger) => {
		for (let round = 0; round < 3; round += 1) {
			const leader = await cluster().leader();
			await leader.kill();
			await ledger.progress(10);
			await leader.start();
		}
	});
});
