/** Entries that are applied in one transaction of SQLite's: as SQL, as pages that are written beside it, or as pieces of one payload. */
import { readFormatChange } from "./changes/format-change.ts";
import { formatOf } from "./changes/payload.ts";
import type { AppliedEntry } from "./database.ts";
import type { LogFormat } from "./log-format.ts";

export interface EntryRun {
	readonly as: "sql" | "pages" | "pieces";
	readonly entries: AppliedEntry[];
}

/** `format`: as of before the first. */
export function runsOf(entries: readonly AppliedEntry[], format: LogFormat): EntryRun[] {
	const runs: EntryRun[] = [];
	let current = format;
	for (const entry of entries) {
		const changed = entry.kind === "command" ? readFormatChange(entry.payload) : null;
		if (isPiece(entry)) current = "wal";
		else if (entry.kind === "command" && changed === null) current = formatOf(entry.payload);
		const isAsPages = changed === null && current === "wal";
		const as = isPiece(entry) ? "pieces" : isAsPages ? "pages" : "sql";
		const last = runs.at(-1);
		if (last?.as === as) last.entries.push(entry);
		else runs.push({ as, entries: [entry] });
		current = changed ?? current;
	}
	return runs;
}

export function isPiece({ kind }: AppliedEntry): boolean {
	return kind === "first-piece" || kind === "later-piece" || kind === "last-piece";
}
