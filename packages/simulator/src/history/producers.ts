/** Who wrote a value, of all requests, also those that failed. Several if values are not unique. */
import { requestsOf } from "./attempts.ts";
import type { History, Key, Operation } from "./history.ts";

export interface Producers {
	/** Of a list: of each of its items. */
	of(key: Key, value: string): readonly (readonly Operation[])[];
}

export function producersOf(history: History): Producers {
	const byKey = new Map<Key, Map<string, Operation[]>>();
	const lists = new Set<Key>();
	for (const request of requestsOf(history)) {
		for (const step of request.steps) {
			if (step.kind === "read" || step.value === null) continue;
			if (step.kind === "append") lists.add(step.key);
			const name = step.kind === "append" ? `${step.value};` : step.value;
			const values = byKey.get(step.key) ?? new Map<string, Operation[]>();
			byKey.set(step.key, values);
			const producers = values.get(name);
			if (producers === undefined) values.set(name, [request]);
			else if (!producers.includes(request)) producers.push(request);
		}
	}
	return {
		of(key, value) {
			const values = byKey.get(key);
			const whole = values?.get(value);
			if (whole !== undefined || !lists.has(key)) return [whole ?? []];
			return (value.match(/[^;]*;/gu) ?? [value]).map((item) => values?.get(item) ?? []);
		},
	};
}
