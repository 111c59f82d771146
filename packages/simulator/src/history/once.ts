/**
 * Nothing happens twice: a request, however often it was tried under its idempotency key, wrote at most
 * once, and all of its answers tell of that one time.
 *
 * Promised: what is reported is broken, if values are unique. With a timeline every request is looked at,
 * also those without a key; without, only what answers and lists tell: an item twice in a list, two
 * attempts of a request that were both executed, two that saw different things. Not checked: requests
 * that wrote nothing (they may run again), and keys that were used after the cluster was allowed to
 * forget them.
 */
import { attemptsByKey, requestsOf } from "./attempts.ts";
import type { Timeline } from "./effects.ts";
import type { History, Operation } from "./history.ts";
import { lastItem } from "./history.ts";
import { knowledgeOf } from "./versions.ts";
import type { Violation } from "./violation.ts";

export function checkOnce(history: History, timeline: Timeline | null = null): Violation[] {
	return [
		...listsOf(history),
		...answersOf(history),
		...replaysOf(history),
		...(timeline === null ? [] : writesOf(history, timeline)),
	];
}

function listsOf(history: History): Violation[] {
	const lists = new Set<string>();
	for (const { steps } of history.operations) {
		for (const step of steps) if (step.kind === "append") lists.add(step.key);
	}
	const violations: Violation[] = [];
	for (const { id, outcome, steps, seen } of history.operations) {
		if (outcome !== "ok") continue;
		for (const [place, step] of steps.entries()) {
			const list = seen[place];
			if (typeof list !== "string" || !lists.has(step.key)) continue;
			const twice = repeated(list);
			if (twice === null) continue;
			violations.push({
				reason: `operation ${id} saw ${twice} more than once in the list ${step.key}`,
				operations: [id],
			});
		}
	}
	return violations;
}

function repeated(list: string): string | null {
	const items = list.split(";").filter((item) => item !== "");
	const once = new Set(items);
	if (once.size === items.length) return null;
	return items.find((item, place) => items.indexOf(item) !== place) ?? null;
}

function answersOf(history: History): Violation[] {
	const violations: Violation[] = [];
	for (const [key, attempts] of attemptsByKey(history)) {
		const answered = attempts.filter(
			(one) => one.outcome === "ok" && knowledgeOf(one).some(({ own }) => own),
		);
		const [first] = answered;
		if (first === undefined) continue;
		const operations = answered.map(({ id }) => id);
		const executed = answered.filter(({ replayed }) => !replayed);
		if (executed.length > 1) {
			violations.push({
				reason: `${executed.length} attempts under the key ${key} were executed`,
				operations,
			});
		}
		if (answered.some((one) => JSON.stringify(seenBy(one)) !== JSON.stringify(seenBy(first)))) {
			violations.push({ reason: `attempts under the key ${key} were told different things`, operations });
		}
	}
	return violations;
}

/**
 * An answer that an earlier try left is stored under the request's key. That try need not be one of the client's: a
 * node that passes a request on, and hears nothing, tries again itself.
 */
function replaysOf(history: History): Violation[] {
	return history.operations
		.filter(({ idempotencyKey, replayed }) => replayed && idempotencyKey === null)
		.map(({ id }) => ({
			reason: `operation ${id} was told an earlier try's answer, but has no key`,
			operations: [id],
		}));
}

/** JSON has no undefined in lists: null would be taken for "nothing". */
function seenBy({ seen }: Operation): unknown[] {
	return seen.map((one) => (one === undefined ? [] : one));
}

function writesOf(history: History, timeline: Timeline): Violation[] {
	const counts = new Map<string, number[]>();
	for (const key of timeline.keys()) {
		for (const { value, index } of timeline.versions(key)) {
			if (value === null) continue;
			const name = `${key} ${lastItem(value)}`;
			const indexes = counts.get(name);
			if (indexes === undefined) counts.set(name, [index]);
			else indexes.push(index);
		}
	}
	const expected = new Map<string, number>();
	const names = new Map<Operation, Set<string>>();
	for (const request of requestsOf(history)) {
		const own = new Set<string>();
		names.set(request, own);
		for (const step of request.steps) {
			if (step.kind === "read" || step.value === null) continue;
			const name = `${step.key} ${step.kind === "append" ? `${step.value};` : lastItem(step.value)}`;
			own.add(name);
			expected.set(name, (expected.get(name) ?? 0) + 1);
		}
	}
	const violations: Violation[] = [];
	for (const [{ id }, own] of names) {
		for (const name of own) {
			const indexes = counts.get(name) ?? [];
			if (indexes.length <= 1 || (expected.get(name) ?? 0) > 1) continue;
			violations.push({
				reason: `operation ${id} happened ${indexes.length} times: ${name} in the entries ${indexes.join(", ")}`,
				operations: [id],
			});
		}
	}
	return violations;
}
