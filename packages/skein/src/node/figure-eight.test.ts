/** What was reported as lost and is committed after all: Raft's figure 8, and what the member that reported it hears. */
import { expect, test } from "vitest";
import { decodeMessage } from "../peer/codec/message.ts";
import type { LostTransaction } from "./lost-transactions.ts";
import { createCluster, insert, type Member, program, request, watch } from "./testing/cluster.ts";

async function reportsOf(member: Member | undefined): Promise<LostTransaction[]> {
	const reports: LostTransaction[] = [];
	for (const name of (await member?.disk.list("lost")) ?? []) {
		const file = await member?.disk.open(`lost/${name}`, { create: false });
		const bytes = await file?.read(0, await file.size());
		reports.push(JSON.parse(new TextDecoder().decode(bytes)) as LostTransaction);
		await file?.close();
	}
	return reports;
}

test("a write that was cut, and came back committed inside a snapshot, is not reported as lost for certain", async () => {
	const settings = {
		logSegmentBytes: 4_096,
		compactLogBytes: 4_096,
		logTailEntries: 0,
		checkpointBytes: 4_096,
	};
	const cluster = await createCluster({ size: 5, seed: 1, settings, notedIn: () => early });
	const { clock, network } = cluster;
	const first = await cluster.leader();
	const [second, third, fourth, fifth] = cluster.members.filter((member) => member !== first);
	if (!second || !third || !fourth || !fifth) throw new Error("there are five");
	const write = (text: string) =>
		watch(
			first.node?.service.openStream().run(program(insert(text)), {
				...request,
				timeoutMs: 5_000,
				acknowledgement: { mode: "async" },
			}) ?? Promise.reject(new Error("not running")),
		);
	let passes = (_from: string, _to: string, _type: string): boolean => true;
	network.intercept = ({ from, to, bytes }) => (passes(from, to, decodeMessage(bytes).type) ? bytes : null);
	write("before");
	await clock.run(500);

	// It reaches one follower.
	passes = (from, to, type) => type !== "append-request" || from !== first.id || to === second.id;
	const lost = write("come back");
	await clock.run(60);
	const at = lost.value?.position;
	await cluster.stop(first);

	// The fifth is elected without it, and what it has there reaches that follower alone: the follower cuts.
	passes = (from, to, type) => {
		const isVote = type.includes("vote");
		if (from === second.id || to === second.id) return (from === fifth.id || to === fifth.id) && !isVote;
		return type !== "append-request" && (!type.includes("vote-request") || from === fifth.id);
	};
	for (let turn = 0; turn < 200 && (await reportsOf(second)).length === 0; turn++) await clock.run(20);
	expect(await reportsOf(second)).toMatchObject([{ ...at, certain: true }]);
	await cluster.stop(fifth);
	await cluster.stop(second);

	// The first leads again with the others, commits what was cut, and compacts it.
	passes = (from, _to, type) => !type.includes("vote-request") || from === first.id;
	await cluster.start(first);
	await clock.run(4_000);
	for (let number = 0; number < 60; number++) {
		write("later".repeat(300) + number);
		await clock.run(60);
	}
	await clock.run(4_000);
	expect(first.file.content.items).toContain("come back");
	expect(first.node?.core.base.index).toBeGreaterThan(at?.index ?? Number.POSITIVE_INFINITY);

	passes = () => true;
	await cluster.start(second);
	await clock.run(6_000);
	expect(second.file.content.items).toContain("come back");
	expect((await reportsOf(second)).filter(({ certain }) => certain)).toEqual([]);
	for (const member of cluster.members) if (member.node !== null) await cluster.stop(member);
});

const early = {
	note: { client: "c", idempotencyKey: null, wallTimeMs: 0, acknowledgement: { mode: "async" as const } },
	changes: [],
	isCut: false,
};
