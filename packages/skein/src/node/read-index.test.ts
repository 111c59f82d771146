import { expect, test } from "vitest";
import { decodeMessage } from "../peer/codec/message.ts";
import { createAppliedIndex } from "./applied-index.ts";
import { createFreshness } from "./freshness.ts";
import { createReadIndex, type ReadIndex } from "./read-index.ts";
import { watch } from "./testing/cluster.ts";
import type { Sent } from "./testing/memory-network.ts";
import { isOfType } from "./testing/parts.ts";
import { createRunners, type RunnerMember, type Runners } from "./testing/runners.ts";

const leaderWaitMs = 2_000;

interface Bench extends Runners {
	readonly leading: RunnerMember;
	readonly follower: RunnerMember;
	readonly ofLeader: ReadIndex;
	readonly ofFollower: ReadIndex;
	/** Messages that went over the network, by type. */
	count(type: string): number;
	/** What the log holds committed, of anybody, just now. */
	committed(): number;
	deadline(afterMs?: number): number;
	write(member: RunnerMember): void;
}

async function createBench(maxQueued = 100): Promise<Bench> {
	const runners = await createRunners({ size: 3 });
	const { clock, deadlines, members, network } = runners;
	const leading = await runners.leader();
	const [follower] = runners.followers();
	if (follower === undefined) throw new Error("no follower");
	const readIndexOf = (member: RunnerMember): ReadIndex => {
		const readIndex = createReadIndex({
			leasedIndex: () => null,
			runner: () => member.runner,
			clock,
			deadlines,
			freshness: createFreshness({ clock, applied: createAppliedIndex({ term: 0, index: 0 }) }),
			leaderWaitMs,
			maxQueued,
		});
		member.listener.onReadReady = (readId, index) => readIndex.onReady(readId, index);
		return readIndex;
	};
	const sent: Sent[] = [];
	network.intercept = (one) => {
		sent.push(one);
		return one.bytes;
	};
	return {
		...runners,
		leading,
		follower,
		ofLeader: readIndexOf(leading),
		ofFollower: readIndexOf(follower),
		count: (type) => sent.filter((one) => isOfType(one, type)).length,
		committed: () => Math.max(...members.map(({ runner }) => runner.commitIndex)),
		deadline: (afterMs = 10_000) => clock.now() + afterMs,
		write(member) {
			member.runner.propose([{ kind: "command", payload: new Uint8Array(1) }], null);
		},
	};
}

test("reads that come while a question is under way share the next, which begins after them", async () => {
	const bench = await createBench();
	const { clock, ofFollower, leading } = bench;
	const first = watch(ofFollower.ask(bench.deadline()));
	expect(bench.count("read-index-request")).toBe(0);
	const indexBefore = bench.committed();
	bench.write(leading);
	await clock.run(1);
	const later = Array.from({ length: 50 }, () => watch(ofFollower.ask(bench.deadline())));
	await clock.run(30);
	expect(first.value).toBeGreaterThanOrEqual(indexBefore);
	const indexes = new Set(later.map(({ value }) => value));
	expect(indexes.size).toBe(1);
	expect(bench.count("read-index-request")).toBe(2);
});

test("a round that began before a read arrived never serves it", async () => {
	const bench = await createBench();
	const { clock, ofLeader, leading, network } = bench;
	// Answers to heartbeats are held: the round stays under way while something is committed.
	const held: Sent[] = [];
	const pass = network.intercept;
	network.intercept = (sent) => {
		if (!isOfType(sent, "heartbeat-response")) return pass(sent);
		held.push(sent);
		return null;
	};
	const early = watch(ofLeader.ask(bench.deadline()));
	await clock.run(10);
	const indexBefore = bench.committed();
	bench.write(leading);
	await clock.run(20);
	expect(bench.committed()).toBe(indexBefore + 1);
	const late = watch(ofLeader.ask(bench.deadline()));
	network.intercept = pass;
	for (const one of held) network.deliver(one);
	await clock.run(0);
	expect(early.value).toBe(indexBefore);
	expect(late.settled).toBe(false);
	await clock.run(30);
	expect(late.value).toBe(indexBefore + 1);
});

/** https://github.com/etcd-io/etcd/issues/20418 (reference bug 49) */
test("an answer that the old leader gave before it was deposed is no answer to a retry", async () => {
	const bench = await createBench();
	const { clock, ofFollower, leading, follower, network, members } = bench;
	const held: Sent[] = [];
	const asked: number[] = [];
	network.intercept = (sent) => {
		const message = decodeMessage(sent.bytes);
		if (message.type === "read-index-request") asked.push(message.readId);
		if (message.type !== "read-index-response" || message.from !== leading.id) return sent.bytes;
		held.push(sent);
		return null;
	};
	const read = watch(ofFollower.ask(bench.deadline()));
	await clock.run(20);
	expect([held.length, read.settled]).toEqual([1, false]);
	const staleIndex = bench.committed();

	// The process pauses; meanwhile the others elect, and commit. Its answer is still on its way.
	network.cut(leading.id, true);
	let next: RunnerMember | undefined;
	for (let turn = 0; turn < 200 && next === undefined; turn++) {
		await clock.run(10);
		next = members.find(({ id, runner }) => id !== leading.id && runner.core.view.established);
	}
	if (next === undefined) throw new Error("no next leader");
	if (!read.settled) {
		for (const one of held) network.deliver(one);
		await clock.run(0);
	}
	bench.write(next);
	await clock.run(100);
	expect(bench.committed()).toBeGreaterThan(staleIndex);
	expect(read.value).not.toBe(staleIndex);

	// A read that begins now is asked of the next leader, and no old answer counts for it either.
	const later = watch(ofFollower.ask(bench.deadline()));
	for (const one of held) network.deliver(one);
	await clock.run(300);
	expect(later.value).toBe(bench.committed());
	// Each retry of each question has a number of its own.
	expect(new Set(asked).size).toBe(asked.length);
	expect(follower.failures).toEqual([]);
});

test.each(["lost", "answered late"] as const)(
	"a question that is %s is asked again under another id; any answer will do",
	async (how) => {
		const bench = await createBench();
		const { clock, ofFollower, leading, network } = bench;
		const held: Sent[] = [];
		const asked: number[] = [];
		let isHolding = true;
		network.intercept = (sent) => {
			const message = decodeMessage(sent.bytes);
			if (message.type === "read-index-request") asked.push(message.readId);
			if (!isHolding || message.type !== "read-index-response") return sent.bytes;
			held.push(sent);
			return null;
		};
		const read = watch(ofFollower.ask(bench.deadline()));
		for (let turn = 0; turn < 100 && asked.length < 2; turn++) await clock.run(5);
		expect(asked.length).toBe(2);
		const atFirst = bench.committed();
		bench.write(leading);
		await clock.run(20);
		isHolding = false;
		const [first] = held;
		if (how === "answered late" && first !== undefined) {
			network.deliver(first);
			await clock.run(0);
			// It holds for when it was asked, which was after the read began.
			expect(read.value).toBe(atFirst);
			return;
		}
		await clock.run(500);
		expect(read.value).toBe(bench.committed());
		expect(new Set(asked).size).toBe(asked.length);
	},
);

test("reads that were asked of a leader that is deposed are answered by the next", async () => {
	const bench = await createBench();
	const { clock, ofLeader, leading, network, members } = bench;
	network.cut(leading.id, true);
	const read = watch(ofLeader.ask(clock.now() + 5_000));
	await clock.run(1_500);
	expect(read.settled).toBe(false);
	const next = members.find(({ runner, id }) => id !== leading.id && runner.core.view.established);
	if (next === undefined) throw new Error("no next leader");
	bench.write(next);
	await clock.run(50);
	network.cut(leading.id, false);
	await clock.run(400);
	expect(read.value).toBe(bench.committed());
});

test("each read has its own deadline, and no read waits for a leader for ever", async () => {
	const bench = await createBench();
	const { clock, ofFollower, follower, network } = bench;
	network.cut(follower.id, true);
	const short = watch(ofFollower.ask(bench.deadline(100)));
	const middle = watch(ofFollower.ask(bench.deadline(1_000)));
	const long = watch(ofFollower.ask(bench.deadline()));
	await clock.run(150);
	// It still believes in its leader.
	expect(short.error).toMatchObject({ code: "TIMEOUT", outcome: "did-not-happen" });
	expect([middle.settled, long.settled]).toEqual([false, false]);
	await clock.run(900);
	expect(middle.error).toMatchObject({ code: "NO_LEADER" });
	expect(long.settled).toBe(false);
	await clock.run(leaderWaitMs);
	expect(long.error).toMatchObject({ code: "NO_LEADER" });
	// Nothing of them is left behind in the core, and the next read is not held up.
	expect(follower.runner.core.view.pendingReads).toBe(0);
	network.cut(follower.id, false);
	await clock.run(1_000);
	const next = watch(ofFollower.ask(bench.deadline()));
	await clock.run(100);
	expect(next.value).toBe(bench.committed());
});

test("when all have given up on a question, those that wait for the next one get theirs at once", async () => {
	const bench = await createBench();
	const { clock, ofFollower, network } = bench;
	let isHolding = true;
	const pass = network.intercept;
	network.intercept = (sent) => (isHolding && isOfType(sent, "read-index-request") ? null : pass(sent));
	const asked = watch(ofFollower.ask(bench.deadline(60)));
	const waits = watch(ofFollower.ask(bench.deadline()));
	await clock.run(50);
	// Nor does an answer to what was never asked, or is no longer, count for anybody.
	ofFollower.onReady(0, 1);
	await clock.run(0);
	expect([asked.settled, waits.settled]).toEqual([false, false]);
	isHolding = false;
	await clock.run(70);
	expect(asked.error).toMatchObject({ code: "TIMEOUT" });
	expect(waits.value).toBe(bench.committed());
});

test("too many are refused at once, and all are told when the node stops", async () => {
	const bench = await createBench(3);
	const { clock, ofFollower, follower, network } = bench;
	network.cut(follower.id, true);
	const waiting = [1, 2, 3].map(() => watch(ofFollower.ask(bench.deadline())));
	const refused = watch(ofFollower.ask(bench.deadline()));
	await clock.run(0);
	expect(refused.error).toMatchObject({ code: "OVERLOADED", outcome: "did-not-happen" });
	expect(waiting.map(({ settled }) => settled)).toEqual([false, false, false]);
	ofFollower.stop();
	const late = watch(ofFollower.ask(bench.deadline()));
	await clock.run(0);
	for (const { error } of [...waiting, late]) expect(error).toMatchObject({ code: "NO_LEADER" });
});
