// Five nodes live through the loss of two.
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { view } from "./support/http.ts";
import { underLoad } from "./support/under-load.ts";

const cluster = useCluster({ nodes: 5 });

test("the leader and a follower are killed under load, then come back", async () => {
	await underLoad(cluster(), async (ledger) => {
		const leader = await cluster().leader();
		const [follower] = await cluster().followers();
		await Promise.all([leader.kill(), follower?.kill()]);
		await ledger.progress(30);
		const next = await cluster().leader();
		expect(Object.keys((await view(next.url)).members)).toHaveLength(5);
	});
});
