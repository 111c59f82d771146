/** What the simple electors wait for, to the millisecond. */
import { expect, test } from "vitest";
import { createSurroundings, voters } from "../testing/surroundings.ts";
import { createManualElector } from "./manual.ts";
import { createPatience } from "./patience.ts";

test("who slept listens for half a timeout more, once in a wait, and never for less than it would have", () => {
	const patience = createPatience(400);
	patience.wait(0, 500);
	patience.slept(100);
	expect(patience.until).toBe(500);
	patience.wait(1_000, 500);
	patience.slept(1_450);
	expect(patience.until).toBe(1_650);
	// One that sleeps again and again must stand at last.
	patience.slept(1_640);
	expect(patience.until).toBe(1_650);
	patience.wait(2_000, 500);
	patience.slept(2_450);
	expect(patience.until).toBe(2_650);
});

test("manual: a leader is forgotten after two timeouts, counted from the start as well", () => {
	const elector = createManualElector(createSurroundings("n1", voters("n1", "n2", "n3")).around, 1_000);
	expect([elector.dueAt(), elector.tick(1_799), elector.tick(1_800)]).toEqual([
		1_800,
		"wait",
		"forget-leader",
	]);
	elector.heardLeader(2_000);
	expect([elector.tick(2_799), elector.tick(2_800)]).toEqual(["wait", "forget-leader"]);
});
