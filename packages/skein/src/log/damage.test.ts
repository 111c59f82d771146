/** What recovery refuses, byte for byte, and what the files look like. */
import { createHash } from "node:crypto";
import { crc32 as nativeCrc32 } from "node:zlib";
import { expect, test } from "vitest";
import type { Entry } from "../consensus/types.ts";
import { crc32 } from "../world/crc32.ts";
import type { MemoryDisk } from "../world/testing/memory-disk.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import { LogCorruptionError } from "./errors.ts";
import type { Log } from "./log.ts";
import { openLog } from "./segmented-log.ts";

const identity = { clusterId: "c", nodeId: "n1", incarnation: "i" };
const firstSegment = "log/0000000000000001.segment";

function entry(index: number, size = 40): Entry {
	return { index, term: 2, kind: "command", payload: new Uint8Array(size).fill(index) };
}

function open(disk: MemoryDisk): Promise<Log> {
	const settings = { segmentBytes: 1024, cacheBytes: 100 };
	return openLog({ disk, directory: "log", create: identity, settings });
}

/** Entries 1 … count, each synced on its own: 12 of them (80 bytes each) fit into a segment. */
async function filled(count: number): Promise<MemoryDisk> {
	const disk = createMemoryDisk(() => 0);
	const log = await open(disk);
	for (let index = 1; index <= count; index++) {
		await log.append({ truncateFrom: null, entries: [entry(index)] });
	}
	await log.close();
	return disk;
}

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("hex");

test("the bytes of a segment and of the state file are what DESIGN.md says", async () => {
	const disk = await filled(1);
	const files = disk.files();
	const segment = files.get(firstSegment);
	expect(hex(segment?.subarray(0, 64))).toMatchInlineSnapshot(
		`"534b45494e4c4f4701000000dae34e3a010000000000000000000000000000007caa582500000000000000000000000000000000000000000000000000000000"`,
	);
	expect(hex(segment?.subarray(64, 144))).toMatchInlineSnapshot(
		`"53286ae228000000010000000000000002000000000000000000000000000000dae34e3a03534b5201010101010101010101010101010101010101010101010101010101010101010101010101010101"`,
	);
	expect(segment?.length).toBe(1024);
	const state = files.get("log/state");
	expect(hex(state?.subarray(0, 64))).toMatchInlineSnapshot(
		`"534b5354b048931f01000000000000000300000000000000010000000000000001006302006e31010069ffff0000000000000000000000000000000000000000"`,
	);
	expect(state?.length).toBe(8192);
});

test("damage to any byte of an entry that was durable before a later one is refused", async () => {
	const disk = await filled(6);
	// Entries 1 to 5; the sixth is the last and looks like a torn write.
	for (let offset = 0; offset < 64 + 5 * 80; offset++) {
		disk.flip(firstSegment, offset, 0x10);
		await expect(open(disk), `byte ${offset}`).rejects.toThrow(LogCorruptionError);
		disk.flip(firstSegment, offset, 0x10);
	}
	const log = await open(disk);
	expect(log.recovered.headers.length).toBe(6);
	await log.close();
});

test("the error names the file and the byte", async () => {
	const disk = await filled(6);
	disk.flip(firstSegment, 64 + 80 + 50, 1);
	await expect(open(disk)).rejects.toMatchObject({ file: firstSegment, offset: 64 + 80 });
});

test("the last entry alone is cut when it is bad: that is what a torn write looks like", async () => {
	const disk = await filled(6);
	disk.flip(firstSegment, 64 + 5 * 80 + 50, 1);
	const log = await open(disk);
	expect(log.recovered.headers.length).toBe(5);
	expect(log.recovered.tornBytes).toBeGreaterThan(0);
	await log.close();
});

test("a bad last record of a segment that is not the last, and a segment that is missing, are damage", async () => {
	const disk = await filled(35);
	const names = [...disk.files().keys()].filter((path) => path.endsWith(".segment")).sort();
	expect(names.length).toBe(3);
	disk.flip(firstSegment, 64 + 11 * 80 + 50, 1);
	await expect(open(disk)).rejects.toMatchObject({ name: "LogCorruptionError", file: firstSegment });
	disk.flip(firstSegment, 64 + 11 * 80 + 50, 1);
	await disk.rename(names[1] ?? "", "elsewhere");
	await expect(open(disk)).rejects.toMatchObject({ name: "LogCorruptionError" });
	await disk.rename("elsewhere", names[1] ?? "");
	await (await open(disk)).close();
	for (const name of names) await disk.remove(name);
	await expect(open(disk)).rejects.toThrow("there is no segment");
});

test("term and vote survive damage to one slot, and two bad slots are refused", async () => {
	const disk = await filled(1);
	const log = await open(disk);
	await log.writePromise({ term: 7, votedFor: "n2" });
	await log.close();
	for (const slot of [0, 1]) {
		disk.flip("log/state", slot * 4096 + 25, 1);
		const again = await open(disk);
		expect(again.recovered.promise).toEqual({ term: 7, votedFor: "n2" });
		await again.close();
	}
	disk.flip("log/state", 25, 1);
	disk.flip("log/state", 4096 + 25, 1);
	await expect(open(disk)).rejects.toThrow(LogCorruptionError);
	await disk.remove("log/state");
	await expect(open(disk)).rejects.toThrow();
});

test("reading an entry that has rotted since is an error, not wrong bytes", async () => {
	const disk = await filled(6);
	const log = await open(disk);
	disk.flip(firstSegment, 64 + 80 + 50, 1);
	await expect(log.read(1, 6, 1e6)).rejects.toThrow(LogCorruptionError);
	await log.close();
});

test("the checksum by table is the platform's", () => {
	const bytes = new Uint8Array(createHash("sha512").update("x").digest());
	expect(crc32(bytes)).toBe(nativeCrc32(bytes));
	expect(crc32(bytes, 12345)).toBe(nativeCrc32(bytes, 12345));
	expect(crc32(bytes.subarray(7), crc32(bytes.subarray(0, 7)))).toBe(nativeCrc32(bytes));
});

test.each([
	["the record before", 5, 64 + 3 * 80 + 8],
	["the term of the record before", 5, 64 + 3 * 80 + 16],
	["the checksum of the record before", 5, 64 + 3 * 80],
	["the payload of the record before", 5, 64 + 3 * 80 + 50],
	["the header", 1, 16],
	["the term in the header", 1, 24],
	["the checksum of the header", 1, 12],
])("a cut behind %s that another write has gone over is damage", async (_what, truncateFrom, offset) => {
	const disk = await filled(6);
	const log = await open(disk);
	disk.flip(firstSegment, offset, 0x10);
	const cut = log.append({ truncateFrom, entries: [entry(truncateFrom)] });
	await expect(cut).rejects.toMatchObject({ cause: expect.any(LogCorruptionError) });
	await log.close();
});
