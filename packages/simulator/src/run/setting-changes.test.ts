import { expect, test } from "vitest";
import type { LogIndex } from "../../../skein/src/consensus/types.ts";
import type { SettingChange } from "../../../skein/src/database/setting-change.ts";
import { startSettingChanges } from "./setting-changes.ts";
import { createCalmWorld, fail } from "./testing/calm-world.ts";

const mode: SettingChange = { name: "acknowledgement", value: { mode: "async" } };
const format: SettingChange = { name: "format", value: "row" };

async function changesOf(change: SettingChange) {
	const { scheduler, chance, cluster, tell } = createCalmWorld({ seed: 1, size: 1 });
	const changes = startSettingChanges({
		cluster,
		scheduler,
		chance: chance.fork("changes"),
		tell,
		everyMs: 500,
		draw: () => change,
		onOutrage: fail,
	});
	for (const member of cluster.members) member.start();
	await scheduler.runUntil(5_000, () => cluster.look());
	changes.stop();
	expect(changes.answered.length).toBeGreaterThan(0);
	return changes;
}

test("a choice of the mode that was answered is in the log, that one and no other", async () => {
	const changes = await changesOf(mode);
	changes.check(() => mode);
	expect(() => changes.check(() => null)).toThrow(/^acknowledgement mode: .* told .* has no choice/u);
	const other: SettingChange = { name: "acknowledgement", value: { mode: "quorum" } };
	expect(() => changes.check(() => other)).toThrow(/^acknowledgement mode: .* has acknowledgement quorum/u);
	// Each is looked at, not only the first.
	const last: LogIndex = changes.answered.at(-1)?.index ?? 0;
	expect(() => changes.check((index) => (index === last ? null : mode))).toThrow(/^acknowledgement mode: /u);
});

test("so is one of the log format", async () => {
	const changes = await changesOf(format);
	changes.check(() => format);
	expect(() => changes.check(() => null)).toThrow(/^log format: .* has no choice/u);
	expect(() => changes.check(() => mode)).toThrow(/^log format: .* has acknowledgement async/u);
});
