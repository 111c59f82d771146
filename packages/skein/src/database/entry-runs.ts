/** Entries that are applied in one transaction of SQLite's: as SQL, as pages that are written beside it, or as pieces of one payload. */
import { formatOf, isInPages } from "./changes/payload.ts";
import type { AppliedEntry } from "./database.ts";
import type { LogFormat } from "./log-format.ts";
import { readSettingChange, type SettingChange } from "./setting-change.ts";

export interface EntryRun {
	readonly as: "sql" | "pages" | "pieces";
	readonly entries: AppliedEntry[];
}

/** `format`: as of before the first. */
export function runsOf(entries: readonly AppliedEntry[], format: LogFormat): EntryRun[] {
	const runs: EntryRun[] = [];
	let current = format;
	for (const entry of entries) {
		const setting = settingOf(entry);
		// Pieces whose end never came, since their leader died, change nothing (found by simulation, sqlite seed 52286057).
		if (entry.kind === "last-piece") current = "wal";
		else if (entry.kind === "command" && setting === null) current = formatOf(entry.payload);
		const isAsPages = setting === null && current === "wal";
		const as = isPiece(entry) ? "pieces" : isAsPages ? "pages" : "sql";
		const last = runs.at(-1);
		if (last?.as === as) last.entries.push(entry);
		else runs.push({ as, entries: [entry] });
		if (setting?.name === "format") current = setting.value;
	}
	return runs;
}

/** What SQL is to choose. Null: nothing, or pages hold the choice. */
function settingOf({ kind, payload }: AppliedEntry): SettingChange | null {
	return kind === "command" && !isInPages(payload) ? readSettingChange(payload) : null;
}

export function isPiece({ kind }: AppliedEntry): boolean {
	return kind === "first-piece" || kind === "later-piece" || kind === "last-piece";
}
