/** Mode sync, on whole nodes: what its answer promises, what a dead follower costs, and who knows that it is in-sync. */
import { expect, test } from "vitest";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { defaultNodeSettings } from "./settings.ts";
import {
	type Cluster,
	createCluster,
	insert,
	type Member,
	program,
	request,
	rowsOf,
	watch,
} from "./testing/cluster.ts";

const sync: Acknowledgement = { mode: "sync", strict: false };
const strict: Acknowledgement = { mode: "sync", strict: true };
const { syncLeaseMs } = defaultNodeSettings.consensus;

async function begin(
	seed: number,
): Promise<Cluster & { readonly leading: Member; readonly followers: Member[] }> {
	const cluster = await createCluster({ size: 3, seed });
	const leading = await cluster.leader();
	// Until everybody has a lease.
	await cluster.clock.run(500);
	return { ...cluster, leading, followers: cluster.members.filter((member) => member !== leading) };
}

function write(
	member: Member,
	value: string,
	acknowledgement: Acknowledgement,
	timeoutMs = 10_000,
	key: string | null = null,
) {
	const stream = member.node?.service.openStream();
	if (stream === undefined) throw new Error(`${member.id} does not run`);
	return watch(
		stream.run(program(insert(value)), { ...request, acknowledgement, timeoutMs, idempotencyKey: key }),
	);
}

/** What a local read finds at once, and whether the member says that it is in-sync. */
async function look(cluster: Cluster, member: Member): Promise<{ rows: string[]; inSync: boolean | null }> {
	const stream = member.node?.service.openStream();
	if (stream === undefined) throw new Error(`${member.id} does not run`);
	const read = watch(
		stream.run(program("SELECT v FROM ledger"), { ...request, consistency: { level: "eventual" } }),
	);
	for (let turn = 0; turn < 10 && !read.settled; turn++) await cluster.clock.run(0);
	if (read.value === null) throw new Error(`no answer: ${String(read.error)}`);
	return { rows: rowsOf(read.value), inSync: read.value.inSync };
}

async function untilSettled(
	cluster: Cluster,
	watched: { settled: boolean },
	limitMs: number,
): Promise<number> {
	let passedMs = 0;
	for (; !watched.settled && passedMs < limitMs; passedMs++) await cluster.clock.run(1);
	return passedMs;
}

async function ownWord(cluster: Cluster, member: Member): Promise<boolean | null | undefined> {
	const view = watch(member.node?.service.cluster() ?? Promise.reject(new Error("not running")));
	for (let turn = 0; turn < 1_000 && !view.settled; turn++) await cluster.clock.run(1);
	return view.value?.databases["default"]?.members[member.id]?.inSync;
}

test("after the answer a local read on any in-sync member sees the write, without the delay of applying", async () => {
	const cluster = await begin(11);
	for (const [number, member] of cluster.members.entries()) {
		const value = `v${number}`;
		const written = write(member, value, sync);
		const tookMs = await untilSettled(cluster, written, 1_000);
		expect(written.error).toBe(null);
		expect(tookMs).toBeLessThan(defaultNodeSettings.applyDelayMs);
		for (const other of cluster.members) {
			const seen = await look(cluster, other);
			expect([other.id, seen.inSync]).toEqual([other.id, true]);
			expect([other.id, seen.rows.at(-1)]).toEqual([other.id, value]);
		}
	}
});

test("a dead follower holds writes up for its lease, and knows that it is not in-sync any more", async () => {
	const cluster = await begin(12);
	const [gone] = cluster.followers;
	if (gone === undefined) throw new Error("no follower");
	cluster.network.cut(gone.id, true);
	const first = write(cluster.leading, "a", sync);
	const tookMs = await untilSettled(cluster, first, 5_000);
	expect(first.error).toBe(null);
	expect(tookMs).toBeGreaterThan(syncLeaseMs / 2);
	expect(tookMs).toBeLessThan(syncLeaseMs * 1.02 + 20);
	expect(await look(cluster, gone)).toEqual({ rows: [], inSync: false });
	expect(await ownWord(cluster, gone)).toBe(false);

	const second = write(cluster.leading, "b", sync);
	expect(await untilSettled(cluster, second, 1_000)).toBeLessThan(20);

	cluster.network.cut(gone.id, false);
	await cluster.clock.run(2_000);
	expect(await look(cluster, gone)).toEqual({ rows: ["a", "b"], inSync: true });
	expect(await ownWord(cluster, gone)).toBe(true);
});

test("strict blocks until the request's own limit and says who is missing; nothing else waits behind it", async () => {
	const cluster = await begin(13);
	const [gone, other] = cluster.followers;
	if (gone === undefined || other === undefined) throw new Error("no follower");
	cluster.network.cut(gone.id, true);
	await cluster.clock.run(2_000);
	const waits = [write(cluster.leading, "a", strict, 3_000), write(other, "b", strict, 3_000)];
	await cluster.clock.run(100);
	const behind = write(other, "c", sync);
	expect(await untilSettled(cluster, behind, 1_000)).toBeLessThan(50);
	await cluster.clock.run(3_200);
	for (const { error } of waits) {
		expect(error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
		expect(String(error)).toContain(`in mode sync;strict; not up to date: ${gone.id}`);
	}
	// It is there all the same.
	expect((await look(cluster, other)).rows).toEqual(["a", "b", "c"]);

	const met = write(cluster.leading, "d", strict);
	await cluster.clock.run(500);
	expect(met.settled).toBe(false);
	cluster.network.cut(gone.id, false);
	await cluster.clock.run(3_000);
	expect(met.error).toBe(null);
	expect(met.settled).toBe(true);
});

test("a new leader waits for leases of the one before it", async () => {
	const cluster = await begin(14);
	const [next, behind] = cluster.followers;
	if (next === undefined || behind === undefined) throw new Error("no followers");
	cluster.network.cut(behind.id, true);
	const handed = watch(
		cluster.leading.node?.service.transfer(next.id) ?? Promise.reject(new Error("no node")),
	);
	await untilSettled(cluster, handed, 500);
	expect(handed.value?.leader).toBe(next.id);
	expect(await look(cluster, behind)).toEqual({ rows: [], inSync: true });
	const written = write(next, "a", sync);
	const tookMs = await untilSettled(cluster, written, 5_000);
	expect(written.error).toBe(null);
	expect(tookMs).toBeGreaterThan(syncLeaseMs / 2);
	expect(await look(cluster, behind)).toEqual({ rows: [], inSync: false });
});

test("a single node is in-sync with itself", async () => {
	const cluster = await createCluster({ size: 1, seed: 15 });
	const leader = await cluster.leader();
	await cluster.clock.run(200);
	const written = write(leader, "a", strict);
	await untilSettled(cluster, written, 1_000);
	expect(written.error).toBe(null);
	expect(await look(cluster, leader)).toEqual({ rows: ["a"], inSync: true });
});

test("an answer that changed nothing waits as the write that it may tell of would", async () => {
	const cluster = await begin(16);
	const [gone] = cluster.followers;
	if (gone === undefined) throw new Error("no follower");
	cluster.network.cut(gone.id, true);
	const quick = write(cluster.leading, "a", { mode: "quorum" });
	expect(await untilSettled(cluster, quick, 1_000)).toBeLessThan(50);
	const stream = cluster.leading.node?.service.openStream();
	const unchanged = watch(
		stream?.run(program("UPDATE ledger SET v = v WHERE v = 'b'"), { ...request, acknowledgement: sync }) ??
			Promise.reject(new Error("it does not run")),
	);
	expect(await untilSettled(cluster, unchanged, 5_000)).toBeGreaterThan(syncLeaseMs / 2);
	expect(unchanged.error).toBe(null);
});

test("modes that cannot be met are bounded each by itself, let go with their clients, and in nobody's way", async () => {
	const settings = { consensus: { ...defaultNodeSettings.consensus, maxUnacknowledged: 2 } };
	const cluster = await createCluster({ size: 3, seed: 17, settings });
	const leading = await cluster.leader();
	await cluster.clock.run(500);
	const gone = cluster.members.find((member) => member !== leading);
	cluster.network.cut(gone?.id ?? "", true);
	await cluster.clock.run(2_000);
	const both: Acknowledgement = { mode: "semi-sync", followers: 2 };
	const codes: (string | null)[] = [];
	async function end(value: string, acknowledgement: Acknowledgement): Promise<void> {
		const written = write(leading, value, acknowledgement, 3_000);
		await untilSettled(cluster, written, 100);
		const code = (written.error as { code?: string } | null)?.code ?? "done";
		codes.push(written.settled ? code : null);
	}
	for (const mode of [strict, both]) for (const value of ["a", "b", "c"]) await end(value, mode);
	expect(codes.splice(0)).toEqual([null, null, "OVERLOADED", null, null, "OVERLOADED"]);
	await end("d", sync);
	await end("e", { mode: "semi-sync", followers: 1 });
	expect(codes.splice(0)).toEqual(["done", "done"]);
	const waiting = () => [strict, both, sync].map((mode) => leading.node?.core.unacknowledgedBy(mode));
	expect(waiting()).toEqual([2, 2, 0]);
	await cluster.clock.run(3_000);
	expect(waiting()).toEqual([0, 0, 0]);
	await end("f", strict);
	expect(codes).toEqual([null]);
});
