/** At the end of a run: what clients saw, against what the cluster promised and what it did. */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import { checkBounded } from "../history/bounded.ts";
import { checkDurability } from "../history/durability.ts";
import { type Effect, timelineOf } from "../history/effects.ts";
import type { History, Key, Operation, Value } from "../history/history.ts";
import { checkInSync } from "../history/in-sync.ts";
import { checkLinearizability } from "../history/linearizability.ts";
import { checkOnce } from "../history/once.ts";
import { checkSessions } from "../history/sessions.ts";
import { checkSnapshots } from "../history/snapshots.ts";
import type { Violation } from "../history/violation.ts";
import { BrokenProperty } from "../properties/property.ts";

export const historyProperties = [
	"snapshots",
	"once",
	"sessions",
	"bounded reads",
	"in-sync reads",
	"durability",
	"linearizability",
] as const;
export type HistoryProperty = (typeof historyProperties)[number];

export interface EndState {
	readonly history: History;
	/** Null: payloads could not be read. */
	readonly effects: readonly Effect[] | null;
	/** Of members that have applied everything. */
	readonly states: ReadonlyMap<NodeId, ReadonlyMap<Key, Value>>;
	/** Hears what is judged, and of how many operations that it promises something to. */
	readonly ask: (property: HistoryProperty, times: number) => void;
}

/** Throws BrokenProperty. Returns whether linearizability could be decided. */
export function checkAll(end: EndState): { readonly decided: boolean } {
	const { history, effects, states } = end;
	for (const name of historyProperties)
		if (name !== "durability" || effects !== null)
			end.ask(name, history.operations.filter((one) => isPromised(name, one)).length);
	const timeline = effects === null ? null : timelineOf(effects);
	report(history, "snapshots", checkSnapshots(history, timeline));
	report(history, "once", checkOnce(history, timeline));
	report(history, "sessions", checkSessions(history, { timeline }));
	// No allowance for drift: members make it themselves.
	report(history, "bounded reads", checkBounded(history, { timeline }));
	report(history, "in-sync reads", checkInSync(history, timeline));
	if (timeline !== null) report(history, "durability", checkDurability(history, { timeline, states }));
	const linearizability = checkLinearizability(history);
	if (linearizability.verdict === "bad") {
		const { reason, operations } = linearizability;
		report(history, "linearizability", [{ reason, operations }]);
	}
	return { decided: linearizability.verdict !== "not decided" };
}

/** What no answer asked for was not tested. */
function isPromised(property: HistoryProperty, operation: Operation): boolean {
	const { outcome, session, level, acknowledgement, idempotencyKey, inSync, stalenessMs } = operation;
	if (outcome !== "ok") return false;
	switch (property) {
		case "snapshots":
		case "linearizability":
			return true;
		case "once":
			return idempotencyKey !== null;
		case "sessions":
			return session !== null;
		case "bounded reads":
			return level?.level === "bounded" || stalenessMs !== null;
		case "in-sync reads":
			return inSync === true;
		case "durability":
			return acknowledgement !== null;
		default: {
			const never: never = property;
			throw new Error(String(never));
		}
	}
}

const shownOperations = 12;

function report(history: History, property: HistoryProperty, violations: readonly Violation[]): void {
	const [first] = violations;
	if (first === undefined) return;
	const lines = first.operations.slice(0, shownOperations).map((id) => {
		const operation = history.operations[id];
		if (operation === undefined) return `operation ${id}`;
		const { client, node, invokedAt, completedAt, outcome, code, steps, seen, level, position } = operation;
		const what = steps.map((step, place) => {
			const value = step.kind === "read" ? "" : `=${shorten(step.value)}`;
			return `${step.kind} ${step.key}${value} saw ${shorten(seen[place] ?? null)}`;
		});
		return `  ${id}: ${client} on ${node}, ${invokedAt.toFixed(1)} to ${completedAt?.toFixed(1) ?? "never"}, ${level?.level ?? "write"}, ${outcome} ${code ?? ""} at ${position?.index ?? "-"}: ${what.join("; ")}`;
	});
	throw new BrokenProperty(property, [first.reason, ...lines].join("\n"));
}

function shorten(value: Value): string {
	if (value === null) return "nothing";
	return value.length > 40 ? `…${value.slice(-40)}` : value;
}
