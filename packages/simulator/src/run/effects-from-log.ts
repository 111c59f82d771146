/**
 * What the cluster did, read from the logs of its members: an entry counts when the first member has
 * applied it.
 */
import type { Entry, LogIndex, NodeId, Position, Term } from "../../../skein/src/consensus/types.ts";
import { createFragmentJoiner } from "../../../skein/src/node/fragments.ts";
import type { Effect } from "../history/effects.ts";
import type { Profile } from "../machine/store.ts";
import type { Observation } from "../properties/observation.ts";
import { must } from "../properties/property.ts";

export interface EffectsFromLog {
	readonly effects: readonly Effect[];
	observe(observation: Observation, termAt: (node: NodeId, index: LogIndex) => Term | null): void;
}

const name = "applied entries were appended";

export function createEffectsFromLog(writesIn: Profile["writesIn"]): EffectsFromLog {
	const effects: Effect[] = [];
	/** Entries that nobody has applied yet, by index and term. */
	const entries = new Map<LogIndex, Map<Term, Entry>>();
	const joiner = createFragmentJoiner();
	let last: LogIndex = 1;
	/** What databases held when their members started, until the core can tell its terms. */
	const found = new Map<NodeId, Position>();

	function keep(entry: Entry): void {
		if (entry.index <= last) return;
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
		effects.push({ position: { index, term }, writes: writesIn(payload) });
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
			apply(entry);
		}
	}

	function advance(node: NodeId, position: Position, termAt: (index: LogIndex) => Term | null): void {
		while (last < position.index) {
			last++;
			const term = last === position.index ? position.term : termAt(last);
			const entry = term === null ? undefined : entries.get(last)?.get(term);
			const missing = last;
			must(entry !== undefined, name, () => `${node} applied ${missing}, which nobody has in term ${term}`);
			entries.delete(last);
			apply(entry);
		}
	}

	return {
		effects,
		observe(observation, termAt) {
			switch (observation.type) {
				case "log-work":
					if (observation.work.type === "append") for (const entry of observation.work.entries) keep(entry);
					return;
				case "applied":
					advance(observation.node, observation.position, (index) => termAt(observation.node, index));
					return;
				case "started": {
					// Killed when the database had it and before anybody saw that: the log still has it now, later perhaps not.
					const { headers } = observation.recovered;
					const first = headers[0]?.index ?? 0;
					advance(observation.node, observation.applied, (index) => headers[index - first]?.term ?? null);
					return;
				}
				default:
			}
		},
	};
}
