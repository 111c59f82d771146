/**
 * What was answered in a mode that may lose it, and is lost: by the position of its answer, which is in the
 * committed log or is not. A lost write counts as one that did not happen, and so it was seen by nobody: an early mode
 * moves the answer, not what others see. And it is reported, unless a member that may hold it has not come back.
 */
import type { LogIndex, NodeId, Position, Term } from "../../../skein/src/consensus/types.ts";
import { type LostTransaction, lostDirectory } from "../../../skein/src/node/lost-transactions.ts";
import type { History, Operation } from "../history/history.ts";
import { BrokenProperty } from "../properties/property.ts";
import type { SimulatedDisk } from "../world/disk.ts";

export interface LostWrites {
	/** With every lost write as failed. Without the committed log: as unknown. */
	readonly history: History;
	readonly lost: readonly Operation[];
}

/** `committedTerm`: null where nothing is committed; without it nobody knows. */
export function withoutLost(
	history: History,
	committedTerm: ((index: LogIndex) => Term | null) | null,
): LostWrites {
	const lost: Operation[] = [];
	const operations = history.operations.map((operation): Operation => {
		const { outcome, position, acknowledgement } = operation;
		if (outcome !== "ok" || position === null || !isEarly(acknowledgement)) return operation;
		if (committedTerm === null) return { ...operation, outcome: "unknown", code: "EARLY" };
		if (committedTerm(position.index) === position.term) return operation;
		lost.push(operation);
		return { ...operation, outcome: "failed", code: "LOST" };
	});
	return { history: { operations }, lost };
}

function isEarly(acknowledgement: Operation["acknowledgement"]): boolean {
	return acknowledgement === "async" || acknowledgement === "semi-sync";
}

/** By name: what a member's disk reports. */
export function reportsOn(disk: SimulatedDisk): Map<string, LostTransaction> {
	const reports = new Map<string, LostTransaction>();
	for (const [path, file] of disk.files()) {
		const name = path.slice(lostDirectory.length + 1);
		if (!path.startsWith(`${lostDirectory}/`) || !name.endsWith(".json")) continue;
		const text = new TextDecoder().decode(file.read(0, file.sizeBytes));
		const report = parsed(text);
		if (report !== null) reports.set(name, report);
	}
	return reports;
}

/** Null: its bytes were damaged. */
function parsed(text: string): LostTransaction | null {
	try {
		return JSON.parse(text) as LostTransaction;
	} catch {
		return null;
	}
}

export interface ReportChecks {
	readonly lost: readonly Operation[];
	readonly reports: ReadonlyMap<NodeId, ReadonlyMap<string, LostTransaction>>;
	/** The member's log holds this entry. */
	readonly isHeld: (node: NodeId, position: Position) => boolean;
	/** Who led in a term has come back, and its log was never damaged: it has no excuse. */
	readonly mustReport: (term: Term) => boolean;
}

/** Throws BrokenProperty. Returns how many lost writes are reported. */
export function checkReports({ lost, reports, isHeld, mustReport }: ReportChecks): number {
	for (const [node, ofNode] of reports) {
		for (const [name, { term, index }] of ofNode) {
			if (name !== `${term}-${index}.json`) throw broken(`${node} reports ${term}-${index} as ${name}`);
			if (isHeld(node, { term, index })) throw broken(`${node} reports ${name} as lost, and holds it`);
		}
	}
	let reported = 0;
	for (const operation of lost) {
		const { id, position, acknowledgement } = operation;
		if (position === null) continue;
		const name = `${position.term}-${position.index}.json`;
		const found = [...reports.values()].flatMap((ofNode) => ofNode.get(name) ?? []);
		const told = found.find((one) => tellsOf(one, operation));
		if (found.length > 0 && told === undefined)
			throw broken(`operation ${id} is lost, and ${name} tells of something else`);
		if (told !== undefined) reported++;
		else if (mustReport(position.term))
			throw broken(
				`operation ${id} was acknowledged in mode ${acknowledgement} at ${position.index} in term ${position.term} and is lost, and nobody reports it`,
			);
	}
	return reported;
}

/** Its key, its mode, and all values that it wrote. */
function tellsOf(report: LostTransaction, { steps, idempotencyKey, acknowledgement }: Operation): boolean {
	if (report.idempotencyKey !== idempotencyKey) return false;
	if (acknowledgement !== null && !report.acknowledgement.startsWith(acknowledgement)) return false;
	const text = JSON.stringify(report.changes);
	const last = new Map<string, string>();
	for (const step of steps) if (step.kind !== "read") last.set(step.key, step.value ?? "");
	return report.isCut || [...last.values()].every((value) => text.includes(value));
}

function broken(what: string): BrokenProperty {
	return new BrokenProperty("lost writes are reported", what);
}
