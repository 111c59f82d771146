/**
 * What became of each write, at the end: acknowledged ones are committed, or, where their mode allows
 * it, reported as lost; those that certainly did not happen are not; unknown ones are or are not; all
 * of a transaction or nothing, in one entry that its answer did not run ahead of; nothing that nobody
 * asked for; and the members' registers hold what the committed writes leave.
 *
 * Promised: what is reported is broken, if the effects are complete (effects.ts) and values are unique;
 * writes of values that are not, deletes, and compare-and-sets whose result was not learned leave no
 * trace of their own and are not judged. Not checked: that a write happened once only (once.ts).
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import { lostAmong, requestsOf } from "./attempts.ts";
import type { Timeline, Version } from "./effects.ts";
import type { History, Key, Operation, Value } from "./history.ts";
import { lastItem, mayLose } from "./history.ts";
import { producersOf } from "./producers.ts";
import type { Violation } from "./violation.ts";

export interface DurabilityOptions {
	/** Of everything that was committed, at the end. */
	readonly timeline: Timeline;
	/** What members that have applied all of it hold. */
	readonly states?: ReadonlyMap<NodeId, ReadonlyMap<Key, Value>>;
	/** Ids of operations that the cluster reported as lost. */
	readonly lost?: ReadonlySet<number>;
}

export function checkDurability(history: History, options: DurabilityOptions): Violation[] {
	const { timeline } = options;
	const isLost = lostAmong(history, options.lost);
	const violations: Violation[] = [];
	const names = namesOf(timeline);
	for (const request of requestsOf(history)) {
		const traces = tracesOf(request, names);
		if (traces.length === 0) continue;
		const reason = judge(request, traces, isLost(request));
		if (reason !== null)
			violations.push({ reason: `operation ${request.id} ${reason}`, operations: [request.id] });
	}
	violations.push(...nobodyAsked(history, timeline));
	for (const [node, state] of options.states ?? []) violations.push(...compare(node, state, timeline));
	return violations;
}

/** Versions by the value, or the last item of the list, that only one write can have left. */
type Names = ReadonlyMap<Key, ReadonlyMap<string, readonly Version[]>>;

function namesOf(timeline: Timeline): Names {
	const names = new Map<Key, Map<string, Version[]>>();
	for (const key of timeline.keys()) {
		const values = new Map<string, Version[]>();
		names.set(key, values);
		for (const version of timeline.versions(key)) {
			if (version.value === null) continue;
			for (const name of new Set([version.value, lastItem(version.value)])) {
				const same = values.get(name);
				if (same === undefined) values.set(name, [version]);
				else same.push(version);
			}
		}
	}
	return names;
}

interface Trace {
	readonly key: Key;
	readonly name: string;
	/** What it left; empty: nothing. */
	readonly versions: readonly Version[];
	/** It leaves something whenever it happens. */
	readonly certain: boolean;
}

/** Of each register only the last write: those before it in one transaction may leave nothing. */
function tracesOf(request: Operation, names: Names): Trace[] {
	const traces = new Map<Key, Trace>();
	for (const [place, step] of request.steps.entries()) {
		if (step.kind === "read") continue;
		const { key } = step;
		const seen = request.seen[place];
		const certain = step.kind !== "compare-and-set" || seen === step.expected;
		if (step.kind === "compare-and-set" && seen !== undefined && !certain) continue;
		traces.delete(key);
		if (step.value === null) continue;
		const name = step.kind === "append" ? `${step.value};` : step.value;
		traces.set(key, { key, name, versions: names.get(key)?.get(name) ?? [], certain });
	}
	return [...traces.values()];
}

function judge(request: Operation, traces: readonly Trace[], isLost: boolean): string | null {
	const present = traces.filter(({ versions }) => versions.length > 0);
	const absent = traces.find(({ versions, certain }) => versions.length === 0 && certain);
	const [one] = present;
	const mode = request.acknowledgement ?? "quorum";
	if (request.outcome === "failed" && one !== undefined)
		return `certainly did not happen, it was said, but ${one.name} was written to ${one.key}`;
	if (isLost && one !== undefined) return `was reported as lost, but ${one.name} is in ${one.key} to stay`;
	if (isLost && request.outcome === "ok" && !mayLose(mode))
		return `was acknowledged in mode ${mode}, which does not lose writes, and is reported as lost`;
	if (absent === undefined) return scattered(request, present);
	if (one !== undefined)
		return `happened in part: ${one.name} was written to ${one.key}, ${absent.name} not to ${absent.key}`;
	if (request.outcome === "ok" && !isLost)
		return `was acknowledged in mode ${mode}, but ${absent.name} was never written to ${absent.key}${mayLose(mode) ? ", and that is not reported" : ""}`;
	return null;
}

function scattered(request: Operation, present: readonly Trace[]): string | null {
	const indexes = present
		.flatMap(({ versions }) => (versions.length === 1 ? versions : []))
		.map((one) => one.index);
	const [index] = indexes;
	if (index === undefined) return null;
	if (indexes.some((other) => other !== index))
		return `is one transaction, but its writes are in the entries ${indexes.join(", ")}`;
	if (request.outcome !== "ok" || request.position === null) return null;
	const told = request.position.index;
	// What was executed is told its own entry; a stored answer may be told with a later one.
	if (told < index || (told > index && !request.replayed))
		return `was answered with index ${told} and is in entry ${index}`;
	return null;
}

function nobodyAsked(history: History, timeline: Timeline): Violation[] {
	const producers = producersOf(history);
	const violations: Violation[] = [];
	for (const key of timeline.keys()) {
		for (const { value, index } of timeline.versions(key)) {
			if (value === null || producers.of(key, value).every(({ length }) => length > 0)) continue;
			violations.push({
				reason: `entry ${index} wrote ${value} to ${key}: nobody asked for that`,
				operations: [],
			});
		}
	}
	return violations;
}

function compare(node: NodeId, state: ReadonlyMap<Key, Value>, timeline: Timeline): Violation[] {
	const violations: Violation[] = [];
	for (const key of new Set([...timeline.keys(), ...state.keys()])) {
		const last = timeline.versions(key).at(-1);
		const holds = state.get(key) ?? null;
		if (holds === (last?.value ?? null)) continue;
		violations.push({
			reason: `${node} holds ${holds ?? "nothing"} in ${key}, the committed writes leave ${last?.value ?? "nothing"} (entry ${last?.index ?? 0})`,
			operations: [],
		});
	}
	return violations;
}
