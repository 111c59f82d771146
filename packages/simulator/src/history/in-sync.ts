/**
 * Mode `sync`: a read that its member calls in-sync shows every write that was answered in this mode before the read was
 * sent. Whatever the level: a local read, which promises nothing else, is the one that matters.
 *
 * Promised: what is reported is broken. Not checked: reads of members that do not say so, and the other direction, that
 * a member which could be in-sync is.
 */
import { requestsOf } from "./attempts.ts";
import type { Timeline } from "./effects.ts";
import type { History, Key } from "./history.ts";
import { knowledgeOf, noFloor, sightingsOf, versionsOf } from "./versions.ts";
import type { Violation } from "./violation.ts";

export function checkInSync(history: History, timeline: Timeline | null = null): Violation[] {
	const requests = requestsOf(history).filter((request) => request.outcome === "ok");
	const writes = requests
		.filter(({ acknowledgement }) => acknowledgement === "sync")
		.sort((one, other) => one.completedOrder - other.completedOrder);
	const reads = requests.filter(({ inSync }) => inSync === true);
	if (writes.length === 0 || reads.length === 0) return [];
	const versions = versionsOf(history, timeline);

	const violations: Violation[] = [];
	const floors = new Map<Key, { readonly floor: number; readonly by: number }>();
	let next = 0;
	for (const read of reads) {
		for (let write = writes[next]; write !== undefined; write = writes[next]) {
			if (write.completedOrder >= read.invokedOrder) break;
			next++;
			for (const { key, value, own } of knowledgeOf(write)) {
				const floor = versions.span(key, value)?.from ?? noFloor;
				if (own && floor > (floors.get(key)?.floor ?? noFloor)) floors.set(key, { floor, by: write.id });
			}
		}
		for (const { key, value } of sightingsOf(read)) {
			const span = versions.span(key, value);
			const floor = floors.get(key);
			if (span === null || floor === undefined || span.to >= floor.floor) continue;
			violations.push({
				reason: `operation ${read.id} saw ${value} in ${key} on ${read.node}, which called itself in-sync: operation ${floor.by} had replaced that, and was answered in mode sync before`,
				operations: [floor.by, read.id],
			});
		}
	}
	return violations;
}
