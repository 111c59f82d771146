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

test("who does not vote is not waited for, and not named", async () => {
	const cluster = await createCluster({ size: 3, seed: 9 });
	const { clock, network, members } = cluster;
	const leader = await cluster.leader();
	const [asked, gone] = members.filter((member) => member !== leader);
	if (asked === undefined || gone === undefined) throw new Error("no followers");
	await cluster.join("n4");
	const changes = [{ change: "add", id: "n4", peer: "n4:1", as: "learner" }] as const;
	const changed = watch(
		leader.node?.service.changeMembers({ changes, confirm: null, dryRun: false }) ?? Promise.resolve(null),
	);
	await clock.run(1_000);
	expect(changed.error).toBe(null);
	network.cut(gone.id, true);
	network.cut("n4", true);
	const options = {
		...request,
		acknowledgement: { mode: "semi-sync", followers: 2 },
		timeoutMs: 400,
	} as const;
	const waits = [leader, asked].map((member) => {
		const stream = member.node?.service.openStream();
		return watch(stream?.run(program(insert(member.id)), options) ?? Promise.resolve(null));
	});
	await clock.run(600);
	for (const { error } of waits) expect(String(error)).toMatch(new RegExp(`not up to date: ${gone.id}$`));
});
