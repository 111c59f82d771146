import { expect, test } from "vitest";
import type { RunRequest, RunResponse } from "../peer/message.ts";
import type { NodeSettings } from "./settings.ts";
import { insert, program } from "./testing/cluster.ts";
import { createParts, isOfType, type Parts } from "./testing/parts.ts";
import { createRunners, type RunnerMember, type Runners } from "./testing/runners.ts";

interface Bench extends Runners {
	readonly leading: RunnerMember;
	readonly follower: RunnerMember;
	readonly parts: Parts;
	/** By request id, in the order in which they came. */
	readonly answers: (readonly [number, RunResponse["result"]])[];
	/** Sends a request from the follower; returns its id. */
	readonly ask: (fields: Partial<RunRequest>) => number;
	readonly close: (streamId: number) => void;
	readonly items: () => readonly string[];
}

/** A leader with all its parts, and a follower that is only its network. */
async function createBench(changed: Partial<NodeSettings> = {}): Promise<Bench> {
	const runners = await createRunners({ size: 3 });
	const leading = await runners.leader();
	const [follower] = runners.followers();
	if (follower === undefined) throw new Error("no follower");
	const parts = createParts(runners, leading, changed);
	const answers: Bench["answers"] = [];
	follower.onMessage = (message) => {
		if (message.type === "run-response") answers.push([message.requestId, message.result]);
	};
	let requestId = 0;
	await runners.clock.run(100);
	const envelope = { group: 1, from: follower.id, to: leading.id } as const;
	return {
		...runners,
		leading,
		follower,
		parts,
		answers,
		ask(fields) {
			requestId++;
			follower.send({
				...envelope,
				type: "run-request",
				requestId,
				streamId: requestId,
				inTransaction: false,
				foreignKeys: true,
				program: program(insert(`v${requestId}`)),
				interactive: false,
				snapshotIndex: null,
				idempotencyKey: null,
				acknowledgement: { mode: "quorum" },
				timeoutMs: 10_000,
				...fields,
			});
			return requestId;
		},
		close: (streamId) => follower.send({ ...envelope, type: "close-stream", streamId }),
		items: () => leading.file.content.items,
	};
}

const begin = { program: program("BEGIN", insert("open")), interactive: true };

test("requests of another node run here, in their order, and each is answered", async () => {
	const { ask, answers, clock, items } = await createBench();
	const ids = Array.from({ length: 5 }, () => ask({}));
	await clock.run(100);
	expect(items()).toEqual(["v1", "v2", "v3", "v4", "v5"]);
	expect(answers.map(([id, result]) => [id, result.ok])).toEqual(ids.map((id) => [id, true]));
});

test("who does not lead says so, and nothing happens", async () => {
	const { ask, answers, clock, leading, network, items } = await createBench();
	network.cut(leading.id, true);
	await clock.run(2_000);
	network.cut(leading.id, false);
	await clock.run(500);
	expect(leading.runner.state.role).not.toBe("leader");
	ask({});
	await clock.run(100);
	expect(answers[0]?.[1]).toMatchObject({
		ok: false,
		failure: { notLeader: true, outcome: "did-not-happen" },
	});
	expect(items()).toEqual([]);
});

test("what waited too long for the writer did not happen, and never does", async () => {
	const { ask, answers, clock, items } = await createBench();
	const owner = ask(begin);
	await clock.run(50);
	const late = ask({ timeoutMs: 200 });
	await clock.run(300);
	expect(answers.find(([id]) => id === late)?.[1]).toMatchObject({
		ok: false,
		failure: { code: "TIMEOUT", outcome: "did-not-happen" },
	});
	ask({ streamId: owner, program: program("COMMIT"), interactive: true, inTransaction: true });
	await clock.run(200);
	expect(items()).toEqual(["open"]);
});

test("of what has begun nobody says that it did not happen", async () => {
	const { ask, answers, clock, network, items } = await createBench();
	network.intercept = (sent) => (isOfType(sent, "append-response") ? null : sent.bytes);
	ask({ timeoutMs: 100 });
	await clock.run(200);
	expect(answers).toEqual([]);
	network.intercept = (sent) => sent.bytes;
	await clock.run(300);
	expect(answers.map(([, { ok }]) => ok)).toEqual([true]);
	expect(items()).toEqual(["v1"]);
});

test("a transaction ends when its client closes the stream", async () => {
	const { ask, close, clock, items } = await createBench();
	const stream = ask(begin);
	await clock.run(50);
	ask({});
	await clock.run(50);
	expect(items()).toEqual([]);
	close(stream);
	await clock.run(50);
	expect(items()).toEqual(["v2"]);
});

test("a transaction ends when its node is gone", async () => {
	const { ask, clock, network, follower, items, leading, parts } = await createBench();
	ask(begin);
	await clock.run(50);
	network.cut(follower.id, true);
	const deadlineAt = clock.now() + 1_000;
	void parts.routing.write({
		streamId: 1,
		program: program(insert("of another")),
		foreignKeys: true,
		interactive: false,
		transactionAt: null,
		snapshotIndex: null,
		idempotencyKey: null,
		acknowledgement: { mode: "quorum" },
		mayCommit: true,
		deadlineAt,
	});
	// Long before its idle limit.
	await clock.run(100);
	expect(items()).toEqual(["of another"]);
	expect(leading.failures).toEqual([]);
});

test("also when it is gone before it heard that the transaction is open", async () => {
	const { ask, clock, network, follower, items, leading } = await createBench();
	const { database } = leading;
	let goOn = (): void => {};
	const execute = database.execute.bind(database);
	// The statement takes long.
	database.execute = async (requests) => {
		await new Promise<void>((resolve) => {
			goOn = resolve;
		});
		database.execute = execute;
		return await execute(requests);
	};
	ask(begin);
	await clock.run(20);
	network.cut(follower.id, true);
	network.cut(follower.id, false);
	await clock.run(20);
	goOn();
	await clock.run(20);
	ask({});
	await clock.run(100);
	expect(items()).toEqual(["v2"]);
});

test("a request that still waits when its node goes leaves no transaction behind", async () => {
	const { ask, close, clock, network, follower, items } = await createBench();
	const owner = ask(begin);
	await clock.run(20);
	ask({ ...begin, program: program("BEGIN", insert("second")) });
	await clock.run(20);
	network.cut(follower.id, true);
	network.cut(follower.id, false);
	await clock.run(50);
	ask({});
	close(owner);
	await clock.run(100);
	expect(items()).toEqual(["v3"]);
});

test("close messages that are lost leave nothing behind but the last stream", async () => {
	const { ask, close, clock, network, follower, parts } = await createBench({ transactionIdleMs: 20 });
	network.intercept = (sent) => (isOfType(sent, "close-stream") ? null : sent.bytes);
	for (let number = 0; number < 20; number++) {
		close(ask(begin));
		await clock.run(100);
	}
	const closed: string[] = [];
	const closeStream = parts.stateMachine.closeStream.bind(parts.stateMachine);
	parts.stateMachine.closeStream = (stream) => {
		closed.push(stream);
		closeStream(stream);
	};
	network.cut(follower.id, true);
	await clock.run(50);
	expect(closed.length).toBeLessThanOrEqual(1);
});
