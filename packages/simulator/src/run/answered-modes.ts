/**
 * The mode that an answer names is the one that was asked for; and where none was, one that was in force for the
 * database while the write was under way, as far as its leader can have known. What each mode promises is judged
 * by the mode that was answered.
 */
import type { Acknowledgement } from "../../../skein/src/consensus/acknowledge/acknowledgement.ts";
import type { LogIndex, Term } from "../../../skein/src/consensus/types.ts";
import { acknowledgementText } from "../../../skein/src/database/acknowledgement-text.ts";
import { type SettingChange, settingText } from "../../../skein/src/database/setting-change.ts";
import type { AnsweredMode } from "../load/caller.ts";
import { BrokenProperty } from "../properties/property.ts";
import type { AnsweredChange } from "./setting-changes.ts";

export interface ChosenModes {
	/** What nodes are started with. */
	readonly first: Acknowledgement;
	/** In the order of their indexes. */
	readonly choices: ReadonlyMap<LogIndex, SettingChange>;
	readonly termAt: (index: LogIndex) => Term | null;
	readonly answered: readonly AnsweredChange[];
}

export function checkAnsweredModes(modes: readonly AnsweredMode[], chosen: ChosenModes): void {
	for (const one of modes) {
		const told = acknowledgementText(one.told);
		const allowed = one.asked === null ? inForce(one, chosen) : [acknowledgementText(one.asked)];
		if (allowed.includes(told)) continue;
		throw new BrokenProperty(
			"answered in the mode that was chosen",
			`the answer at ${one.position.index} says ${told}; ${one.asked === null ? "in force" : "asked for"}: ${allowed.join(", ")}`,
		);
	}
}

/**
 * A leader that serves has applied all choices of its term and of those before, so what an operator was told before the
 * write was sent is replaced by later choices only. One that was deposed and does not know it may go by older ones.
 */
function inForce({ position, sentAtMs }: AnsweredMode, chosen: ChosenModes): string[] {
	const known = chosen.answered
		.filter(({ change, atMs }) => change.name === "acknowledgement" && atMs < sentAtMs)
		.map(({ index }) => index)
		.filter((index) => (chosen.termAt(index) ?? Number.POSITIVE_INFINITY) <= position.term);
	const last = Math.max(0, ...known);
	const later = [...chosen.choices].filter(
		([index, { name }]) => name === "acknowledgement" && index >= last,
	);
	const texts = later.map(([, change]) => settingText(change));
	return last === 0 ? [acknowledgementText(chosen.first), ...texts] : texts;
}
