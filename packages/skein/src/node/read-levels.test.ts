// The levels session and bounded on the wiring of a node: what they wait for, and what they refuse.
import { expect, test } from "vitest";
import type { Position } from "../consensus/types.ts";
import type { Answer, Consistency, Service } from "./service.ts";
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

interface Bench extends Cluster {
	readonly leading: Member;
	readonly follower: Member;
	write(value: string): Promise<Position>;
	read(member: Member, consistency: Consistency, timeoutMs?: number): Watched<Answer>;
}

async function createBench(seed: number): Promise<Bench> {
	const cluster = await createCluster({ size: 3, seed, settings: { leaderWaitMs: 1_000 } });
	const leading = await cluster.leader();
	const follower = cluster.members.find((member) => member !== leading);
	if (follower === undefined) throw new Error("no follower");
	return {
		...cluster,
		leading,
		follower,
		async write(value) {
			const written = watch(
				serviceOf(leading)
					.openStream()
					.run(program(insert(value)), request),
			);
			await cluster.clock.run(200);
			if (written.value === null) throw new Error(`not written: ${String(written.error)}`);
			return written.value.position;
		},
		read(member, consistency, timeoutMs = 5_000) {
			const options = { consistency, idempotencyKey: null, acknowledgement: null, timeoutMs };
			return watch(serviceOf(member).openStream().run(program("SELECT v FROM ledger"), options));
		},
	};
}

function serviceOf({ id, node }: Member): Service {
	if (node === null) throw new Error(`${id} does not run`);
	return node.service;
}

const bounded = (maxStalenessMs: number): Consistency => ({ level: "bounded", maxStalenessMs });
const session = (token: Position | null): Consistency => ({ level: "session", token });
const rows = ({ value }: Watched<Answer>): string[] | null => value && rowsOf(value);

test("a session read waits until what its session saw is applied, or fails in time", async () => {
	const bench = await createBench(1);
	const { clock, follower, network } = bench;
	await bench.write("a");
	network.cut(follower.id, true);
	const token = await bench.write("b");
	const [any, impatient, patient] = [
		bench.read(follower, session(null)),
		bench.read(follower, session(token), 500),
		bench.read(follower, session(token), 10_000),
	];
	await clock.run(600);
	expect(rows(any)).toEqual(["a"]);
	expect(impatient.error).toMatchObject({ code: "TIMEOUT", outcome: "did-not-happen" });
	expect(patient.settled).toBe(false);
	network.cut(follower.id, false);
	await clock.run(3_000);
	expect(rows(patient)).toEqual(["a", "b"]);
	expect(patient.value?.position.index).toBeGreaterThanOrEqual(token.index);
});

test("requests of one stream are one session, without a token from the client", async () => {
	const bench = await createBench(2);
	const { clock, follower } = bench;
	const stream = serviceOf(follower).openStream();
	const options = { ...request, consistency: session(null) };
	const written = watch(stream.run(program(insert("a")), options));
	// The answer comes before the follower has applied it.
	while (!written.settled) await clock.run(0.5);
	expect(follower.file.content.items).toEqual([]);
	const read = watch(stream.run(program("SELECT v FROM ledger"), options));
	await clock.run(200);
	expect(rows(read)).toEqual(["a"]);
});

test.each<[string, (token: Position) => Position]>([
	["another entry is there", ({ term, index }) => ({ term: term + 1, index })],
	["nobody has that index", ({ term, index }) => ({ term, index: index + 5_000 })],
	["nobody has that index, in a later term", ({ term, index }) => ({ term: term + 9, index: index + 5_000 })],
])("a token of another history is refused: %s", async (_, change) => {
	const bench = await createBench(3);
	const { clock, follower, leading } = bench;
	const token = change(await bench.write("a"));
	const reads = [follower, leading].map((member) => bench.read(member, session(token)));
	await clock.run(400);
	for (const { error } of reads)
		expect(error).toMatchObject({ code: "BAD_REQUEST", extendedCode: "BAD_REQUEST_SESSION" });
});

test("a stream whose write was acknowledged early and lost is told so once; then its session begins anew", async () => {
	const bench = await createBench(12);
	const { clock, leading, network } = bench;
	await bench.write("kept");
	network.cut(leading.id, true);
	const stream = serviceOf(leading).openStream();
	const early = { ...request, acknowledgement: { mode: "async" } as const };
	const lost = watch(stream.run(program(insert("lost")), early));
	await clock.run(100);
	expect(lost.value?.position.index).toBeGreaterThan(0);
	await clock.run(5_000);
	const next = await bench.leader();
	const written = watch(
		serviceOf(next)
			.openStream()
			.run(program(insert("new")), request),
	);
	await clock.run(200);
	network.cut(leading.id, false);
	await clock.run(2_000);
	const read = (): Watched<Answer> =>
		watch(stream.run(program("SELECT v FROM ledger"), { ...request, consistency: session(null) }));
	const told = read();
	await clock.run(1_000);
	expect(told.error).toMatchObject({ code: "BAD_REQUEST", extendedCode: "BAD_REQUEST_SESSION" });
	const again = read();
	await clock.run(1_000);
	expect(rows(again)).toEqual(["kept", "new"]);
	expect(again.value?.position).toEqual(written.value?.position);
});

test("a token that nobody can judge is waited for", async () => {
	const bench = await createBench(4);
	const { clock, follower, network } = bench;
	const { term, index } = await bench.write("a");
	network.cut(follower.id, true);
	const read = bench.read(follower, session({ term, index: index + 5_000 }), 4_000);
	await clock.run(3_900);
	expect(read.settled).toBe(false);
	await clock.run(200);
	expect(read.error).toMatchObject({ code: "TIMEOUT" });
});

test("a bounded read is answered at once while the proof is young enough, and refused when there is none", async () => {
	const bench = await createBench(5);
	const { clock, follower, network } = bench;
	await bench.write("a");
	// Nothing was asked so far: heartbeats alone prove nothing.
	const first = bench.read(follower, bounded(60_000));
	await clock.run(0);
	expect(first.settled).toBe(false);
	await clock.run(100);
	expect(rows(first)).toEqual(["a"]);
	network.cut(follower.id, true);
	await bench.write("b");
	const young = bench.read(follower, bounded(1_000));
	await clock.run(0);
	expect(rows(young)).toEqual(["a"]);
	expect(young.value?.stalenessMs).toBeGreaterThanOrEqual(200);
	expect(young.value?.stalenessMs).toBeLessThanOrEqual(400);
	await clock.run(1_000);
	const old = bench.read(follower, bounded(1_000));
	await clock.run(1_100);
	expect(old.error).toMatchObject({ code: "TOO_STALE" });
	expect(String(old.error)).toMatch(/its state may be \d{4} ms old/);
	// What it may still answer says how old it is.
	const eventual = bench.read(follower, { level: "eventual" });
	await clock.run(0);
	expect(eventual.value?.stalenessMs).toBeGreaterThan(2_000);
	network.cut(follower.id, false);
	await clock.run(3_000);
	const again = bench.read(follower, bounded(10));
	await clock.run(200);
	expect(rows(again)).toEqual(["a", "b"]);
});

test("linearizable reads prove it too, and a process that was stopped asks anew", async () => {
	const bench = await createBench(6);
	const { clock, follower, network } = bench;
	await bench.write("a");
	bench.read(follower, { level: "linearizable" });
	await clock.run(100);
	let asked = 0;
	network.intercept = (sent) => {
		if (sent.from === follower.id && sent.lane === "control") asked++;
		return sent.bytes;
	};
	const young = bench.read(follower, bounded(500));
	await clock.run(0);
	expect(young.value?.stalenessMs).toBeLessThanOrEqual(150);
	clock.sleep(5_000);
	const late = bench.read(follower, bounded(500));
	await clock.run(0);
	expect(late.settled).toBe(false);
	await clock.run(2_000);
	expect(rows(late)).toEqual(["a"]);
	expect(asked).toBeGreaterThan(0);
});

test("the level of a read transaction is judged at its beginning, and its state is kept", async () => {
	const bench = await createBench(7);
	const { clock, follower, network } = bench;
	const token = await bench.write("a");
	const stream = serviceOf(follower).openStream();
	const options = { ...request, consistency: session(token) };
	const begun = watch(stream.run(program("BEGIN", "SELECT v FROM ledger"), options));
	await clock.run(100);
	expect(rows(begun)).toEqual(["a"]);
	const later = await bench.write("b");
	network.cut(follower.id, true);
	const inside = watch(
		stream.run(program("SELECT v FROM ledger"), { ...request, consistency: session(later) }),
	);
	await clock.run(0);
	expect(rows(inside)).toEqual(["a"]);
	expect(inside.value?.position).toEqual(begun.value?.position);
});
