/**
 * Every answer, whatever its level, shows one committed past: each value in it was written, by a write
 * that may have happened and had begun before the answer came; and with a timeline: it was committed,
 * and there was one moment in the log at which all that it shows was there together. For a read that moment is
 * the position that its answer names; what goes the way of a write shows nothing that is above its position.
 *
 * Promised: what is reported is broken. Not checked: how old that moment is (sessions.ts, bounded.ts,
 * linearizability.ts), and commitment of what was written in a mode whose writes the leader may show
 * early (async, semi-sync).
 */
import type { Timeline } from "./effects.ts";
import type { History, Key, Operation, Value } from "./history.ts";
import { type Producers, producersOf } from "./producers.ts";
import { sightingsOf } from "./versions.ts";
import type { Violation } from "./violation.ts";

interface Sighting {
	readonly key: Key;
	readonly value: Value;
}

export function checkSnapshots(history: History, timeline: Timeline | null = null): Violation[] {
	const producers = producersOf(history);
	const violations: Violation[] = [];
	for (const operation of history.operations) {
		if (operation.outcome !== "ok") continue;
		const sightings = sightingsOf(operation);
		const found = originsOf(operation, sightings, producers, timeline);
		violations.push(...found);
		if (found.length === 0 && timeline !== null) violations.push(...together(operation, sightings, timeline));
	}
	return violations;
}

function originsOf(
	operation: Operation,
	sightings: readonly Sighting[],
	producers: Producers,
	timeline: Timeline | null,
): Violation[] {
	const violations: Violation[] = [];
	const { id } = operation;
	const report = (what: string, by: readonly Operation[]): void => {
		violations.push({
			reason: `operation ${id} saw ${what}`,
			operations: [...by.map((producer) => producer.id), id],
		});
	};
	for (const { key, value } of sightings) {
		if (value === null) continue;
		const all = producers.of(key, value);
		for (const writers of all) {
			const possible = writers.filter(({ outcome }) => outcome !== "failed");
			if (writers.length === 0) report(`${value} in ${key}, which nobody wrote`, []);
			else if (possible.length === 0)
				report(`${value} in ${key}, from a write that certainly did not happen`, writers);
			else if (possible.every(({ invokedOrder }) => invokedOrder > operation.completedOrder))
				report(`${value} in ${key} and ended before anybody began to write that`, possible);
		}
		if (timeline === null || timeline.find(key, value).length > 0) continue;
		if (!all.flat().some(mayShowEarly)) report(`${value} in ${key}, which was never committed`, all.flat());
	}
	return violations;
}

function mayShowEarly({ acknowledgement }: Operation): boolean {
	return acknowledgement === "async" || acknowledgement === "semi-sync";
}

interface Window {
	readonly from: number;
	readonly before: number;
}

/**
 * An operation that goes the way of a read stands between two entries. One that goes the way of a write stands
 * between two writes, also if it writes nothing itself: others may be in the entry of its batch.
 */
function together(operation: Operation, sightings: readonly Sighting[], timeline: Timeline): Violation[] {
	const writes = operation.level === null;
	const all: Window[][] = [];
	for (const { key, value } of sightings) {
		const windows = windowsOf(key, value, timeline, writes);
		if (windows.length === 0) return [];
		all.push(windows);
	}
	const { position } = operation;
	const moments = writes || position === null ? [0, ...all.flat().map(({ from }) => from)] : [position.index];
	const is = moments.some((moment) =>
		all.every((windows) => windows.some(({ from, before }) => from <= moment && moment < before)),
	);
	const shown = sightings.map(({ key, value }) => `${key}=${value ?? "nothing"}`).join(" ");
	const named = position === null ? "" : ` at index ${position.index}`;
	const report = (what: string): Violation[] => [
		{ reason: `operation ${operation.id} saw ${shown}${named}: ${what}`, operations: [operation.id] },
	];
	if (!is)
		return report(writes || position === null ? "that was never so together" : "that was not so there");
	if (writes && position !== null && isAbove(position.index, sightings, timeline))
		return report("a part of it came later");
	return [];
}

function isAbove(index: number, sightings: readonly Sighting[], timeline: Timeline): boolean {
	return sightings.some(({ key, value }) => {
		const versions = value === null ? [] : timeline.find(key, value);
		return versions.length > 0 && versions.every((version) => version.index > index);
	});
}

/** When the register held the value: by entries, or by single writes. Empty: not in the timeline. */
function windowsOf(key: Key, value: Value, timeline: Timeline, byWrite: boolean): Window[] {
	const windows: Window[] = [];
	if (value === null) {
		const [first] = timeline.versions(key);
		const before = first === undefined ? Number.POSITIVE_INFINITY : byWrite ? first.place : first.index;
		windows.push({ from: 0, before });
	}
	for (const { index, place, replacedAt, replacedBy } of timeline.find(key, value)) {
		windows.push(byWrite ? { from: place, before: replacedBy } : { from: index, before: replacedAt });
	}
	return windows;
}
