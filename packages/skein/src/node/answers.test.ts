import { expect, test } from "vitest";
import type { ProgramOutcome } from "../database/program.ts";
import { decodeMessage } from "../peer/codec/message.ts";
import type { RunResponse } from "../peer/message.ts";
import { createAnswers, type SendAnswer } from "./answers.ts";
import { createOutbox } from "./outbox.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./testing/memory-network.ts";
import { seeded } from "./testing/seeded.ts";
import { createVirtualClock, type VirtualClock } from "./testing/virtual-clock.ts";

interface Bench {
	readonly clock: VirtualClock;
	readonly network: MemoryNetwork;
	readonly answer: SendAnswer;
	readonly heard: RunResponse[];
}

async function createBench(): Promise<Bench> {
	const clock = createVirtualClock();
	const network = createMemoryNetwork(clock, seeded(1));
	const [own, other] = [network.connect("n1"), network.connect("n2")];
	const heard: RunResponse[] = [];
	const outbox = createOutbox({ network: own, clock, maxBytes: 15_000 });
	await own.start({
		onMessage() {},
		onReachable(node, reachable) {
			if (!reachable) outbox.onUnreachable(node);
		},
	});
	await other.start({
		onMessage: (_from, _lane, bytes) => void heard.push(decodeMessage(bytes) as RunResponse),
		onReachable() {},
	});
	const answer = createAnswers({ self: "n1", group: 1, network: own, outbox, maxMessageBytes: 20_000 });
	return { clock, network, answer, heard };
}

function resultOf(length: number, changed: Partial<ProgramOutcome> = {}): RunResponse["result"] {
	const result = { columns: [], rows: [["x".repeat(length)]], changes: 0, lastInsertRowid: null };
	const outcome = { results: [result], errors: [null], autocommit: true, foreignKeys: true, ...changed };
	return {
		ok: true,
		outcome,
		position: { term: 2, index: 9 },
		replayed: false,
		acknowledgement: { mode: "quorum" },
	};
}

function toldOf({ requestId, result }: RunResponse): unknown[] {
	return [requestId, result.ok ? "done" : result.failure.code, result.ok ? "" : result.failure.outcome];
}

const failure = { code: "SQLITE_CONSTRAINT", message: "", extendedCode: undefined };

test.each([
	[{}, "happened"],
	[{ autocommit: false }, "did-not-happen"],
	[{ errors: [failure] }, "unknown"],
])("an answer that no message holds becomes an error that says so: %o", async (changed, outcome) => {
	const { clock, answer, heard } = await createBench();
	answer("n2", 1, resultOf(30_000, changed));
	await clock.run(10);
	expect(heard.map(toldOf)).toEqual([[1, "PAYLOAD_TOO_LARGE", outcome]]);
});

test("answers wait for room on their way, in order and bounded", async () => {
	const { clock, network, answer, heard } = await createBench();
	network.isFull = () => true;
	for (const requestId of [1, 2]) answer("n2", requestId, resultOf(10_000));
	answer("n2", 3, resultOf(10));
	await clock.run(500);
	expect(heard).toEqual([]);
	network.isFull = () => false;
	await clock.run(50);
	expect(heard.map(toldOf)).toEqual([
		[1, "done", ""],
		[2, "OVERLOADED", "happened"],
		[3, "done", ""],
	]);
});

test("who is gone is answered nothing, and takes no room from others", async () => {
	const { clock, network, answer, heard } = await createBench();
	network.isFull = () => true;
	answer("n2", 1, resultOf(10_000));
	network.cut("n2", true);
	network.cut("n2", false);
	answer("n2", 2, resultOf(10_000));
	network.isFull = () => false;
	await clock.run(50);
	expect(heard.map(toldOf)).toEqual([[2, "done", ""]]);
});
