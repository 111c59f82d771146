import { expect, test } from "vitest";
import type { Entry } from "../consensus/types.ts";
import type { TransactionNote } from "../database/transaction-note.ts";
import type { Log } from "../log/log.ts";
import { openLog } from "../log/segmented-log.ts";
import { silentLogger } from "../world/logger.ts";
import { createMemoryDisk, type MemoryDisk } from "../world/testing/memory-disk.ts";
import { splitPayload } from "./fragments.ts";
import {
	createLostTransactions,
	type LostTransaction,
	type LostTransactions,
	mayHoldIt,
} from "./lost-transactions.ts";
import { seeded } from "./testing/seeded.ts";

const note: TransactionNote = {
	client: "n1/7",
	idempotencyKey: "k",
	wallTimeMs: 1_000,
	acknowledgement: { mode: "semi-sync", followers: 2 },
};

interface Bench {
	readonly disk: MemoryDisk;
	readonly log: Log;
	lost: LostTransactions;
	readonly reopen: () => Promise<void>;
	readonly names: () => Promise<string[]>;
	readonly read: (name: string) => Promise<LostTransaction>;
	/** Errors that were logged. */
	readonly errors: Readonly<Record<string, unknown>>[];
}

/** A payload is a text; one that begins with "early" may have been answered early. */
async function createBench(maxReports = 100): Promise<Bench> {
	const errors: Readonly<Record<string, unknown>>[] = [];
	const disk = createMemoryDisk(seeded(1));
	const log = await openLog({
		disk,
		directory: "log",
		create: { clusterId: "c", nodeId: "n1", incarnation: "00".repeat(16) },
	});
	const open = (): Promise<LostTransactions> =>
		createLostTransactions({
			disk,
			log,
			logger: { ...silentLogger, error: (fields) => void errors.push(fields) },
			maxReports,
			notedIn(payload, isWhole) {
				const text = new TextDecoder().decode(payload);
				if (!text.startsWith("early")) return null;
				return { note, changes: [{ operation: "sql", sql: text }], isCut: !isWhole };
			},
		});
	const bench: Bench = {
		errors,
		disk,
		log,
		lost: await open(),
		async reopen() {
			bench.lost = await open();
		},
		names: async () => (await disk.list("lost")).sort(),
		async read(name) {
			const file = await disk.open(`lost/${name}`, { create: false });
			const bytes = await file.read(0, await file.size());
			await file.close();
			return JSON.parse(new TextDecoder().decode(bytes)) as LostTransaction;
		},
	};
	return bench;
}

let next = 1;

function entriesOf(term: number, fragmentBytes: number, ...texts: readonly string[]): Entry[] {
	return texts.flatMap((text) =>
		[...splitPayload(new TextEncoder().encode(text), fragmentBytes)].map(
			(piece): Entry => ({ ...piece, term, index: next++ }),
		),
	);
}

test("of the entries that go those are reported that may have been answered early, once and for good", async () => {
	next = 1;
	const bench = await createBench();
	const { log, disk } = bench;
	const barrier: Entry = { index: next++, term: 2, kind: "barrier", payload: new Uint8Array(0) };
	const entries = [barrier, ...entriesOf(2, 100, "early kept", "quorum", "early 1", "quorum 2", "early 3")];
	await log.append({ truncateFrom: null, entries });
	await bench.lost.report({ first: 3, last: 6, certain: true });
	expect(await bench.names()).toEqual(["2-4.json", "2-6.json"]);
	expect(bench.lost.count).toBe(2);
	expect(await bench.read("2-4.json")).toEqual({
		term: 2,
		index: 4,
		clusterId: "c",
		certain: true,
		client: "n1/7",
		idempotencyKey: "k",
		wallTimeMs: 1_000,
		acknowledgement: "semi-sync;k=2",
		changes: [{ operation: "sql", sql: "early 1" }],
		isCut: false,
	});
	// Synced, names too: a power loss right after takes nothing. And made again it is the same.
	disk.crash();
	expect(await bench.names()).toEqual(["2-4.json", "2-6.json"]);
	await bench.reopen();
	expect(bench.lost.count).toBe(2);
	await bench.lost.report({ first: 3, last: 6, certain: true });
	expect(bench.lost.count).toBe(2);
});

test("a transaction in pieces is one loss, also where its first pieces stay", async () => {
	next = 1;
	const bench = await createBench();
	await bench.log.append({
		truncateFrom: null,
		entries: entriesOf(2, 4, "early in pieces", "quorum in pieces"),
	});
	await bench.lost.report({ first: 3, last: 8, certain: false });
	expect(await bench.names()).toEqual(["2-4.json"]);
	expect(await bench.read("2-4.json")).toMatchObject({
		certain: false,
		changes: [{ sql: "early in pieces" }],
	});
});

test("what comes back into the log is not lost", async () => {
	next = 1;
	const bench = await createBench();
	const entries = entriesOf(2, 100, "early 1", "early 2");
	await bench.log.append({ truncateFrom: null, entries });
	await bench.lost.report({ first: 1, last: 2, certain: true });
	await bench.log.append({ truncateFrom: 1, entries: entries.slice(0, 1) });
	await bench.lost.appended(entries.slice(0, 1));
	expect(await bench.names()).toEqual(["2-2.json"]);
	await bench.lost.settle(({ index }) => index === 2);
	expect(await bench.names()).toEqual([]);
});

test("a full disk is told, and entries that cannot be read do not stop the cut", async () => {
	next = 1;
	const bench = await createBench();
	await bench.log.append({ truncateFrom: null, entries: entriesOf(2, 100, "early 1") });
	// It was to be appended behind it, and found no room.
	await bench.lost.report({ first: 1, last: 5, certain: true });
	expect(await bench.names()).toEqual(["2-1.json"]);
});

test("what may have come back inside a snapshot is not lost for certain, durably", async () => {
	next = 1;
	const bench = await createBench();
	const entries = entriesOf(2, 100, "early 1", "early 2", "early 3");
	await bench.log.append({ truncateFrom: null, entries });
	await bench.lost.report({ first: 1, last: 3, certain: true });
	await bench.reopen();
	await bench.lost.doubt(({ index }) => index === 2);
	bench.disk.crash();
	const certain = await Promise.all(
		(await bench.names()).map(async (name) => (await bench.read(name)).certain),
	);
	expect(certain).toEqual([true, false, true]);
	expect(await bench.read("2-2.json")).toMatchObject({ term: 2, index: 2, changes: [{ sql: "early 2" }] });
});

test("a withdrawal is durable: the entry may be compacted before the next start", async () => {
	next = 1;
	const bench = await createBench();
	const entries = entriesOf(2, 100, "early 1");
	await bench.log.append({ truncateFrom: null, entries });
	await bench.lost.report({ first: 1, last: 1, certain: true });
	await bench.lost.appended(entries);
	bench.disk.crash();
	expect(await bench.names()).toEqual([]);
});

test("a snapshot may hold what was cut, unless something here contradicts it", () => {
	const nothing = (): null => null;
	const holds = { term: 4, index: 9 };
	const comes = { holds, commitIndex: 3, termAt: nothing };
	expect(mayHoldIt({ term: 2, index: 4 }, comes)).toBe(true);
	expect(mayHoldIt({ term: 4, index: 8 }, comes)).toBe(true);
	// It is on its way to the log here.
	expect(mayHoldIt({ term: 2, index: 3 }, { ...comes, termAt: () => 2 })).toBe(true);
	// Known here what is committed there, before it came.
	expect(mayHoldIt({ term: 2, index: 3 }, comes)).toBe(false);
	// The snapshot's own last entry is named; what is behind it is not in it.
	expect(mayHoldIt({ term: 2, index: 9 }, comes)).toBe(false);
	expect(mayHoldIt({ term: 2, index: 10 }, comes)).toBe(false);
	// No log goes from term 5 back to term 4.
	expect(mayHoldIt({ term: 5, index: 4 }, comes)).toBe(false);
	// This member's log is the snapshot's, and has something else there.
	expect(mayHoldIt({ term: 2, index: 4 }, { ...comes, termAt: (index) => (index === 9 ? 4 : 3) })).toBe(
		false,
	);
});

test("what there is no room to report is told in the log, a line each", async () => {
	next = 1;
	const bench = await createBench(2);
	const texts = ["early 1", "early 2", "early 3", "early 4"];
	await bench.log.append({ truncateFrom: null, entries: entriesOf(2, 100, ...texts) });
	await bench.lost.report({ first: 1, last: 4, certain: true });
	expect(await bench.names()).toEqual(["2-1.json", "2-2.json"]);
	expect(bench.errors).toMatchObject([
		{ index: 3, client: "n1/7", idempotencyKey: "k", changes: 1 },
		{ index: 4, client: "n1/7", idempotencyKey: "k", changes: 1 },
	]);
	// What is reported already needs no room.
	await bench.lost.report({ first: 1, last: 2, certain: true });
	expect(bench.errors.length).toBe(2);
});

test("a report that was dismissed is counted no more", async () => {
	next = 1;
	const bench = await createBench();
	await bench.log.append({ truncateFrom: null, entries: entriesOf(2, 100, "early 1", "early 2") });
	await bench.lost.report({ first: 1, last: 2, certain: true });
	await bench.disk.remove("lost/2-1.json");
	await bench.lost.recount();
	expect(bench.lost.count).toBe(1);
	await bench.lost.settle(() => true);
	expect(bench.lost.count).toBe(0);
});
