/**
 * Linearizability (Herlihy and Wing 1990), and for transactions over several registers strict
 * serializability: there is one order of all operations that happened, in which each sees what those
 * before it left, and none stands before one that had ended when it began. An operation of unknown
 * outcome may stand anywhere after its invocation, or be left out.
 *
 * The property holds for a history exactly if it holds for each group of registers that no transaction
 * connects with another (P-compositionality: Horn and Kroening 2015), so each group is searched by itself.
 *
 * Promised: "good" and "bad" are exact for what is checked, which is: all that goes the way of a write,
 * and reads that asked for linearizable. Not checked: reads of other levels (sessions.ts, bounded.ts,
 * snapshots.ts), reads that did not end ok, and groups with an operation that was reported as lost,
 * which are named in `leftOut`. Beyond the limits the answer is "not decided", never a guess.
 */
import { lostAmong, requestsOf } from "./attempts.ts";
import type { History, Key, Operation } from "./history.ts";
import { isLinearizable } from "./history.ts";
import { type Planned, plan } from "./linearization-plan.ts";
import { type SearchLimits, type SearchResult, search } from "./linearization-search.ts";

export type Linearizability = (
	| { readonly verdict: "good" }
	| {
			readonly verdict: "bad";
			readonly reason: string;
			readonly keys: readonly Key[];
			/** Ids of the operations that cannot be reconciled, as far as one can say which. */
			readonly operations: readonly number[];
	  }
	| { readonly verdict: "not decided"; readonly reason: string; readonly keys: readonly Key[] }
) & { readonly leftOut: readonly Key[] };

export interface LinearizabilityOptions {
	readonly limits?: SearchLimits;
	/** Ids of operations that were acknowledged in a mode that may lose them, and reported as lost. */
	readonly lost?: ReadonlySet<number>;
}

/** For each group. A history of unique values stays far below. */
const defaultLimits: SearchLimits = { configurations: 300_000, steps: 5_000_000 };

export function checkLinearizability(
	history: History,
	options: LinearizabilityOptions = {},
): Linearizability {
	const limits = options.limits ?? defaultLimits;
	const operations = requestsOf(history).filter(isLinearizable);
	const { kept, leftOut } = withoutLost(operations, lostAmong(history, options.lost));
	const { planned, producers, contradiction } = plan(kept);
	if (contradiction !== null) return { verdict: "bad", ...contradiction, leftOut };

	let undecided: Linearizability | null = null;
	for (const group of groupsOf(planned, (one) => one.operation)) {
		const result = search(group.members, group.keys, producers, limits);
		switch (result.type) {
			case "good":
				break;
			case "bad":
				return {
					verdict: "bad",
					reason: describe(result),
					keys: group.keys,
					operations: [result.stuck],
					leftOut,
				};
			case "not decided":
				undecided ??= {
					verdict: "not decided",
					reason: `gave up after ${result.configurations} configurations and ${result.steps} steps`,
					keys: group.keys,
					leftOut,
				};
				break;
			default: {
				const never: never = result;
				throw new Error(String(never));
			}
		}
	}
	return undecided ?? { verdict: "good", leftOut };
}

function describe(result: Extract<SearchResult, { type: "bad" }>): string {
	const state = [...result.state].map(([key, value]) => `${key}=${value ?? "nothing"}`).join(" ");
	return `operation ${result.stuck} fits nowhere: at best ${result.placed} operations are in an order before it, which leaves ${state}`;
}

/** What saw or followed a lost write is not to be explained by what is left: its whole group goes. */
function withoutLost(
	operations: readonly Operation[],
	isLost: (operation: Operation) => boolean,
): { kept: readonly Operation[]; leftOut: readonly Key[] } {
	if (!operations.some(isLost)) return { kept: operations, leftOut: [] };
	const kept: Operation[] = [];
	const leftOut: Key[] = [];
	for (const group of groupsOf(operations, (operation) => operation)) {
		if (group.members.some(isLost)) leftOut.push(...group.keys);
		else kept.push(...group.members);
	}
	return { kept, leftOut };
}

interface Group<T> {
	readonly keys: Key[];
	readonly members: T[];
}

/** Registers that an operation names together are in one group (union and find). */
function groupsOf<T extends Operation | Planned>(
	members: readonly T[],
	operationOf: (one: T) => Operation,
): Group<T>[] {
	const parents = new Map<Key, Key>();
	function root(key: Key): Key {
		let top = key;
		for (let up = parents.get(top) ?? top; up !== top; up = parents.get(top) ?? top) top = up;
		for (let each = key; each !== top; ) {
			const up = parents.get(each) ?? top;
			parents.set(each, top);
			each = up;
		}
		return top;
	}
	for (const member of members) {
		const [first, ...others] = operationOf(member).steps;
		if (first === undefined) continue;
		if (!parents.has(first.key)) parents.set(first.key, first.key);
		for (const { key } of others) {
			if (!parents.has(key)) parents.set(key, key);
			parents.set(root(key), root(first.key));
		}
	}
	const groups = new Map<Key, Group<T>>();
	for (const key of parents.keys()) {
		const top = root(key);
		const group = groups.get(top);
		if (group === undefined) groups.set(top, { keys: [key], members: [] });
		else group.keys.push(key);
	}
	for (const member of members) {
		const [first] = operationOf(member).steps;
		if (first !== undefined) groups.get(root(first.key))?.members.push(member);
	}
	return [...groups.values()];
}
