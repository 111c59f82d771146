/**
 * All properties of the members, together. Each observation costs what it changed: nobody looks at a
 * whole log or all members again, but the recount of a new commit, which asks each voter once.
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import { acknowledgements } from "./acknowledgements.ts";
import { appendOnly } from "./append-only.ts";
import { changes } from "./changes.ts";
import { commitOnMajority } from "./commit-on-majority.ts";
import { createCommitted } from "./committed.ts";
import { committedStays } from "./committed-stays.ts";
import { elections } from "./elections.ts";
import { entriesFit } from "./entries-fit.ts";
import { leaderCompleteness } from "./leader-completeness.ts";
import { logMatching } from "./log-matching.ts";
import { createMemberLogs } from "./member-logs.ts";
import { monotonic } from "./monotonic.ts";
import type { Observation } from "./observation.ts";
import { oneLeader } from "./one-leader.ts";
import { orderings } from "./orderings.ts";
import { promises } from "./promises.ts";
import type { Property } from "./property.ts";
import { recoveredLog } from "./recovered-log.ts";
import { stateEquality } from "./state-equality.ts";
import { storedConfigurations } from "./stored-configurations.ts";
import { witnesses } from "./witnesses.ts";

export interface Watch {
	/**
	 * Throws at the first broken property (BrokenProperty), or at what makes no sense; looks at nothing
	 * after that. It is called from inside production code, which would take what is thrown for a failure
	 * of its own: whoever connects the two catches it there.
	 */
	observe(observation: Observation): void;
	/** What was thrown. */
	readonly broken: Error | null;
	/** The highest index that anybody knew to be committed. */
	committedIndex(): number;
	/** By property: how often it was asked; what is 0 was not tested by a run. */
	readonly asked: ReadonlyMap<string, number>;
}

/** That a property hears of one type of observation. */
interface Hearing {
	readonly type: string;
	readonly name: string;
	readonly hear: (observation: never) => void;
	times: number;
}

/** `leftOut`: for histories that a test makes up, whose leaders nobody has elected. */
export function createWatch(leftOut: readonly string[] = []): Watch {
	const logs = createMemberLogs();
	const committed = createCommitted();
	const all: readonly Property[] = [
		oneLeader(),
		promises(logs),
		elections(logs),
		changes(),
		acknowledgements(logs),
		appendOnly(logs),
		logMatching(logs),
		recoveredLog(logs),
		leaderCompleteness(logs, committed),
		commitOnMajority(logs, committed),
		// After those that ask for what was committed before: it adds what is new.
		committedStays(logs, committed),
		witnesses(logs),
		stateEquality(),
		storedConfigurations(committed),
		entriesFit(),
		orderings(),
		monotonic(),
	];
	const properties = all.filter(({ name }) => !leftOut.includes(name));
	const hearings = properties.flatMap(({ name, on }) =>
		Object.entries(on).map(([type, hear]): Hearing => ({ type, name, hear, times: 0 })),
	);
	const byType = new Map<string, Hearing[]>();
	for (const one of hearings) byType.set(one.type, [...(byType.get(one.type) ?? []), one]);
	/** What a process still computes after its end has no effect, and is nobody's. */
	const ended = new Set<NodeId>();

	function isOver(observation: Observation): boolean {
		const node = observation.type === "sent" ? observation.message.from : observation.node;
		if (observation.type === "ended") ended.add(node);
		else if (observation.type === "started") ended.delete(node);
		else return ended.has(node) && observation.type !== "disk-lost";
		return false;
	}

	function look(observation: Observation): void {
		logs.update(observation);
		const list = byType.get(observation.type);
		if (list === undefined) return;
		for (const one of list) {
			one.times++;
			// The list holds those that want this type.
			one.hear(observation as never);
		}
	}

	const watch: Watch & { broken: Error | null } = {
		broken: null,
		observe(observation) {
			if (watch.broken !== null || isOver(observation)) return;
			try {
				look(observation);
			} catch (error) {
				watch.broken = error instanceof Error ? error : new Error(String(error));
				throw watch.broken;
			}
		},
		committedIndex: () => committed.index,
		get asked() {
			const asked = new Map(properties.map(({ name }) => [name, 0]));
			for (const { name, times } of hearings) asked.set(name, (asked.get(name) ?? 0) + times);
			return asked;
		},
	};
	return watch;
}
