import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { createLogFormats } from "../../../../skein/src/database/changes/formats.ts";
import { checkpointOn } from "../../../../skein/src/database/checkpoint.ts";
import { openReading } from "../../../../skein/src/database/connection.ts";
import { defaultDatabaseSettings } from "../../../../skein/src/database/settings.ts";
import { createWriter } from "../../../../skein/src/database/writer.ts";
import { createChance } from "../../engine/chance.ts";
import { simulate } from "../../run/simulate.ts";
import { createSettle } from "../settle.ts";
import { createSqliteFiles } from "./sqlite-files.ts";
import { removeSqliteFiles, sqliteProfile } from "./sqlite-profile.ts";

afterAll(removeSqliteFiles);

test("real SQLite: the same seed gives the same run, byte for byte", async () => {
	const hashes = new Set<string>();
	for (const seed of [1, 3]) {
		const one = await simulate(seed, sqliteProfile(createSettle()), { seconds: 2 });
		const again = await simulate(seed, sqliteProfile(createSettle()), { seconds: 2 });
		expect(one.failure).toBe(null);
		expect(again.hash).toBe(one.hash);
		expect(again.coverage).toEqual(one.coverage);
		hashes.add(one.hash);
	}
	expect(hashes.size).toBe(2);
});

/** Commits, the first of them checkpointed, a crash, and how many are still there. */
function commitsLeft(seed: number, kind: "kill" | "power", isHeldBack = false): number {
	const directory = mkdtempSync(join(tmpdir(), "sqlite-files-"));
	const files = createSqliteFiles(directory, createChance(seed));
	const open = () =>
		createWriter({
			path: files.path,
			formats: createLogFormats(),
			settings: defaultDatabaseSettings,
			now: () => 0,
		});
	const writer = open();
	files.hold(() => writer.close());
	files.checkpoint(() => checkpointOn(writer.connection()));
	const reader = openReading(files.path);
	files.hold(() => reader.close());
	if (isHeldBack) reader.exec("BEGIN; SELECT * FROM skein_state");
	for (let index = 1; index <= 20; index++) {
		writer.apply([
			{ position: { term: 1, index }, kind: "barrier", payload: new Uint8Array(0), configuration: null },
		]);
		if (index !== 5) continue;
		files.checkpoint(() => checkpointOn(writer.connection()));
	}
	const old = files.path;
	files.crash(kind);
	expect(existsSync(old)).toBe(false);
	const again = open();
	const { applied } = again.state;
	again.close();
	const check = new DatabaseSync(files.path).prepare("PRAGMA integrity_check").get();
	expect(check?.["integrity_check"]).toBe("ok");
	files.dispose();
	return applied.index;
}

test("a killed process loses no commit; a power loss any of the last, but none before a checkpoint", () => {
	expect(commitsLeft(1, "kill")).toBe(20);
	const left = new Set(Array.from({ length: 40 }, (_, seed) => commitsLeft(seed, "power")));
	expect(Math.min(...left)).toBe(5);
	expect(Math.max(...left)).toBeGreaterThan(15);
	expect(left.size).toBeGreaterThan(8);
});

test("a checkpoint that a reader holds back saves nothing from a power loss", () => {
	const left = Array.from({ length: 40 }, (_, seed) => commitsLeft(seed, "power", true));
	expect(Math.min(...left)).toBeLessThan(5);
});
