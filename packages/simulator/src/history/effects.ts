/**
 * What the cluster did with what clients asked: the committed writes in the order of the log, as the
 * members applied them. Clients do not see this; a simulation does, and a test of real nodes can read it
 * from a journal that each write keeps. With it checks are exact that otherwise know the order of two
 * writes only when one ended before the other began.
 *
 * Promised by who makes it: ascending by index, one element an entry, every write of a register in it in
 * the order of execution, also one that a later write of the same entry replaces. Compare-and-sets that
 * failed are not writes. Checked here: the order.
 */
import type { Position } from "../../../skein/src/consensus/types.ts";
import type { Key, Value } from "./history.ts";

export interface Effect {
	readonly position: Position;
	readonly writes: readonly RegisterWrite[];
}

export interface RegisterWrite {
	readonly key: Key;
	/** What the register holds after it. */
	readonly value: Value;
}

/** One value's time in its register. */
export interface Version {
	readonly key: Key;
	readonly value: Value;
	readonly index: number;
	/** Counts all writes of all registers. */
	readonly place: number;
	/** Of the entry that replaced it; Infinity: none has. */
	replacedAt: number;
	/** Of the write that did. */
	replacedBy: number;
}

export interface Timeline {
	/** Of one register, the oldest first. Before them it held nothing. */
	versions(key: Key): readonly Version[];
	/** All versions with this value; several if it was written more than once. */
	find(key: Key, value: Value): readonly Version[];
	keys(): Iterable<Key>;
}

export function timelineOf(effects: readonly Effect[]): Timeline {
	const byKey = new Map<Key, Version[]>();
	const byValue = new Map<Key, Map<Value, Version[]>>();
	// 0 is before the first write.
	let place = 1;
	let last = 0;
	for (const { position, writes } of effects) {
		if (position.index <= last) throw new RangeError(`entry ${position.index} after entry ${last}`);
		last = position.index;
		for (const { key, value } of writes) {
			const version: Version = {
				key,
				value,
				index: position.index,
				place: place++,
				replacedAt: Number.POSITIVE_INFINITY,
				replacedBy: Number.POSITIVE_INFINITY,
			};
			const versions = byKey.get(key) ?? [];
			byKey.set(key, versions);
			const before = versions.at(-1);
			if (before !== undefined) {
				before.replacedAt = position.index;
				before.replacedBy = version.place;
			}
			versions.push(version);
			const values = byValue.get(key) ?? new Map<Value, Version[]>();
			byValue.set(key, values);
			const same = values.get(value);
			if (same === undefined) values.set(value, [version]);
			else same.push(version);
		}
	}
	return {
		versions: (key) => byKey.get(key) ?? [],
		find: (key, value) => byValue.get(key)?.get(value) ?? [],
		keys: () => byKey.keys(),
	};
}
