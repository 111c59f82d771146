import { expect, test } from "vitest";
import type { NodeSettings } from "./settings.ts";
import { createCluster, insert, program, request, watch } from "./testing/cluster.ts";
import { createParts, isOfType, type Parts } from "./testing/parts.ts";
import { createRunners, type RunnerMember, type Runners } from "./testing/runners.ts";
import { createTransfer, type Transfer } from "./transfer.ts";

const timeoutMs = 2_000;

interface Bench extends Runners {
	readonly leading: RunnerMember;
	readonly target: RunnerMember;
	readonly parts: Parts;
	readonly transfer: Transfer;
	readonly write: (value: string) => ReturnType<typeof watch>;
}

/** Three members with all that a write needs; `transfer` is the leader's. */
async function createBench(size = 3, changed: Partial<NodeSettings> = {}): Promise<Bench> {
	const runners = await createRunners({ size });
	const leading = await runners.leader();
	const everyParts = runners.members.map((member) => createParts(runners, member, changed));
	const parts = everyParts.find(({ member }) => member === leading);
	const target = runners.followers()[0] ?? leading;
	if (parts === undefined) throw new Error("no leader");
	const transfer = createTransfer({
		self: leading.id,
		runner: () => leading.runner,
		stateMachine: parts.stateMachine,
		leaderWatch: parts.leaderWatch,
		clock: runners.clock,
		statusOf: () => null,
		electionTimeoutMs: 350,
		timeoutMs,
	});
	leading.listener.onTransferEnded = (end) => transfer.onEnded(end);
	leading.listener.onFailure = () => transfer.stop();
	await runners.clock.run(200);
	return {
		...runners,
		leading,
		target,
		parts,
		transfer,
		write: (value) =>
			watch(
				parts.routing.write({
					streamId: 1,
					program: program(insert(value)),
					foreignKeys: true,
					interactive: false,
					transactionAt: null,
					snapshotIndex: null,
					idempotencyKey: null,
					acknowledgement: { mode: "quorum" },
					mayCommit: true,
					deadlineAt: runners.clock.now() + 6_000,
				}),
			),
	};
}

test("leadership goes to whom it is given, and what waits goes there too", async () => {
	const { write, transfer, clock, leading, target, members } = await createBench();
	const before = write("before");
	const done = watch(transfer.handOver(target.id));
	const during = Array.from({ length: 5 }, (_, number) => write(`during ${number}`));
	await clock.run(1_000);
	expect(done.error).toBe(null);
	expect(done.value?.leader).toBe(target.id);
	expect(done.value?.pausedMs).toBeLessThan(300);
	for (const { error, settled } of [before, ...during]) expect([error, settled]).toEqual([null, true]);
	expect([target.runner.state.role, leading.runner.state.role]).toEqual(["leader", "follower"]);
	for (const member of members) expect(member.file.content.items.length).toBe(6);
});

test("without a name the best follower gets it", async () => {
	const { transfer, clock, leading, network, target } = await createBench();
	// One of them is dead.
	network.cut(target.id, true);
	await clock.run(500);
	const done = watch(transfer.handOver(null));
	await clock.run(1_000);
	expect(done.value?.leader).not.toBe(leading.id);
	expect(done.value?.leader).not.toBe(target.id);
	expect(done.error).toBe(null);
});

test("what cannot be is refused before anything waits", async () => {
	const { transfer, leading, target, clock, write } = await createBench();
	expect(await transfer.handOver(leading.id)).toEqual({ leader: leading.id, pausedMs: 0 });
	await expect(transfer.handOver("n9")).rejects.toMatchObject({ code: "BAD_REQUEST" });
	const first = watch(transfer.handOver(target.id));
	await expect(transfer.handOver(target.id)).rejects.toMatchObject({ code: "BAD_REQUEST" });
	await clock.run(1_000);
	expect(first.value?.leader).toBe(target.id);
	await expect(transfer.handOver(target.id)).rejects.toMatchObject({ code: "NO_LEADER" });
	const written = write("a");
	await clock.run(200);
	expect(written.error).toBe(null);

	const alone = await createBench(1);
	await expect(alone.transfer.handOver(null)).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test.each(["dead before", "dies meanwhile", "never hears of it"])(
	"a target that is %s costs its time, and then the leader serves again",
	async (how) => {
		const { write, transfer, clock, leading, target, network } = await createBench();
		if (how === "dead before") {
			network.cut(target.id, true);
			await clock.run(1_000);
		}
		if (how === "never hears of it")
			network.intercept = (sent) => (isOfType(sent, "timeout-now") ? null : sent.bytes);
		const seen = watch(transfer.handOver(target.id));
		await clock.run(0);
		if (how === "dies meanwhile") network.cut(target.id, true);
		const waits = write("waits");
		await clock.run(100);
		if (how === "dead before") expect(seen.settled).toBe(true);
		else expect([seen.settled, waits.settled]).toEqual([false, false]);
		await clock.run(timeoutMs + 100);
		expect(seen.error).toMatchObject({ code: "TIMEOUT" });
		expect(String(seen.error)).toContain("leadership was not handed over");
		expect([leading.runner.state.role, waits.error, waits.settled]).toEqual(["leader", null, true]);
		// And it can be tried again.
		network.cut(target.id, false);
		network.intercept = (sent) => sent.bytes;
		await clock.run(500);
		const again = watch(transfer.handOver(target.id));
		await clock.run(1_000);
		expect(again.value?.leader).toBe(target.id);
	},
);

test("when another one is elected instead, that is said", async () => {
	const { transfer, clock, leading, target, network, members } = await createBench();
	network.intercept = (sent) => (isOfType(sent, "timeout-now") ? null : sent.bytes);
	const seen = watch(transfer.handOver(target.id));
	await clock.run(50);
	network.cut(leading.id, true);
	network.intercept = (sent) =>
		isOfType(sent, "pre-vote-request") && sent.from === target.id ? null : sent.bytes;
	await clock.run(1_500);
	network.cut(leading.id, false);
	await clock.run(600);
	const other = members.find(({ runner }) => runner.state.role === "leader");
	expect(other).not.toBe(target);
	expect(seen.error).toMatchObject({ code: "TIMEOUT" });
	expect(String(seen.error)).toContain(`${other?.id} was elected instead`);
});

test("a batch that does not end keeps leadership where it is", async () => {
	const { transfer, write, clock, leading, target, network, members } = await createBench();
	for (const member of members) if (member !== leading) network.cut(member.id, true);
	const stuck = write("stuck");
	await clock.run(5);
	for (const member of members) network.cut(member.id, false);
	network.intercept = (sent) => (isOfType(sent, "append-response") ? null : sent.bytes);
	const seen = watch(transfer.handOver(target.id));
	await clock.run(1_600);
	expect(seen.error).toMatchObject({ code: "TIMEOUT" });
	network.intercept = (sent) => sent.bytes;
	await clock.run(500);
	expect([stuck.settled, stuck.error]).toEqual([true, null]);
});

test("a core that has failed is not asked", async () => {
	const { transfer, write, clock, leading, target } = await createBench();
	leading.disk.faults.syncsLeft = 0;
	write("a");
	await clock.run(20);
	// It stands still in the role that it had.
	expect([leading.failures.length, leading.runner.state.role]).toEqual([1, "leader"]);
	const seen = watch(transfer.handOver(target.id));
	await clock.run(0);
	expect(seen.error).toMatchObject({ code: "NO_LEADER", outcome: "unknown" });
});

test("a core that fails meanwhile is not waited for", async () => {
	const { transfer, clock, leading, target } = await createBench();
	// The target's election asks this member to promise the next term, and its disk cannot.
	leading.disk.faults.syncsLeft = 0;
	const seen = watch(transfer.handOver(target.id));
	await clock.run(500);
	expect(leading.failures.length).toBe(1);
	expect(seen.error).toMatchObject({ code: "NO_LEADER", outcome: "unknown" });
});

test("a node whose core fails while it hands over can still be stopped", async () => {
	const cluster = await createCluster({ size: 3, seed: 3 });
	const leader = await cluster.leader();
	const follower = cluster.members.find((member) => member !== leader);
	leader.disk.faults.syncsLeft = 0;
	const handedOver = watch(leader.node?.handOver() ?? Promise.reject());
	const asked = watch(follower?.node?.service.transfer(null) ?? Promise.reject());
	await cluster.clock.run(600);
	expect(leader.failure).not.toBe(null);
	expect(handedOver.settled).toBe(true);
	await cluster.stop(leader);
	await cluster.clock.run(5_000);
	expect(asked.settled).toBe(true);
});

test("a node that is stopped while it hands over tells who asked", async () => {
	const cluster = await createCluster({ size: 3, seed: 4 });
	const leader = await cluster.leader();
	cluster.network.intercept = (sent) => (isOfType(sent, "timeout-now") ? null : sent.bytes);
	const asked = watch(leader.node?.service.transfer(null) ?? Promise.reject());
	const written = watch(
		leader.node?.service.openStream().run(program(insert("a")), request) ?? Promise.reject(),
	);
	await cluster.clock.run(100);
	expect(asked.settled).toBe(false);
	await cluster.stop(leader);
	await cluster.clock.run(100);
	expect(asked.error).toMatchObject({ code: "NO_LEADER" });
	expect(written.settled).toBe(true);
});

test("one transfer right after another waits until the new leader serves", async () => {
	const cluster = await createCluster({ size: 3, seed: 5 });
	const first = await cluster.leader();
	const [second, third] = cluster.members.filter((member) => member !== first);
	const ask = (of: typeof first | undefined, to: string | undefined) =>
		watch(of?.node?.service.transfer(to ?? null) ?? Promise.reject());
	ask(first, second?.id);
	while (second?.node?.core.role !== "leader") await cluster.clock.run(1);
	expect(second.node.core.established).toBe(false);
	// Asked of one that does not know yet who leads.
	expect(third?.node?.core.leader).not.toBe(second.id);
	const next = ask(third, third?.id);
	await cluster.clock.run(500);
	expect(next.error).toBe(null);
	expect(next.value).toMatchObject({ leader: third?.id });
	expect(third?.node?.core.established).toBe(true);
	// Whoever leads already need not be told how.
	const again = ask(first, third?.id);
	await cluster.clock.run(100);
	expect(again.value).toEqual({ changed: false, leader: third?.id, pausedMs: 0 });
});

test("a leader that was just elected and reaches nobody says that it cannot hand over, in time", async () => {
	const cluster = await createCluster({ size: 3, seed: 5 });
	const first = await cluster.leader();
	const [second, third] = cluster.members.filter((member) => member !== first);
	cluster.network.intercept = (sent) => (isOfType(sent, "append-response") ? null : sent.bytes);
	watch(first.node?.service.transfer(second?.id ?? null) ?? Promise.reject());
	while (second?.node?.core.role !== "leader") await cluster.clock.run(1);
	const asked = watch(second.node.service.transfer(third?.id ?? null));
	await cluster.clock.run(timeoutMs + 3_000);
	expect(asked.settled).toBe(true);
	expect(asked.error).toMatchObject({ outcome: "did-not-happen", code: "TIMEOUT" });
	expect(String(asked.error)).toContain("ask again when it serves");
});

test("who has no room is not handed leadership, unless nobody else could take it", async () => {
	const cluster = await createCluster({ size: 3, seed: 6 });
	const leader = await cluster.leader();
	// The one that the core would choose: of equals it takes the first.
	const [full, other] = cluster.members.filter((member) => member !== leader);
	if (full === undefined || other === undefined) throw new Error("no followers");
	const noRoom = Object.assign(new Error("database or disk is full"), { code: "DISK_FULL" });
	Object.defineProperty(full.file, "failure", { configurable: true, get: () => noRoom, set() {} });
	const written = watch(
		leader.node?.service.openStream().run(program(insert("a")), request) ?? Promise.reject(),
	);
	await cluster.clock.run(3_000);
	expect([written.error, full.node?.service.readiness().reason]).toEqual([null, "the disk is full"]);

	const named = watch(leader.node?.service.transfer(full.id) ?? Promise.reject());
	await cluster.clock.run(100);
	expect(named.error).toMatchObject({ code: "BAD_REQUEST", outcome: "did-not-happen" });
	expect(String(named.error)).toContain("not ready");
	const unnamed = watch(leader.node?.service.transfer(null) ?? Promise.reject());
	await cluster.clock.run(1_000);
	expect(unnamed.value).toMatchObject({ leader: other.id });

	await cluster.stop(leader);
	await cluster.clock.run(1_000);
	const only = watch(other.node?.service.transfer(full.id) ?? Promise.reject());
	await cluster.clock.run(1_000);
	expect(only.value).toMatchObject({ leader: full.id });
});

test("an open transaction has a second to end by itself; longer ones are rolled back, and say so", async () => {
	const cluster = await createCluster({ size: 3, seed: 7 });
	for (const [endsAfterMs, isKept] of [
		[800, true],
		[1_200, false],
	] as const) {
		const leader = await cluster.leader();
		const stream = leader.node?.service.openStream();
		const run = (what: string | readonly [string, string]) =>
			watch(stream?.run(program(what), request) ?? Promise.reject());
		const begun = [run("BEGIN IMMEDIATE")];
		await cluster.clock.run(50);
		begun.push(run(insert(`after ${endsAfterMs}`)));
		await cluster.clock.run(50);
		expect(begun.map(({ error, settled }) => [error, settled])).toEqual([
			[null, true],
			[null, true],
		]);
		const done = watch(leader.node?.service.transfer(null) ?? Promise.reject());
		const other = watch(
			leader.node?.service.openStream().run(program(insert(`behind ${endsAfterMs}`)), request) ??
				Promise.reject(),
		);
		await cluster.clock.run(endsAfterMs);
		const ended = run("COMMIT");
		await cluster.clock.run(1_000);
		if (isKept) expect([ended.error, ended.settled]).toEqual([null, true]);
		else expect(ended.error).toMatchObject({ code: "LEADERSHIP_LOST", outcome: "did-not-happen" });
		expect(done.error).toBe(null);
		expect(done.value?.leader).not.toBe(leader.id);
		expect([other.error, other.settled]).toEqual([null, true]);
	}
	for (const { file } of cluster.members)
		expect(file.content.items).toEqual(["after 800", "behind 800", "behind 1200"]);
});
