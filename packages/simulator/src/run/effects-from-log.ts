/**
 * What the cluster did, read from the logs of its members: an entry counts when the first member has
 * applied it.
 */
import type { Entry, LogIndex, NodeId, Position, Term } from "../../../skein/src/consensus/types.ts";
import type { SettingChange } from "../../../skein/src/database/setting-change.ts";
import { createFragmentJoiner } from "../../../skein/src/node/fragments.ts";
import type { Effect } from "../history/effects.ts";
import type { EntryContent } from "../machine/store.ts";
import type { Observation } from "../properties/observation.ts";
import { must } from "../properties/property.ts";

export interface EffectsFromLog {
	readonly effects: readonly Effect[];
	/** Of the entry that is committed at an index; null: none is, as far as anybody has applied. */
	committedTerm(index: LogIndex): Term | null;
	/** What the committed entry at an index chooses for the database; null: nothing. */
	chosenAt(index: LogIndex): SettingChange | null;
	/** Of all choices of one setting, in the order of their indexes. */
	readonly choices: ReadonlyMap<LogIndex, SettingChange>;
	observe(observation: Observation, termAt: (node: NodeId, index: LogIndex) => Term | null): void;
}

const name = "applied entries were appended";

export function createEffectsFromLog(read: (payload: Uint8Array) => EntryContent): EffectsFromLog {
	const effects: Effect[] = [];
	const choices = new Map<LogIndex, SettingChange>();
	const terms = new Map<LogIndex, Term>([[1, 1]]);
	/** Entries that nobody has applied yet, by index and term. */
	const entries = new Map<LogIndex, Map<Term, Entry>>();
	const joiner = createFragmentJoiner();
	let last: LogIndex = 1;
	/** What databases held when their members started, until the core can tell its terms. */
	const found = new Map<NodeId, Position>();

	function keep(entry: Entry): void {
		// Of a witness: another member has the payload.
		if (entry.index <= last || entry.kind === "metadata") return;
		const terms = entries.get(entry.index);
		if (terms === undefined) entries.set(entry.index, new Map([[entry.term, entry]]));
		else terms.set(entry.term, entry);
	}

	function apply(entry: Entry): void {
		const { index, term, kind } = entry;
		if (kind === "barrier") joiner.reset();
		if (kind !== "command" && kind !== "fragment") return;
		const payload = joiner.add(entry);
		if (payload === null) return;
		const { writes, setting } = read(payload);
		if (setting !== null) choices.set(index, setting);
		effects.push({ position: { index, term }, writes });
	}

	/** All up to here is applied on this member, whose log knows the terms of what nobody applied before. */
	function reach(
		node: NodeId,
		position: Position,
		termAt: (node: NodeId, index: LogIndex) => Term | null,
	): void {
		while (last < position.index) {
			last++;
			const term = last === position.index ? position.term : termAt(node, last);
			const entry = term === null ? undefined : entries.get(last)?.get(term);
			const missing = last;
			must(entry !== undefined, name, () => `${node} applied ${missing}, which nobody has in term ${term}`);
			entries.delete(last);
			terms.set(last, entry.term);
			apply(entry);
		}
	}

	return {
		effects,
		committedTerm: (index) => terms.get(index) ?? null,
		chosenAt: (index) => choices.get(index) ?? null,
		choices,
		observe(observation, termAt) {
			if (observation.type === "log-work" && observation.work.type === "append") {
				for (const entry of observation.work.entries) keep(entry);
				return;
			}
			if (observation.type === "applied") return reach(observation.node, observation.position, termAt);
			// A crash came after an entry was applied and before that was seen: the next start tells.
			if (observation.type === "started") found.set(observation.node, observation.applied);
			if (observation.type !== "view") return;
			const position = found.get(observation.node);
			if (position === undefined) return;
			found.delete(observation.node);
			reach(observation.node, position, termAt);
		},
	};
}
