/** The definition of linearizability, tried out: every subset of the unknown operations, in every order. For a handful of operations. */
import { requestsOf } from "../attempts.ts";
import type { History, Key, Operation, Value } from "../history.ts";
import { after, isLinearizable } from "../history.ts";

export function isNaivelyLinearizable(history: History): boolean {
	const operations = requestsOf(history).filter(
		(one) => isLinearizable(one) && (one.outcome === "ok" || one.steps.some(({ kind }) => kind !== "read")),
	);
	return canGoOn(
		operations.filter(({ outcome }) => outcome !== "failed"),
		new Map(),
	);
}

function canGoOn(missing: readonly Operation[], state: ReadonlyMap<Key, Value>): boolean {
	if (missing.every(({ outcome }) => outcome === "unknown")) return true;
	return missing.some((next) => {
		const others = missing.filter((one) => one !== next);
		if (others.some((one) => one.outcome === "ok" && one.completedOrder < next.invokedOrder)) return false;
		const then = new Map(state);
		for (const [place, step] of next.steps.entries()) {
			const before = then.get(step.key) ?? null;
			const seen = next.seen[place];
			if (seen !== undefined && seen !== before) return false;
			then.set(step.key, after(step, before));
		}
		return canGoOn(others, then);
	});
}
