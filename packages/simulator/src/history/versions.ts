/**
 * Which of two values of a register is the older one, as far as it is certain. Each value has a span:
 * it came not before `from` and not after `to`; one whose span ends before another's begins is older.
 * With the timeline of the cluster a span is a point. Without, a write came between its invocation and
 * its completion, so only writes that did not overlap are ordered.
 *
 * Promised: what is called older is older, if the writes are linearizable (linearizability.ts checks
 * that). Nothing is said about values that were written more than once, about "nothing" in a register
 * that was ever deleted, and about values that nobody is known to have written (snapshots.ts finds those).
 */
import { lostAmong, requestsOf } from "./attempts.ts";
import type { Timeline } from "./effects.ts";
import type { History, Key, Operation, Seen, Step, Value } from "./history.ts";
import { after, lastItem } from "./history.ts";

export interface Span {
	readonly from: number;
	readonly to: number;
}

export interface Versions {
	span(key: Key, value: Value): Span | null;
	/** The spans of what a state that holds all up to this index cannot be older than: the largest `from`. */
	floorAt(key: Key, index: number): number;
}

export const noFloor = Number.NEGATIVE_INFINITY;

const initial: Span = { from: -1, to: -1 };

/** `lost`: ids of operations that were acknowledged, lost and reported; nothing is said about them. */
export function versionsOf(
	history: History,
	timeline: Timeline | null = null,
	lost?: ReadonlySet<number>,
): Versions {
	if (timeline !== null) return versionsByPlace(timeline);
	const isLost = lostAmong(history, lost);
	return versionsByTime(requestsOf(history).filter((request) => !isLost(request)));
}

function versionsByPlace(timeline: Timeline): Versions {
	return {
		span(key, value) {
			const found = timeline.find(key, value);
			const [version] = found;
			if (value === null) return version === undefined ? initial : null;
			if (version === undefined || found.length > 1) return null;
			return { from: version.place, to: version.place };
		},
		floorAt(key, index) {
			const versions = timeline.versions(key);
			return versions[firstBeyond(versions, index) - 1]?.place ?? noFloor;
		},
	};
}

interface Written {
	readonly index: number;
	/** The largest `from` of this and all of smaller index. */
	floor: number;
}

function versionsByTime(requests: readonly Operation[]): Versions {
	const spans = new Map<Key, Map<string, Span | null>>();
	const deleted = new Set<Key>();
	const written = new Map<Key, Written[]>();
	for (const request of requests) {
		if (request.outcome === "failed") continue;
		// That the client stopped waiting says nothing of when an unknown write takes effect.
		const to = request.outcome === "ok" ? request.completedOrder : Number.POSITIVE_INFINITY;
		const span = { from: request.invokedOrder, to };
		for (const [place, step] of request.steps.entries()) {
			if (step.kind === "read" || didNothing(step, request.seen[place])) continue;
			if (step.value === null) {
				deleted.add(step.key);
				continue;
			}
			const values = spans.get(step.key) ?? new Map<string, Span | null>();
			spans.set(step.key, values);
			const name = step.kind === "append" ? `${step.value};` : step.value;
			values.set(name, values.has(name) ? null : span);
			if (request.outcome !== "ok" || request.position === null) continue;
			if (step.kind === "compare-and-set" && request.seen[place] === undefined) continue;
			const list = written.get(step.key) ?? [];
			written.set(step.key, list);
			list.push({ index: request.position.index, floor: span.from });
		}
	}
	for (const list of written.values()) {
		list.sort((one, other) => one.index - other.index);
		let floor = noFloor;
		for (const one of list) {
			floor = Math.max(floor, one.floor);
			one.floor = floor;
		}
	}
	return {
		span(key, value) {
			if (value === null) return deleted.has(key) ? null : initial;
			const values = spans.get(key);
			return values?.get(value) ?? values?.get(lastItem(value)) ?? null;
		},
		floorAt(key, index) {
			const list = written.get(key) ?? [];
			return list[firstBeyond(list, index) - 1]?.floor ?? noFloor;
		},
	};
}

function didNothing(step: Step, seen: Seen): boolean {
	return step.kind === "compare-and-set" && seen !== undefined && seen !== step.expected;
}

function firstBeyond(list: readonly { readonly index: number }[], index: number): number {
	let low = 0;
	let high = list.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((list[middle]?.index ?? 0) <= index) low = middle + 1;
		else high = middle;
	}
	return low;
}

/**
 * What an operation knows of registers when it is done: for each the last value that it saw or left there.
 * `own`: it was put there by the operation itself.
 */
export function knowledgeOf(operation: Operation): { key: Key; value: Value; own: boolean }[] {
	const known = new Map<Key, { key: Key; value: Value; own: boolean }>();
	for (const [place, step] of operation.steps.entries()) {
		const { key } = step;
		const seen = operation.seen[place] ?? (operation.seen[place] === null ? null : known.get(key)?.value);
		if (step.kind === "write") known.set(key, { key, value: step.value, own: true });
		else if (seen === undefined) known.delete(key);
		else {
			const value = after(step, seen);
			known.set(key, { key, value, own: value !== seen || known.get(key)?.own === true });
		}
	}
	return [...known.values()];
}

/** What an operation saw that was there before it: of each register the first look, unless it wrote there earlier. */
export function sightingsOf(operation: Operation): { key: Key; value: Value }[] {
	const closed = new Set<Key>();
	const sightings: { key: Key; value: Value }[] = [];
	for (const [place, step] of operation.steps.entries()) {
		const seen = operation.seen[place];
		if (seen !== undefined && !closed.has(step.key)) {
			sightings.push({ key: step.key, value: seen });
			closed.add(step.key);
		}
		if (step.kind !== "read") closed.add(step.key);
	}
	return sightings;
}
