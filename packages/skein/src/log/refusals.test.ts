/** What the log refuses, with which error, and that it is as it was then. */
import { expect, test } from "vitest";
import type { Entry, LogIndex } from "../consensus/types.ts";
import { isDiskFull } from "../world/disk.ts";
import type { MemoryDisk } from "../world/testing/memory-disk.ts";
import { LogFailedError, LogIdentityError } from "./errors.ts";
import type { Log } from "./log.ts";
import {
	append,
	entries,
	fileBytes,
	filledDisk,
	identity,
	openSmallLog,
	putFile,
	segmentPath,
} from "./testing/small-log.ts";
import { watchDisk } from "./testing/watched-disk.ts";

async function lastIndexOn(disk: MemoryDisk): Promise<LogIndex> {
	const log = await openSmallLog(disk);
	const { base, headers } = log.recovered;
	await log.close();
	return base.index + headers.length;
}

/** As long as it says only for who asks. */
function entryOf(sizeBytes: number, index: LogIndex): Entry {
	const payload = Object.defineProperty(new Uint8Array(), "length", { value: sizeBytes });
	return { index, term: 2, kind: "command", payload };
}

test.each<[string, LogIndex | null, Entry[], string]>([
	["an entry behind a gap", null, entries(8, 8), "entry 8 where 7 should be"],
	["an entry that is there already", null, entries(6, 6), "entry 6 where 7 should be"],
	["entries with a gap", null, [...entries(7, 8), ...entries(10, 10)], "entry 10 where 9 should be"],
	["entries that are not at the cut", 4, entries(5, 5), "entry 5 where 4 should be"],
	["a cut behind the end", 8, entries(8, 8), "cannot cut at 8: the log ends at 6"],
	["a cut behind the end, of nothing", 8, [], "cannot cut at 8: the log ends at 6"],
	["a payload of more than a gibibyte", null, [entryOf(2 ** 30 + 1, 7)], "entry 7 has 1073741825 bytes"],
	[
		"a gap behind one of a gibibyte",
		null,
		[entryOf(2 ** 30, 7), ...entries(9, 9)],
		"entry 9 where 8 should be",
	],
])("%s is refused, and the log goes on", async (_what, truncateFrom, some, message) => {
	const disk = await filledDisk(6);
	const log = await openSmallLog(disk);
	const refused = log.append({ truncateFrom, entries: some });
	await expect(refused).rejects.toThrow(RangeError);
	await expect(refused).rejects.toThrow(message);
	await log.append({ truncateFrom: 7, entries: entries(7, 7) });
	await append(log, []);
	await append(log, entries(8, 8));
	await log.close();
	expect(await lastIndexOn(disk)).toBe(8);
});

test.each([24, 12])(
	"a cut at %i, which may have been compacted away, ends the log and takes nothing",
	async (index) => {
		const disk = await filledDisk(35);
		const log = await openSmallLog(disk);
		expect(await log.compact(24)).toBe(24);
		const refused = log.append({ truncateFrom: index, entries: entries(index, index, 3) });
		await expect(refused).rejects.toMatchObject({
			name: "LogFailedError",
			cause: expect.objectContaining({ message: `cannot cut at ${index}, before the log` }),
		});
		await log.close();
		expect(await lastIndexOn(disk)).toBe(35);
	},
);

const calls: [string, (log: Log) => Promise<unknown>][] = [
	["append", (log) => append(log, entries(36, 36))],
	["cut", (log) => log.append({ truncateFrom: 3, entries: [] })],
	["writePromise", (log) => log.writePromise({ term: 9, votedFor: null })],
	["reset", (log) => log.reset({ index: 99, term: 2 })],
	["compact", (log) => log.compact(12)],
];

test.each(calls)("once closed the log refuses %s, and has no file open", async (_what, call) => {
	const disk = await filledDisk(35);
	const watched = watchDisk(disk);
	const log = await openSmallLog(watched);
	await log.close();
	await log.close();
	expect(watched.openPaths).toEqual([]);
	const refused = call(log);
	await expect(refused).rejects.toThrow(LogFailedError);
	await expect(refused).rejects.toThrow("the log is closed");
	expect(await lastIndexOn(disk)).toBe(35);
});

test.each(calls)(
	"a sync that fails under %s is told with its cause, and nothing is tried again",
	async (_what, call) => {
		const disk = await filledDisk(35);
		const log = await openSmallLog(disk);
		disk.faults.syncsLeft = 0;
		const cause = expect.objectContaining({ code: "EIO" });
		let operations = 0;
		const failed = call(log).catch((error: unknown) => {
			operations = disk.operations;
			throw error;
		});
		await expect(failed).rejects.toMatchObject({ name: "LogFailedError" });
		disk.faults.syncsLeft = Number.POSITIVE_INFINITY;
		const next = append(log, entries(36, 36));
		await expect(next).rejects.toMatchObject({ name: "LogFailedError", cause });
		expect(disk.operations).toBe(operations);
	},
);

test("after a write that fails nothing is tried again", async () => {
	const watched = watchDisk(await filledDisk(6));
	const log = await openSmallLog(watched);
	watched.before = ({ type }) => {
		if (type === "write") throw Object.assign(new Error("the device is gone"), { code: "EIO" });
	};
	watched.steps.length = 0;
	await expect(append(log, entries(7, 7))).rejects.toThrow(LogFailedError);
	expect(watched.steps.map(({ type }) => type)).toEqual(["write"]);
});

test("a reset for which a full disk has no room leaves the log as it is", async () => {
	const disk = await filledDisk(35);
	const watched = watchDisk(disk);
	const log = await openSmallLog(watched);
	const openBefore = watched.openPaths;
	disk.faults.capacityBytes = 0;
	await expect(log.reset({ index: 90, term: 3 })).rejects.toSatisfy(isDiskFull);
	expect(watched.openPaths).toEqual(openBefore);
	expect(await log.read(35, 35, 1)).toEqual(entries(35, 35));
	disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
	await append(log, entries(36, 36));
	expect(await lastIndexOn(disk)).toBe(36);
	await log.reset({ index: 90, term: 3 });
	await log.close();
	expect(await lastIndexOn(disk)).toBe(90);
});

test.each(["clusterId", "nodeId"])(
	"the data of another %s is refused, whoever does not ask gets it",
	async (part) => {
		const disk = await filledDisk(6);
		const watched = watchDisk(disk);
		const other = openSmallLog(watched, { create: { ...identity, [part]: "other" } });
		await expect(other).rejects.toThrow(LogIdentityError);
		expect(watched.openPaths).toEqual([]);
		const log = await openSmallLog(disk, { create: null });
		expect(log.recovered.identity).toEqual(identity);
		await log.close();
	},
);

test("a start that cannot write zeros ahead fails, but for want of room", async () => {
	const disk = await filledDisk(6);
	const file = await disk.open(segmentPath(1), { create: false });
	await file.truncate(64 + 6 * 80);
	const watched = watchDisk(disk);
	let code = "EIO";
	watched.before = ({ type, path, offset }) => {
		if (type === "write" && path === segmentPath(1) && offset === 64 + 6 * 80)
			throw Object.assign(new Error("no zeros"), { code });
	};
	await expect(openSmallLog(watched)).rejects.toThrow("no zeros");
	code = "ENOSPC";
	const log = await openSmallLog(watched);
	expect(log.recovered.headers.length).toBe(6);
	await log.close();
});

test("a reset that a crash interrupted is finished by the next start", async () => {
	const other = await filledDisk(3);
	const log = await openSmallLog(other);
	await log.reset({ index: 500, term: 4 });
	await log.close();
	const disk = await filledDisk(35);
	await putFile(disk, "log/reset", fileBytes(other, segmentPath(501)));
	const watched = watchDisk(disk);
	const again = await openSmallLog(watched);
	expect(again.recovered.base).toEqual({ index: 500, term: 4 });
	await again.close();
	expect(watched.openPaths).toEqual([]);
	expect([...disk.files().keys()].sort()).toEqual([segmentPath(501), "log/state"]);
});
