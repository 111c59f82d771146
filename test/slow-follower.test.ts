// A follower that runs a tenth of the time: the others go on without it, it falls behind, and catches up when it can.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { view } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";

const cluster = useCluster();

test("under load: it holds up nobody, and is behind", async () => {
	const { url, id } = await cluster().leader();
	const { term } = await view(url);
	const [slow] = await cluster().followers();
	if (slow === undefined) throw new Error("no follower");
	let largestLag = 0;
	const report = await underLoad(
		cluster(),
		async (ledger) => {
			for (let round = 0; round < 30; round += 1) {
				slow.pause();
				await sleep(180);
				largestLag = Math.max(largestLag, (await view(url)).members[slow.id]?.lagEntries ?? 0);
				slow.resume();
				await sleep(20);
			}
			await ledger.progress(50);
		},
		{ requestTimeoutMs: 3_000 },
	);
	expect(largestLag).toBeGreaterThan(0);
	// It is late with everything, but a slow follower deposes nobody.
	const after = await view(url);
	expect([after.leader, after.term]).toEqual([id, term]);
	expect(report.longestGapMs).toBeLessThan(2_000);
});
