/** Changing members of running nodes: what the rest of a node has to do with it. */
import { expect, test } from "vitest";
import type { MemberChange } from "../consensus/types.ts";
import type { Answer, Stream } from "./service.ts";
import {
	type Cluster,
	createCluster,
	insert,
	type Member,
	program,
	request,
	rowsOf,
	type Watched,
	watch,
} from "./testing/cluster.ts";

function change(member: Member, ...changes: MemberChange[]) {
	const asked = { changes, confirm: null, dryRun: false };
	return watch(member.node?.service.changeMembers(asked) ?? Promise.reject(new Error("not running")));
}

function run(stream: Stream | undefined, ...texts: (string | readonly [string, string])[]): Watched<Answer> {
	return watch(stream?.run(program(...texts), request) ?? Promise.reject(new Error("not running")));
}

const add = (id: string, as: "joining" | "learner"): MemberChange => ({
	change: "add",
	id,
	peer: `${id}:1`,
	as,
});

function followerOf(cluster: Cluster, leader: Member): Member {
	const follower = cluster.members.find((member) => member !== leader);
	if (follower === undefined) throw new Error("no follower");
	return follower;
}

const kinds = ({ node }: Member): string => {
	const { voters, outgoingVoters, learners } = node?.core.configuration ?? {};
	return `${voters?.join(" ")} | ${outgoingVoters?.join(" ")} | ${learners?.join(" ")}`;
};

test("a node joins by a snapshot, votes by itself, and every database knows it, the leader's too", async () => {
	const settings = {
		compactLogBytes: 1,
		logTailEntries: 0,
		compactionIntervalMs: 50,
		logSegmentBytes: 512,
		checkpointBytes: 1,
	};
	const cluster = await createCluster({ size: 3, seed: 11, settings });
	const leader = await cluster.leader();
	for (let number = 0; number < 30; number++) {
		run(leader.node?.service.openStream(), insert(`v${number}`));
		await cluster.clock.run(50);
	}
	expect(leader.node?.core.base.index).toBeGreaterThan(10);
	const joined = await cluster.join("n4");
	expect(joined.node?.service.readiness().reason).toMatch(/no member yet/);
	const changed = change(followerOf(cluster, leader), add("n4", "joining"));
	await cluster.clock.run(5_000);
	expect(changed.error).toBe(null);
	expect(joined.file.content.items.length).toBe(30);
	for (const member of cluster.members) {
		expect(kinds(member)).toBe("n1 n2 n3 n4 |  | ");
		expect(member.file.content.configuration?.value.voters).toEqual(["n1", "n2", "n3", "n4"]);
		expect(member.failure).toBe(null);
	}
	// Nothing was written since: the leader stored it all the same.
	expect(leader.file.content.configuration?.index).toBe(leader.node?.core.configurationIndex);
	// What the log does not have any more is known after a restart.
	await cluster.stop(joined);
	await cluster.start(joined);
	await cluster.clock.run(500);
	expect(kinds(joined)).toBe("n1 n2 n3 n4 |  | ");
});

test("members change while a transaction is open; reads do not wait for its end, and it commits", async () => {
	const cluster = await createCluster({ size: 3, seed: 12 });
	const leader = await cluster.leader();
	await cluster.join("n4");
	const service = leader.node?.service;
	const stream = service?.openStream();
	run(stream, "BEGIN IMMEDIATE", insert("a"));
	await cluster.clock.run(100);
	const changed = change(leader, add("n4", "learner"));
	await cluster.clock.run(500);
	expect(changed.value?.changed).toBe(true);
	// The open transaction has the writer: the database does not know it yet.
	expect(leader.file.content.configuration?.value.learners).not.toEqual(["n4"]);
	const read = run(service?.openStream(), "SELECT v FROM ledger");
	await cluster.clock.run(200);
	expect(read.error).toBe(null);
	expect(read.value && rowsOf(read.value)).toEqual([]);
	// What a follower shows of it no later answer of the leader is behind.
	expect(read.value?.position.index).toBe(leader.node?.core.configurationIndex);
	const committed = run(stream, "COMMIT");
	await cluster.clock.run(500);
	expect(committed.error).toBe(null);
	expect(leader.file.content.configuration?.value.learners).toEqual(["n4"]);
	expect(leader.file.content.items).toEqual(["a"]);
});

test("a change waits for the end of a large transaction, and comes through", async () => {
	const settings = { fragmentBytes: 10, maxProposedBytes: 40 };
	const cluster = await createCluster({ size: 3, seed: 13, settings });
	const leader = await cluster.leader();
	await cluster.join("n4");
	const written = run(leader.node?.service.openStream(), insert("x".repeat(2_000)));
	await cluster.clock.run(3);
	expect(written.settled).toBe(false);
	const changed = change(leader, add("n4", "joining"));
	await cluster.clock.run(20_000);
	expect([written.error, changed.error]).toEqual([null, null]);
	for (const member of cluster.members) {
		expect([member.id, member.failure, member.file.content.items.length]).toEqual([member.id, null, 1]);
		expect(kinds(member)).toBe("n1 n2 n3 n4 |  | ");
	}
});

test("a leader that is removed hands over first, and says that it is out", async () => {
	const cluster = await createCluster({ size: 3, seed: 14 });
	const leader = await cluster.leader();
	const other = followerOf(cluster, leader);
	const writes: Watched<Answer>[] = [];
	const changed = change(other, { change: "remove", id: leader.id });
	for (let number = 0; number < 40; number++) {
		writes.push(run(other.node?.service.openStream(), insert(`v${number}`)));
		await cluster.clock.run(50);
	}
	await cluster.clock.run(2_000);
	expect(changed.value?.members.voters).not.toContain(leader.id);
	expect(writes.filter(({ error }) => error !== null)).toEqual([]);
	expect(leader.node?.service.readiness().reason).toMatch(/was removed/);
	const again = change(other, { change: "remove", id: leader.id });
	const back = change(other, add(leader.id, "joining"));
	await cluster.clock.run(1_000);
	expect(again.value?.changed).toBe(false);
	expect(back.error).toMatchObject({ code: "BAD_REQUEST" });
	expect(String(back.error)).toMatch(/choose a new id/);
});

test("what would leave no majority is refused with the reason; two at once are carried out one after the other", async () => {
	const cluster = await createCluster({ size: 3, seed: 15 });
	const leader = await cluster.leader();
	const [away, here] = cluster.members.filter((member) => member !== leader);
	if (away === undefined || here === undefined) throw new Error("no followers");
	cluster.network.cut(away.id, true);
	await cluster.clock.run(1_000);
	const refused = change(leader, { change: "remove", id: here.id });
	await cluster.clock.run(200);
	expect(String(refused.error)).toMatch(new RegExp(`no majority would be left.*${away.id}`));
	const sentence = `writes stop until ${away.id} answers`;
	expect(refused.error).toMatchObject({ code: "NEEDS_CONFIRMATION" });
	expect(String(refused.error)).toContain(`confirm: "${sentence}"`);
	// The sentence of another situation is none.
	const confirm = `writes stop until ${here.id} answers`;
	const changes = [{ change: "remove", id: here.id }] as const;
	const mistyped = watch(
		leader.node?.service.changeMembers({ changes, confirm, dryRun: false }) ?? Promise.reject(),
	);
	const rehearsed = watch(
		leader.node?.service.changeMembers({ changes, confirm: sentence, dryRun: true }) ?? Promise.reject(),
	);
	await cluster.clock.run(200);
	expect(mistyped.error).toMatchObject({ code: "NEEDS_CONFIRMATION" });
	expect(rehearsed.value?.members.voters).not.toContain(here.id);
	await cluster.join("n4");
	await cluster.join("n5");
	const one = change(leader, add("n4", "learner"));
	const two = change(here, add("n5", "learner"));
	await cluster.clock.run(2_000);
	expect([one.error, two.error]).toEqual([null, null]);
	expect(kinds(leader)).toBe("n1 n2 n3 |  | n4 n5");
});
