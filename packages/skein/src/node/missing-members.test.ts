import { expect, test } from "vitest";
import { createCluster, insert, program, request, type Watched, watch } from "./testing/cluster.ts";

test("who lets a write wait in vain is said by any node, or that its leader does not say it", async () => {
	const cluster = await createCluster({ size: 3, seed: 8 });
	const { clock, network, members } = cluster;
	const leader = await cluster.leader();
	const [asked, gone] = members.filter((member) => member !== leader);
	if (asked === undefined || gone === undefined) throw new Error("no followers");
	const write = (node: typeof leader, value: string): Watched<unknown> => {
		const stream = node.node?.service.openStream();
		if (stream === undefined) throw new Error("it does not run");
		const options = {
			...request,
			acknowledgement: { mode: "semi-sync", followers: 2 },
			timeoutMs: 400,
		} as const;
		return watch(stream.run(program(insert(value)), options));
	};
	network.cut(gone.id, true);
	const waits = [write(leader, "a"), write(asked, "b")];
	await clock.run(600);
	for (const { error } of waits) {
		expect(error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
		expect(String(error)).toContain(`in mode semi-sync;k=2; not up to date: ${gone.id}`);
	}

	const silent = write(asked, "c");
	await clock.run(200);
	network.intercept = (sent) => (sent.from === leader.id && sent.lane === "log" ? null : sent.bytes);
	await clock.run(320);
	expect(String(silent.error)).toContain(`the leader ${leader.id} does not say which members are behind`);
});
