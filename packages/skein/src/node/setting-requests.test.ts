// The log format is changed on any node, through the log, and every node shows it.
import { expect, test } from "vitest";
import { createCluster, insert, type Member, program, request, watch } from "./testing/cluster.ts";

async function formatsOf(members: readonly Member[], run: (ms: number) => Promise<void>): Promise<unknown[]> {
	const views = members.map((member) => watch(member.node?.service.cluster() ?? Promise.reject()));
	await run(100);
	return views.map((view) => view.value?.databases["default"]?.format);
}

test("asked of a follower, with writes around: all members have it, also after they start again", async () => {
	const cluster = await createCluster({ size: 3, seed: 31 });
	const leader = await cluster.leader();
	const follower = cluster.members.find((member) => member !== leader);
	const run = (ms: number): Promise<void> => cluster.clock.run(ms);
	expect(await formatsOf(cluster.members, run)).toEqual(["row", "row", "row"]);
	const writes = ["a", "b", "c"].map((value) =>
		watch(leader.node?.service.openStream().run(program(insert(value)), request) ?? Promise.reject()),
	);
	const changed = watch(
		follower?.node?.service.changeSetting({ name: "format", value: "statement" }) ?? Promise.reject(),
	);
	await run(500);
	expect(changed.value).toMatchObject({ index: expect.any(Number) });
	expect(writes.map(({ error }) => error)).toEqual([null, null, null]);
	expect(await formatsOf(cluster.members, run)).toEqual(["statement", "statement", "statement"]);
	for (const member of cluster.members) await cluster.stop(member);
	for (const member of cluster.members) await cluster.start(member);
	await cluster.leader();
	expect(await formatsOf(cluster.members, run)).toEqual(["statement", "statement", "statement"]);
	for (const member of cluster.members) await cluster.stop(member);
});

test("without a majority nothing changes, and who asked is told", async () => {
	const cluster = await createCluster({ size: 3, seed: 32 });
	const leader = await cluster.leader();
	for (const member of cluster.members) if (member !== leader) cluster.network.cut(member.id, true);
	const changed = watch(
		leader.node?.service.changeSetting({ name: "format", value: "statement" }) ?? Promise.reject(),
	);
	await cluster.clock.run(30_000);
	expect(changed.error).toMatchObject({ code: expect.stringMatching(/LEADERSHIP_LOST|NO_LEADER|TIMEOUT/) });
	expect(leader.file.content.format ?? "row").toBe("row");
});

test("a leader that is deposed with a change that nobody else has takes it back", async () => {
	const cluster = await createCluster({ size: 3, seed: 33 });
	const old = await cluster.leader();
	const run = (ms: number): Promise<void> => cluster.clock.run(ms);
	cluster.network.cut(old.id, true);
	const lost = watch(
		old.node?.service.changeSetting({ name: "format", value: "statement" }) ?? Promise.reject(),
	);
	await run(10_000);
	expect(old.node?.core.lastIndex).toBeGreaterThan(old.node?.core.commitIndex ?? 0);
	cluster.network.cut(old.id, false);
	await run(2_000);
	expect(lost.error).toMatchObject({ code: "LEADERSHIP_LOST", outcome: "unknown" });
	expect(await formatsOf(cluster.members, run)).toEqual(["row", "row", "row"]);
	// Also where it leads again.
	const handed = watch(old.node?.service.transfer(old.id) ?? Promise.reject());
	await run(3_000);
	expect(handed.value).toMatchObject({ leader: old.id });
	expect(await formatsOf(cluster.members, run)).toEqual(["row", "row", "row"]);
	for (const member of cluster.members) await cluster.stop(member);
});
