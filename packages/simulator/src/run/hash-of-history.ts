/** What clients asked and saw, for the trace: two runs that tell them other things are not the same. */
import type { History } from "../history/history.ts";
import { createMixer } from "../trace/mixer.ts";

export function hashOf({ operations }: History): string {
	const mixer = createMixer();
	for (const operation of operations) {
		mixer.value(operation.client);
		mixer.value(operation.node);
		mixer.value(operation.invokedAt);
		mixer.value(operation.completedAt);
		mixer.value(operation.outcome);
		mixer.value(operation.code);
		mixer.value(operation.replayed);
		mixer.value(operation.inSync);
		mixer.value(operation.stalenessMs);
		mixer.value(operation.position?.index);
		mixer.value(operation.position?.term);
		for (const [place, step] of operation.steps.entries()) {
			mixer.value(step.kind);
			mixer.value(step.key);
			if (step.kind !== "read") mixer.value(step.value);
			if (step.kind === "compare-and-set") mixer.value(step.expected);
			mixer.value(operation.seen[place]);
		}
	}
	return mixer.hash();
}
