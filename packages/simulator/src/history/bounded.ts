/**
 * Bounded reads: an answer shows every write that was acknowledged more than the bound before the read
 * began. (The state it shows may be as old as the bound when the member proves that it is not older,
 * which is after the read began.) An answer of any level that says how old its state is at most is held to that.
 *
 * Promised: what is reported is broken, if clocks drift no more than said. Times are the world's, which
 * no node knows: a node measures the bound with its own clock, so it is stretched by `clockDrift`. Not
 * checked: writes without an acknowledgement, and lost ones; the upper side (an answer may be newer).
 */
import { lostAmong, requestsOf } from "./attempts.ts";
import type { Timeline } from "./effects.ts";
import type { History, Key, Operation } from "./history.ts";
import { knowledgeOf, noFloor, sightingsOf, versionsOf } from "./versions.ts";
import type { Violation } from "./violation.ts";

export interface BoundedOptions {
	readonly timeline?: Timeline | null;
	readonly lost?: ReadonlySet<number>;
	/** By how much of the bound a node's clock may be too slow: 0.01 is one percent. */
	readonly clockDrift?: number;
}

export function checkBounded(history: History, options: BoundedOptions = {}): Violation[] {
	const versions = versionsOf(history, options.timeline, options.lost);
	const isLost = lostAmong(history, options.lost);
	const requests = requestsOf(history).filter((request) => request.outcome === "ok" && !isLost(request));
	const writes = requests
		.filter(({ acknowledgement }) => acknowledgement !== null)
		.sort((one, other) => (one.completedAt ?? 0) - (other.completedAt ?? 0));
	const reads = requests
		.flatMap((operation) => {
			const boundMs = boundOf(operation);
			if (boundMs === null) return [];
			return [{ operation, until: operation.invokedAt - boundMs * (1 + (options.clockDrift ?? 0)) }];
		})
		.sort((one, other) => one.until - other.until);

	const violations: Violation[] = [];
	const floors = new Map<Key, { readonly floor: number; readonly by: number }>();
	let next = 0;
	for (const { operation, until } of reads) {
		for (let write = writes[next]; write !== undefined; write = writes[next]) {
			if ((write.completedAt ?? Number.POSITIVE_INFINITY) >= until) break;
			next++;
			for (const { key, value, own } of knowledgeOf(write)) {
				const floor = versions.span(key, value)?.from ?? noFloor;
				if (own && floor > (floors.get(key)?.floor ?? noFloor)) floors.set(key, { floor, by: write.id });
			}
		}
		for (const { key, value } of sightingsOf(operation)) {
			const span = versions.span(key, value);
			const floor = floors.get(key);
			if (span === null || floor === undefined || span.to >= floor.floor) continue;
			violations.push({
				reason: `operation ${operation.id} saw ${value} in ${key}: operation ${floor.by} had replaced that and was acknowledged more than ${boundOf(operation)} ms before the read began`,
				operations: [floor.by, operation.id],
			});
		}
	}
	return violations;
}

function boundOf({ level, stalenessMs }: Operation): number | null {
	const asked = level?.level === "bounded" ? level.maxStalenessMs : Number.POSITIVE_INFINITY;
	const bound = Math.min(asked, stalenessMs ?? Number.POSITIVE_INFINITY);
	return bound === Number.POSITIVE_INFINITY ? null : bound;
}
