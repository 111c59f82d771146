import { expect, test } from "vitest";
import type { ProgramOutcome } from "../database/program.ts";
import type { FailureReport, RunRequest, RunResponse } from "../peer/message.ts";
import { notLeaderReport } from "./forwarding.ts";
import type { RoutedAnswer, RoutedWrite } from "./routing.ts";
import { insert, program, type Watched, watch } from "./testing/cluster.ts";
import { answerRequests, createParts, isOfType, type Parts } from "./testing/parts.ts";
import { createRunners, type RunnerMember, type Runners } from "./testing/runners.ts";

const outcome: ProgramOutcome = { results: [], errors: [], autocommit: true, foreignKeys: true };
const done: RunResponse["result"] = {
	ok: true,
	outcome,
	position: { term: 2, index: 7 },
	replayed: false,
	acknowledgement: { mode: "quorum" },
};

function failed(code: string, what: FailureReport["outcome"]): RunResponse["result"] {
	return { ok: false, failure: { code, message: "", outcome: what, extendedCode: null, notLeader: false } };
}

interface Bench extends Runners {
	readonly parts: Parts;
	readonly leading: RunnerMember;
	/** What was passed to a leader, oldest first. */
	readonly requests: (RunRequest & { readonly at: string })[];
	/** What the leader says to the first request, once: to later ones it says `done`. */
	first: (request: RunRequest) => RunResponse["result"] | null;
	readonly write: (fields?: Partial<RoutedWrite>) => Watched<RoutedAnswer>;
}

/** The routing of a follower among real cores; whoever leads answers as the test says. */
async function createBench(): Promise<Bench> {
	const runners = await createRunners({ size: 3 });
	const leading = await runners.leader();
	const [here] = runners.followers();
	if (here === undefined) throw new Error("no follower");
	const parts = createParts(runners, here, { leaderWaitMs: 3_000 });
	const requests: Bench["requests"] = [];
	const bench: Bench = {
		...runners,
		parts,
		leading,
		requests,
		first: () => done,
		write: (fields = {}) => watch(parts.routing.write(routed(runners, fields))),
	};
	answerRequests(
		runners.members.filter((member) => member !== here),
		(request) => {
			requests.push({ ...request, at: request.to });
			return requests.length === 1 ? bench.first(request) : done;
		},
	);
	return bench;
}

function routed(runners: Runners, fields: Partial<RoutedWrite>): RoutedWrite {
	return {
		streamId: 1,
		program: program(insert("a")),
		foreignKeys: true,
		interactive: false,
		transactionAt: null,
		snapshotIndex: null,
		idempotencyKey: null,
		acknowledgement: { mode: "quorum" },
		mayCommit: true,
		deadlineAt: runners.clock.now() + 6_000,
		...fields,
	};
}

/** How the way there can end. What is not an answer is a thing that happens to the request. */
const ends: Record<string, "full" | "broken" | Bench["first"]> = {
	done: () => done,
	constraint: () => failed("SQLITE_CONSTRAINT", "did-not-happen"),
	overloaded: () => failed("OVERLOADED", "did-not-happen"),
	"transaction ended": () => failed("LEADERSHIP_LOST", "did-not-happen"),
	"late, in doubt": () => failed("TIMEOUT", "unknown"),
	"deposed, in doubt": () => failed("LEADERSHIP_LOST", "unknown"),
	"not leader": () => ({ ok: false, failure: notLeaderReport }),
	"not sent": "full",
	lost: "broken",
	silence: () => null,
};

const kinds = {
	"a write": {},
	"a write with a key": { idempotencyKey: "k" },
	/** Such as BEGIN, or BEGIN and an INSERT. */
	"a beginning": { mayCommit: false, interactive: true },
	"a part of a transaction": { mayCommit: false, interactive: true, inTransaction: true },
	"the end of a transaction": { interactive: true, inTransaction: true },
	/** No stream asks for this; it must not become "nothing happened" by being sent again. */
	"the end of a transaction with a key": { interactive: true, inTransaction: true, idempotencyKey: "k" },
} as const;

type Kind = keyof typeof kinds;
type Told = "done" | "again" | `${string}: ${FailureReport["outcome"]}`;

/** What the client is told, by what it sent and how that ended. */
const table: Record<string, Told | Record<Kind, Told>> = {
	done: "done",
	constraint: "SQLITE_CONSTRAINT: did-not-happen",
	overloaded: "OVERLOADED: did-not-happen",
	"transaction ended": "LEADERSHIP_LOST: did-not-happen",
	"late, in doubt": "TIMEOUT: unknown",
	"not leader": "again",
	"not sent": "again",
	"deposed, in doubt": {
		"a write": "LEADERSHIP_LOST: unknown",
		"a write with a key": "again",
		"a beginning": "LEADERSHIP_LOST: unknown",
		"a part of a transaction": "LEADERSHIP_LOST: unknown",
		"the end of a transaction": "LEADERSHIP_LOST: unknown",
		"the end of a transaction with a key": "LEADERSHIP_LOST: unknown",
	},
	lost: {
		"a write": "LEADERSHIP_LOST: unknown",
		"a write with a key": "again",
		"a beginning": "LEADERSHIP_LOST: did-not-happen",
		"a part of a transaction": "LEADERSHIP_LOST: did-not-happen",
		"the end of a transaction": "LEADERSHIP_LOST: unknown",
		"the end of a transaction with a key": "LEADERSHIP_LOST: unknown",
	},
	silence: {
		"a write": "TIMEOUT: unknown",
		"a write with a key": "TIMEOUT: unknown",
		"a beginning": "TIMEOUT: did-not-happen",
		"a part of a transaction": "TIMEOUT: did-not-happen",
		"the end of a transaction": "TIMEOUT: unknown",
		"the end of a transaction with a key": "TIMEOUT: unknown",
	},
};

const cases = Object.entries(table).flatMap(([end, told]) =>
	Object.keys(kinds).map((kind) => [end, kind, typeof told === "string" ? told : told[kind as Kind]]),
) as [string, Kind, Told][];

test.each(cases)("%s, of %s: %s", async (end, kind, expected) => {
	const bench = await createBench();
	const { network, clock, leading, parts, requests } = bench;
	const ending = ends[end];
	let refusals = 0;
	if (ending === "full") {
		network.isFull = (sent) => {
			if (!isOfType(sent, "run-request") || refusals > 0) return false;
			refusals++;
			return true;
		};
	} else if (ending === "broken") {
		bench.first = () => {
			network.cut(leading.id, true);
			network.cut(leading.id, false);
			return null;
		};
	} else if (ending !== undefined) bench.first = ending;
	const { inTransaction, ...fields } = { inTransaction: false, ...kinds[kind] };
	const seen = bench.write({ ...fields, transactionAt: inTransaction ? leading.id : null });
	await clock.run(8_000);
	const tries = requests.length + refusals;
	expect(seen.settled).toBe(true);
	if (seen.value === null) {
		const { code, outcome: what } = seen.error as { code: string; outcome: string };
		expect(`${code}: ${what}`).toBe(expected);
		expect(tries).toBe(1);
		if (end === "lost" && kind === "a part of a transaction")
			expect(String(seen.error)).toContain("rolled back");
	} else {
		expect(seen.value).toEqual({
			outcome,
			position: { term: 2, index: 7 },
			replayed: false,
			acknowledgement: { mode: "quorum" },
			node: leading.id,
		});
		expect(tries).toBe(expected === "again" ? 2 : 1);
	}
	// Whatever is sent again is the same request.
	for (const request of requests) {
		expect(request).toMatchObject({
			inTransaction,
			idempotencyKey: ("idempotencyKey" in fields ? fields.idempotencyKey : null) ?? null,
			streamId: 1,
			interactive: "interactive" in fields,
		});
	}
	expect(parts.forwarding.pending).toBe(0);
});

test("no room on the way to the leader is waited for, within the limit, and told for what it is", async () => {
	const { network, clock, write, requests } = await createBench();
	network.isFull = (sent) => sent.lane === "log";
	const [waits, gives] = [
		write({ deadlineAt: clock.now() + 6_000 }),
		write({ deadlineAt: clock.now() + 300 }),
	];
	await clock.run(1_000);
	expect([waits.settled, gives.settled]).toEqual([false, true]);
	expect(gives.error).toMatchObject({ code: "OVERLOADED", outcome: "did-not-happen" });
	network.isFull = () => false;
	await clock.run(200);
	expect(waits.value).toMatchObject({ position: { index: 7 } });
	expect(requests.length).toBe(1);
});

test("with a key a write survives its leader: the next one gets it", async () => {
	const bench = await createBench();
	const { network, clock, leading, requests } = bench;
	bench.first = () => {
		network.cut(leading.id, true);
		return null;
	};
	const seen = bench.write({ idempotencyKey: "k" });
	await clock.run(5_000);
	expect(seen.error).toBe(null);
	expect(seen.value?.node).not.toBe(leading.id);
	expect(requests.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["k", "k"]);
	// What is left of the deadline goes along, not what there was at the beginning.
	const [first, second] = requests;
	expect(first?.timeoutMs).toBe(6_000);
	expect(second?.timeoutMs).toBeLessThan(5_900);
});

test("what was lost once stays in doubt, however the later tries end", async () => {
	const bench = await createBench();
	const { network, clock, members } = bench;
	bench.first = () => {
		for (const member of members) network.cut(member.id, true);
		return null;
	};
	const seen = bench.write({ idempotencyKey: "k" });
	await clock.run(5_000);
	expect(seen.error).toMatchObject({ code: "NO_LEADER", outcome: "unknown" });
});

test("a transaction whose leader is gone is told so, and nothing of it is sent to the next", async () => {
	const bench = await createBench();
	const { network, clock, leading, requests } = bench;
	network.cut(leading.id, true);
	const seen = bench.write({ transactionAt: leading.id, mayCommit: false });
	await clock.run(4_000);
	expect(seen.error).toMatchObject({ code: "LEADERSHIP_LOST", outcome: "did-not-happen" });
	expect(requests).toEqual([]);
});

test("without a leader a write waits for one, and not for ever", async () => {
	const bench = await createBench();
	const { network, clock, leading, requests, parts } = bench;
	const { id } = parts.member;
	network.cut(id, true);
	await clock.run(2_000);
	const waits = bench.write();
	await clock.run(1_000);
	expect(waits.settled).toBe(false);
	network.cut(id, false);
	await clock.run(1_000);
	expect([waits.error, requests.length]).toEqual([null, 1]);

	for (const member of bench.members) network.cut(member.id, true);
	await clock.run(2_000);
	const startedAt = clock.now();
	const gaveUp = bench.write();
	const short = bench.write({ deadlineAt: startedAt + 500 });
	await clock.run(600);
	expect(short.error).toMatchObject({ code: "NO_LEADER", outcome: "did-not-happen" });
	await clock.run(2_000);
	expect(gaveUp.settled).toBe(false);
	await clock.run(500);
	expect(gaveUp.error).toMatchObject({ code: "NO_LEADER", outcome: "did-not-happen" });
	expect(leading.failures).toEqual([]);
});

test("a node that stops tells those who wait for a leader at once", async () => {
	const bench = await createBench();
	const { network, clock, parts } = bench;
	network.cut(parts.member.id, true);
	await clock.run(2_000);
	const waits = bench.write();
	await clock.run(100);
	parts.routing.stop();
	await clock.run(0);
	expect(waits.error).toMatchObject({ code: "NO_LEADER", outcome: "did-not-happen" });
});

/** Routing on the leader itself: its own queue, writer and log. */
async function createOwnBench(): Promise<Bench> {
	const bench = await createBench();
	const parts = createParts(bench, bench.leading, { leaderWaitMs: 3_000 });
	await bench.clock.run(100);
	return { ...bench, parts, write: (fields = {}) => watch(parts.routing.write(routed(bench, fields))) };
}

test("on the leader a write goes through its own log", async () => {
	const { write, clock, leading, requests } = await createOwnBench();
	const seen = write();
	await clock.run(100);
	expect(seen.value).toMatchObject({ node: leading.id, position: { term: 2, index: 3 } });
	expect(leading.file.content.items).toEqual(["a"]);
	expect(requests).toEqual([]);
});

test.each([
	[null, "LEADERSHIP_LOST"],
	["k", null],
])("a leader that is deposed with a write in flight, key %s: %s", async (idempotencyKey, code) => {
	const { write, clock, network, leading, requests } = await createOwnBench();
	network.cut(leading.id, true);
	const seen = write({ idempotencyKey });
	await clock.run(1_500);
	network.cut(leading.id, false);
	await clock.run(1_500);
	if (code !== null) expect(seen.error).toMatchObject({ code, outcome: "unknown" });
	else expect([seen.value?.node, seen.value?.node === leading.id]).toEqual([requests[0]?.at, false]);
	expect(requests.length).toBe(code === null ? 1 : 0);
});

test("what never reached the writer did not happen, what did is unknown", async () => {
	const { write, clock, network, leading } = await createOwnBench();
	const { file } = leading;
	// A transaction owns the writer.
	write({ program: program("BEGIN", insert("a")), interactive: true, mayCommit: false });
	await clock.run(50);
	const queued = write({ streamId: 2, program: program(insert("b")), deadlineAt: clock.now() + 200 });
	await clock.run(300);
	expect(queued.error).toMatchObject({ code: "TIMEOUT", outcome: "did-not-happen" });
	// It is not begun any more when the writer is free.
	write({ program: program("COMMIT"), interactive: true, transactionAt: leading.id });
	await clock.run(500);
	expect(file.content.items).toEqual(["a"]);

	network.cut(leading.id, true);
	const inFlight = write({ program: program(insert("c")), deadlineAt: clock.now() + 200 });
	await clock.run(300);
	expect(inFlight.error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
});

test("where the disk is full and nobody else leads, that is what clients hear", async () => {
	const { write, clock, leading } = await createFullBench();
	const seen = write();
	await clock.run(5_000);
	expect(seen.error).toMatchObject({ code: "DISK_FULL", outcome: "did-not-happen" });
	expect(leading.failures).toEqual([]);
});

async function createFullBench(): Promise<Bench> {
	const runners = await createRunners({ size: 1 });
	const leading = await runners.leader();
	const parts = createParts(runners, leading, { leaderWaitMs: 3_000 });
	await runners.clock.run(100);
	leading.disk.faults.capacityBytes = 0;
	// Larger than what the segment has in store.
	const write: Bench["write"] = (fields = {}) => watch(parts.routing.write(routed(runners, fields)));
	write({ program: program(insert("x".repeat(50_000))), deadlineAt: runners.clock.now() + 60_000 });
	await runners.clock.run(1_000);
	return { ...runners, parts, leading, requests: [], first: () => done, write };
}
