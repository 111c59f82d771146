/** Disk on real files: the parts of the contract that a system call does not give by itself. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createFileDisk, without } from "./file-disk.ts";

const root = mkdtempSync(join(tmpdir(), "skein-disk-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const disk = createFileDisk(root);

test("writes of any size and number of chunks read back whole", async () => {
	const file = await disk.open("file", { create: true });
	for (const [count, size] of [
		[1, 10],
		[3000, 7],
		[5, 300_000],
		[2000, 1000],
	] as const) {
		const chunks = Array.from({ length: count }, (_, place) => new Uint8Array(size).fill(place));
		await file.write(5, chunks);
		const bytes = await file.read(5, count * size);
		expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
	}
	await file.sync();
	await file.truncate(100);
	expect((await file.read(90, 50)).length).toBe(10);
	await file.truncate(120);
	expect(await file.read(100, 50)).toEqual(new Uint8Array(20));
	await file.close();
});

test("a short write goes on where it stopped", () => {
	const chunks = [Uint8Array.of(1, 2), Uint8Array.of(3), Uint8Array.of(4, 5, 6)];
	expect(without(chunks, 1)).toEqual([Uint8Array.of(2), Uint8Array.of(3), Uint8Array.of(4, 5, 6)]);
	expect(without(chunks, 2)).toEqual([Uint8Array.of(3), Uint8Array.of(4, 5, 6)]);
	expect(without(chunks, 4)).toEqual([Uint8Array.of(5, 6)]);
	expect(without(chunks, 6)).toEqual([]);
	expect(() => without(chunks, 0)).toThrow("wrote nothing");
});

test("names: absent directories are empty, absent files an error or nothing to remove", async () => {
	expect(await disk.list("none")).toEqual([]);
	await expect(disk.open("none/file", { create: false })).rejects.toMatchObject({ code: "ENOENT" });
	await disk.remove("none/file");
	await disk.makeDirectory("a/b");
	const file = await disk.open("a/b/one", { create: true });
	await file.close();
	await disk.rename("a/b/one", "a/b/two");
	await disk.syncDirectory("a/b");
	await disk.syncDirectory("");
	expect(await disk.list("a/b")).toEqual(["two"]);
});
