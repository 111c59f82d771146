/**
 * What the entries that this member applied choose, for those outside of the database who go by it. A choice in pages comes before
 * them (changes/payload.ts), so it is in the first of their pieces, and counts with the last: pieces whose end
 * never comes choose nothing.
 */
import type { AppliedEntry } from "../database/database.ts";
import { readSettingChange, type SettingChange } from "../database/setting-change.ts";

export interface AppliedSettings {
	/** `entries`: the next that are applied, in their order. */
	read(entries: readonly AppliedEntry[]): SettingChange[];
}

export function createAppliedSettings(): AppliedSettings {
	/** Of the pieces that are under way. */
	let begun: SettingChange | null = null;

	function settingOf({ kind, payload }: AppliedEntry): SettingChange | null {
		switch (kind) {
			case "command":
				begun = null;
				return readSettingChange(payload);
			case "first-piece":
				begun = readSettingChange(payload);
				return null;
			case "last-piece": {
				const ended = begun;
				begun = null;
				return ended;
			}
			case "barrier":
				begun = null;
				return null;
			case "later-piece":
			case "configuration":
				return null;
		}
	}

	return { read: (entries) => entries.map(settingOf).filter((setting) => setting !== null) };
}
