/** A witness's file: what it says after a start is what was durable, and it is the mark of what the machine is. */
import { expect, test } from "vitest";
import { initialConfiguration } from "../consensus/configuration.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import type { AppliedEntry } from "./database.ts";
import { createWitnessSnapshot, isWitnessDirectory, openWitnessDatabase } from "./witness-database.ts";

const members = ["n1", "n2"].map((id) => ({ id, peer: `${id}:1` }));
const configuration = initialConfiguration([...members, { id: "w1", peer: "w1:1", witness: true }]);

const barrier = (index: number): AppliedEntry => ({
	position: { term: 2, index },
	kind: "barrier",
	payload: new Uint8Array(),
	configuration: null,
});

test("a checkpoint makes durable what was applied, and nothing else does", async () => {
	const disk = createMemoryDisk(() => 0.5);
	expect(await isWitnessDirectory(disk)).toBe(false);
	const database = await openWitnessDatabase(disk);
	expect(await isWitnessDirectory(disk)).toBe(true);
	expect(database.opened).toEqual({
		applied: { index: 0, term: 0 },
		configuration: null,
		acknowledgement: null,
	});
	await database.apply([{ ...barrier(5), kind: "configuration", configuration }, barrier(6)]);
	expect((await openWitnessDatabase(disk)).opened.applied.index).toBe(0);
	expect(await database.checkpoint()).toBe(6);
	const value = { applied: { index: 6, term: 2 }, configuration: { index: 5, value: configuration } };
	expect((await openWitnessDatabase(disk)).opened).toEqual({ ...value, acknowledgement: null });
	await database.apply([barrier(7)]);
	expect(await database.applied()).toEqual({ index: 7, term: 2 });
	expect((await openWitnessDatabase(disk)).opened).toEqual({ ...value, acknowledgement: null });
});

test("what the leader sends in the place of a snapshot is taken whole, or not at all", async () => {
	const disk = createMemoryDisk(() => 0.5);
	const database = await openWitnessDatabase(disk);
	const held = { applied: { index: 90, term: 4 }, configuration: { index: 80, value: configuration } };
	const snapshot = await createWitnessSnapshot(disk, held);
	const file = await disk.open(snapshot.path, { create: false });
	expect(await file.size()).toBe(snapshot.sizeBytes);
	const bytes = await file.read(20, 1);
	await file.write(20, [Uint8Array.of((bytes[0] ?? 0) ^ 1)]);
	await expect(database.installSnapshot(snapshot.path, snapshot.sha256)).rejects.toThrow("damaged");
	expect(await database.applied()).toEqual({ index: 0, term: 0 });
	await file.write(20, [bytes]);
	expect(await database.installSnapshot(snapshot.path, snapshot.sha256)).toEqual({
		...held,
		acknowledgement: null,
	});
	// Durably: the log is reset to it next.
	expect((await openWitnessDatabase(disk)).opened).toEqual({ ...held, acknowledgement: null });
	await expect(database.read({ steps: [] }, { timeoutMs: 1 })).rejects.toMatchObject({ code: "WITNESS" });
});
