import { expect, test } from "vitest";
import { encodeConfiguration, initialConfiguration } from "../consensus/configuration.ts";
import { createCore } from "../consensus/core.ts";
import { defaultConsensusSettings } from "../consensus/settings.ts";
import type { Entry, EntryKind, LogIndex, Position, Term } from "../consensus/types.ts";
import type { Log } from "../log/log.ts";
import { openLog } from "../log/segmented-log.ts";
import { createMemoryDisk, type MemoryDisk } from "../world/testing/memory-disk.ts";
import { coreState, type RecoveredCore } from "./recovery.ts";
import { createDatabaseFile, openMemoryDatabase } from "./testing/memory-database.ts";
import { seeded } from "./testing/seeded.ts";

const bootstrap = initialConfiguration([{ id: "n1", peer: "n1:1" }]);
const later = initialConfiguration([
	{ id: "n1", peer: "n1:1" },
	{ id: "n2", peer: "n2:1" },
]);

function entry(index: LogIndex, term: Term, kind: EntryKind = "command"): Entry {
	const payload = kind === "configuration" ? encodeConfiguration(later) : new Uint8Array([index]);
	return { index, term, kind, payload };
}

function open(disk: MemoryDisk): Promise<Log> {
	return openLog({
		disk,
		directory: "log",
		create: { clusterId: "c", nodeId: "n1", incarnation: "00".repeat(16) },
		bootstrap: [{ index: 1, term: 1, kind: "configuration", payload: encodeConfiguration(bootstrap) }],
		settings: { segmentBytes: 256 },
	});
}

/** A log of entries 2 … 20: terms 1, from 8 on 2; entry 12 is a configuration. */
async function createFilledLog(disk: MemoryDisk): Promise<Log> {
	const log = await open(disk);
	await log.writePromise({ term: 2, votedFor: "n1" });
	const entries: Entry[] = [];
	for (let index = 2; index <= 20; index++)
		entries.push(entry(index, index < 8 ? 1 : 2, index === 12 ? "configuration" : "command"));
	await log.append({ truncateFrom: null, entries });
	return log;
}

/** What a process that starts now makes of its disk, and of a database that holds `applied`. */
async function start(
	disk: MemoryDisk,
	applied: Position,
	configuration: { index: LogIndex; value: typeof bootstrap } | null = { index: 1, value: bootstrap },
): Promise<{ log: Log; recovered: RecoveredCore }> {
	const log = await open(disk);
	const file = createDatabaseFile();
	file.content = { applied, configuration, items: [] };
	const recovered = await coreState({ log, database: openMemoryDatabase(file, disk), bootstrap });
	// The core has its own idea of what fits together.
	createCore({
		...recovered,
		self: "n1",
		group: 1,
		settings: defaultConsensusSettings,
		seed: 1,
		now: 0,
	});
	return { log, recovered };
}

test("a new node begins with what its log was made with", async () => {
	const disk = createMemoryDisk(seeded(1));
	const { recovered } = await start(disk, { term: 0, index: 0 }, null);
	expect(recovered).toMatchObject({
		base: { term: 0, index: 0 },
		configuration: { index: 0, value: bootstrap },
		configurations: [{ index: 1, value: bootstrap }],
		commitIndex: 0,
	});
	expect(recovered.headers.map(({ index }) => index)).toEqual([1]);
});

test.each([1, 7, 8, 12, 20])("a database that holds up to %i goes on from the log", async (index) => {
	const disk = createMemoryDisk(seeded(1));
	await (await createFilledLog(disk)).close();
	const configuration = index < 12 ? { index: 1, value: bootstrap } : { index: 12, value: later };
	const { recovered } = await start(disk, { term: index < 8 ? 1 : 2, index }, configuration);
	expect(recovered.headers.length).toBe(20);
	expect(recovered).toMatchObject({
		promise: { term: 2, votedFor: "n1" },
		base: { term: 0, index: 0 },
		configuration,
		// What the database holds already is not found a second time in the log.
		configurations: index < 12 ? [{ index: 12, value: later }] : [],
		commitIndex: index,
	});
});

test.each([
	["further than the log", { term: 2, index: 30 }],
	["further, in a later term", { term: 5, index: 30 }],
	["of another history than the log", { term: 3, index: 15 }],
	["of another history, at the log's end", { term: 3, index: 20 }],
])("after a snapshot was installed the database is %s: it is right", async (_, applied) => {
	const disk = createMemoryDisk(seeded(1));
	await (await createFilledLog(disk)).close();
	const configuration = { index: 14, value: later };
	const { log, recovered } = await start(disk, applied, configuration);
	const expected = {
		base: applied,
		headers: [],
		configuration,
		configurations: [],
		commitIndex: applied.index,
	};
	expect(recovered).toMatchObject(expected);
	// The log goes on there, durably.
	await log.append({ truncateFrom: null, entries: [entry(applied.index + 1, applied.term)] });
	disk.crash();
	const { recovered: again } = await start(disk, applied, configuration);
	expect(again.base).toEqual(applied);
	expect(again.headers.map(({ index, term }) => [index, term])).toEqual([[applied.index + 1, applied.term]]);
});

test("wherever a crash interrupts that, the next start finishes it", async () => {
	const applied = { term: 3, index: 15 };
	let finished = false;
	for (let boundary = 0; !finished; boundary++) {
		const disk = createMemoryDisk(seeded(boundary + 1));
		await (await createFilledLog(disk)).close();
		disk.crash();
		const log = await open(disk);
		const file = createDatabaseFile();
		file.content = { applied, configuration: { index: 14, value: later }, items: [] };
		const database = openMemoryDatabase(file, disk);
		disk.faults.stopAt = disk.operations + boundary;
		finished = await coreState({ log, database, bootstrap }).then(
			() => true,
			() => false,
		);
		disk.crash();
		const { recovered } = await start(disk, applied, { index: 14, value: later });
		expect(recovered).toMatchObject({ base: applied, headers: [], commitIndex: 15 });
		expect(recovered.promise.term).toBe(2);
		if (!finished) expect(boundary).toBeLessThan(100);
		else expect(boundary).toBeGreaterThan(2);
	}
});

test("a database that is older than the log's beginning cannot go on, and says what to do", async () => {
	const disk = createMemoryDisk(seeded(1));
	const log = await createFilledLog(disk);
	// Whole segments go.
	const base = await log.compact(15);
	expect(base).toBeGreaterThan(3);
	await log.close();
	await expect(start(disk, { term: 1, index: base - 1 })).rejects.toThrow("replaced by an older one");
	const { recovered } = await start(disk, { term: base < 8 ? 1 : 2, index: base });
	expect(recovered.base.index).toBe(base);
	expect(recovered.headers.length).toBe(20 - base);
	// What a snapshot brought is right also where only the term at the very beginning of the log differs.
	const { recovered: other } = await start(disk, { term: 7, index: base });
	expect(other).toMatchObject({ base: { term: 7, index: base }, headers: [] });
});
