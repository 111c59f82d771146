import { expect, test } from "vitest";
import { silentLogger } from "../world/logger.ts";
import { createMemoryDisk } from "../world/testing/memory-disk.ts";
import { createIncarnations } from "./incarnations.ts";
import { seeded } from "./testing/seeded.ts";

const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 20));

test("who comes back with another disk is refused, also by who has lost power since", async () => {
	const disk = createMemoryDisk(seeded(1));
	const first = await createIncarnations(disk, silentLogger);
	expect([first.accepts("b", "one"), first.accepts("b", "one"), first.accepts("b", "two")]).toEqual([
		true,
		true,
		false,
	]);
	await settle();
	disk.crash();
	const again = await createIncarnations(disk, silentLogger);
	expect([again.accepts("b", "two"), again.accepts("b", "one"), again.accepts("c", "two")]).toEqual([
		false,
		true,
		true,
	]);
});

test("what a full disk had no room for is saved with the next connection", async () => {
	const disk = createMemoryDisk(seeded(2));
	const first = await createIncarnations(disk, silentLogger);
	disk.faults.capacityBytes = 0;
	expect(first.accepts("b", "one")).toBe(true);
	await settle();
	disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
	expect(first.accepts("b", "one")).toBe(true);
	await settle();
	disk.crash();
	const again = await createIncarnations(disk, silentLogger);
	expect(again.accepts("b", "two")).toBe(false);
});
