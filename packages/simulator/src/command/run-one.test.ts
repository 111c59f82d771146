import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { type Profile, registersProfile } from "../machine/store.ts";
import { runOne } from "./run-one.ts";
import { createSettle } from "./settle.ts";

test("what ends a run is told with its stack, though errors have none while it runs", async () => {
	const limits = new Set<number>();
	const broken: Profile = {
		...registersProfile(createSettle(), crc32),
		createReader: () => () => {
			limits.add(Error.stackTraceLimit);
			throw new TypeError("nobody expects this");
		},
	};
	const before = Error.stackTraceLimit;
	const { failure } = await runOne({ seed: 1, profile: "registers", seconds: 5 }, broken);
	expect(failure?.kind).toBe("crash");
	expect(failure?.what).toMatch(/nobody expects this\n\s+at .*run-one\.test\.ts/);
	expect([...limits]).toEqual([0, before]);
	expect(Error.stackTraceLimit).toBe(before);
});
