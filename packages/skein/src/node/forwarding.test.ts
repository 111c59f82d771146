import { expect, test } from "vitest";
import { SkeinError } from "../../../client/src/errors.ts";
import { decodeMessage, encodeMessage } from "../peer/codec/message.ts";
import type { PeerMessage, RunRequest, RunResponse } from "../peer/message.ts";
import { createDeadlines } from "./deadlines.ts";
import {
	createForwarding,
	type Forwarding,
	notLeaderReport,
	type RunFields,
	toReport,
} from "./forwarding.ts";
import { createOutbox } from "./outbox.ts";
import { program, type Watched, watch } from "./testing/cluster.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./testing/memory-network.ts";
import { seeded } from "./testing/seeded.ts";
import { createVirtualClock, type VirtualClock } from "./testing/virtual-clock.ts";

interface Bench {
	readonly clock: VirtualClock;
	readonly network: MemoryNetwork;
	readonly forwarding: Forwarding;
	/** What the others were asked. */
	readonly heard: PeerMessage[];
	readonly run: (
		to: string,
		afterMs?: number,
		changed?: Partial<RunFields>,
	) => Watched<Awaited<ReturnType<Forwarding["run"]>>>;
	readonly answer: (request: PeerMessage | undefined, result?: RunResponse["result"]) => void;
}

const fields: RunFields = {
	streamId: 7,
	inTransaction: true,
	foreignKeys: false,
	program: program("SELECT 1"),
	interactive: true,
	snapshotIndex: 5,
	idempotencyKey: "k",
	acknowledgement: { mode: "quorum" },
	timeoutMs: 1_000,
};

const ok: RunResponse["result"] = {
	ok: true,
	outcome: { results: [], errors: [], autocommit: true, foreignKeys: true },
	position: { term: 2, index: 9 },
	replayed: true,
	acknowledgement: { mode: "quorum" },
};

/** A node and two others that only listen. */
async function createBench(maxPending = 100): Promise<Bench> {
	const clock = createVirtualClock();
	const deadlines = createDeadlines(clock);
	const network = createMemoryNetwork(clock, seeded(1));
	const own = network.connect("n1");
	const forwarding = createForwarding({
		self: "n1",
		group: 1,
		network: own,
		clock,
		deadlines,
		outbox: createOutbox({ network: own, clock, maxBytes: 1_000 }),
		maxPending,
		maxMessageBytes: 10_000,
		firstRequestId: 1_000,
	});
	const heard: PeerMessage[] = [];
	await own.start({
		onMessage(_from, _lane, bytes) {
			const message = decodeMessage(bytes);
			if (message.type === "run-response") forwarding.onRunResponse(message);
			else if (message.type === "call-response") forwarding.onCallResponse(message);
		},
		onReachable(node, reachable) {
			if (!reachable) forwarding.onUnreachable(node);
		},
	});
	const others = new Map(["n2", "n3"].map((id) => [id, network.connect(id)]));
	for (const other of others.values()) {
		await other.start({
			onMessage: (_from, _lane, bytes) => void heard.push(decodeMessage(bytes)),
			onReachable() {},
		});
	}
	return {
		clock,
		network,
		forwarding,
		heard,
		run: (to, afterMs = 5_000, changed = {}) =>
			watch(forwarding.run(to, { ...fields, ...changed }, clock.now() + afterMs)),
		answer(request, result = ok) {
			const { from: to, to: from, requestId, group } = request as RunRequest;
			const message = { type: "run-response", group, from, to, requestId, result } as const;
			others.get(from)?.send(to, "log", encodeMessage(message));
		},
	};
}

test("a request arrives as it was, and its answer finds it", async () => {
	const { run, heard, answer, clock, forwarding } = await createBench();
	const [first, second] = [run("n2"), run("n2")];
	await clock.run(10);
	expect(heard).toMatchObject([
		{ ...fields, type: "run-request", from: "n1", to: "n2", requestId: 1_000 },
		{ requestId: 1_001 },
	]);
	// Not in the order in which they were asked, and one twice.
	answer(heard[1], { ok: false, failure: notLeaderReport });
	answer(heard[0]);
	answer(heard[0], { ok: false, failure: notLeaderReport });
	await clock.run(10);
	expect(first.value).toEqual({ ...ok, ok: undefined, type: "done" });
	expect(second.value).toEqual({ type: "not-leader" });
	expect(forwarding.pending).toBe(0);
});

test("an error comes out as it went in", async () => {
	const { run, heard, answer, clock } = await createBench();
	const error = new SkeinError("so", {
		code: "SQLITE_CONSTRAINT",
		outcome: "unknown",
		extendedCode: "SQLITE_CONSTRAINT_UNIQUE",
	});
	const seen = run("n2");
	await clock.run(10);
	answer(heard[0], { ok: false, failure: toReport(error) });
	await clock.run(10);
	expect(seen.value).toMatchObject({ type: "failed" });
	const received = seen.value?.type === "failed" ? seen.value.error : null;
	expect(received).toMatchObject({
		message: "so",
		code: "SQLITE_CONSTRAINT",
		outcome: "unknown",
		extendedCode: "SQLITE_CONSTRAINT_UNIQUE",
	});
});

test("what cannot be sent, what is lost, and what comes too late are three things", async () => {
	const { run, heard, answer, clock, network, forwarding } = await createBench();
	network.cut("n2", true);
	const unsent = run("n2");
	await clock.run(0);
	expect(unsent.value).toEqual({ type: "not-sent" });
	network.cut("n2", false);

	const lost = run("n2");
	const elsewhere = run("n3");
	await clock.run(10);
	network.cut("n2", true);
	await clock.run(0);
	expect(lost.value).toEqual({ type: "lost" });
	expect(elsewhere.settled).toBe(false);
	network.cut("n2", false);

	const late = run("n2", 200);
	await clock.run(250);
	expect(late.value).toEqual({ type: "timed-out" });
	// Their answers count for nobody any more.
	for (const request of heard) answer(request);
	await clock.run(10);
	expect([lost.value?.type, late.value?.type, elsewhere.value?.type]).toEqual(["lost", "timed-out", "done"]);
	expect(forwarding.pending).toBe(0);
});

test("a deposed leader has a moment to answer, then what it has not is lost; nobody else's is", async () => {
	const { run, heard, answer, clock, forwarding } = await createBench();
	const answered = run("n2");
	const silent = run("n2");
	const ofNext = run("n3");
	await clock.run(10);
	forwarding.onLeader("n3");
	const after = run("n2");
	await clock.run(200);
	answer(heard.find((message) => message.type === "run-request" && message.requestId === 1_000));
	await clock.run(10);
	expect([answered.value?.type, silent.settled]).toEqual(["done", false]);
	await clock.run(150);
	expect(silent.value).toEqual({ type: "lost" });
	expect([ofNext.settled, after.settled]).toEqual([false, false]);
	forwarding.onLeader("n2");
	await clock.run(400);
	expect([ofNext.value?.type, after.settled]).toEqual(["lost", false]);
});

test("too many are refused, and never sent", async () => {
	const { run, heard, clock, forwarding } = await createBench(2);
	const outside = { inTransaction: false };
	const seen = [run("n2"), run("n3"), run("n2", 5_000, outside)];
	await clock.run(10);
	expect(forwarding.pending).toBe(2);
	expect(heard.length).toBe(2);
	// Who has the writer is let through: all the others wait for its end.
	run("n2");
	await clock.run(10);
	expect(heard.length).toBe(3);
	expect(seen[2]?.value).toMatchObject({
		type: "failed",
		error: { code: "OVERLOADED", outcome: "did-not-happen" },
	});
});

test("no room on the way is told from no way, and a request that no message holds from both", async () => {
	const { run, clock, network, heard } = await createBench();
	network.isFull = () => true;
	const full = run("n2");
	await clock.run(0);
	expect(full.value).toEqual({ type: "full" });
	network.isFull = () => false;
	await clock.run(1);
	const large = run("n2", 5_000, { program: program("x".repeat(10_000)) });
	await clock.run(0);
	expect(large.value).toMatchObject({
		type: "failed",
		error: { code: "PAYLOAD_TOO_LARGE", outcome: "did-not-happen" },
	});
	run("n2");
	await clock.run(10);
	expect(heard.length).toBe(1);
});

test("the end of a stream finds its way when there is room again, and no later request overtakes it", async () => {
	const { run, clock, network, heard, forwarding } = await createBench();
	network.isFull = () => true;
	forwarding.closeStream("n2", 9);
	await clock.run(50);
	network.isFull = () => false;
	const early = run("n2");
	await clock.run(50);
	expect(early.value).toEqual({ type: "full" });
	run("n2");
	await clock.run(10);
	expect(heard).toMatchObject([{ type: "close-stream", streamId: 9 }, { type: "run-request" }]);
});

test("calls: answered, failed, lost, late, and not sent", async () => {
	const { clock, network, forwarding, heard } = await createBench();
	const call = () => watch(forwarding.call("n2", "cluster", "body", clock.now() + 300));
	const seen = [call(), call(), call()];
	await clock.run(10);
	expect(heard[0]).toMatchObject({ type: "call-request", operation: "cluster", body: "body" });
	const envelope = { type: "call-response", group: 1, from: "n2", to: "n1" } as const;
	forwarding.onCallResponse({ ...envelope, requestId: 1_000, result: { ok: true, body: "answer" } });
	forwarding.onCallResponse({
		...envelope,
		requestId: 1_001,
		result: { ok: false, failure: notLeaderReport },
	});
	await clock.run(350);
	expect(seen.map(({ value }) => value)).toEqual(["answer", null, null]);
	expect(seen[1]?.error).toMatchObject({ code: "NO_LEADER" });
	expect(seen[2]?.error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
	const lost = call();
	await clock.run(10);
	network.cut("n2", true);
	const unsent = call();
	await clock.run(0);
	for (const { error } of [lost, unsent]) expect(error).toMatchObject({ code: "LEADERSHIP_LOST" });
});

test("a stream is closed where its transaction is", async () => {
	const { clock, forwarding, heard } = await createBench();
	forwarding.closeStream("n3", 9);
	await clock.run(10);
	expect(heard).toMatchObject([{ type: "close-stream", to: "n3", streamId: 9 }]);
});
