/**
 * What was answered in a mode that may lose it, and is lost: by the position of its answer, which is in the
 * committed log or is not, or by its values where a request in parts was answered with the position of another part. A lost write counts as one that did not happen, and so it was seen by nobody but writes that are lost with it: an early mode
 * moves the answer, not what others see. And it is reported, unless a member that may hold it has not come back.
 */
import type { LogIndex, NodeId, Position, Term } from "../../../skein/src/consensus/types.ts";
import { type LostTransaction, lostDirectory } from "../../../skein/src/node/lost-transactions.ts";
import type { Effect } from "../history/effects.ts";
import { type History, lastItem, mayLose, type Operation } from "../history/history.ts";
import { BrokenProperty } from "../properties/property.ts";
import type { SimulatedDisk } from "../world/disk.ts";

export interface LostWrites {
	/** With every lost write as failed. Without the committed log: as unknown. */
	readonly history: History;
	readonly lost: readonly Operation[];
}

/** What is committed, as far as anybody has applied. */
export interface Committed {
	/** Null where nothing is. */
	readonly termAt: (index: LogIndex) => Term | null;
	readonly effects: readonly Effect[];
}

/** `committed`: null if nobody knows. */
export function withoutLost(history: History, committed: Committed | null): LostWrites {
	const lost: Operation[] = [];
	const values = committed === null ? null : valuesIn(committed.effects);
	const operations = history.operations.map((operation): Operation => {
		const { outcome, position, acknowledgement } = operation;
		if (outcome !== "ok" || acknowledgement === null || !mayLose(acknowledgement)) return operation;
		if (committed === null || values === null) return { ...operation, outcome: "unknown", code: "EARLY" };
		const isThere =
			position === null
				? writtenBy(operation).every((value) => values.has(value))
				: committed.termAt(position.index) === position.term;
		if (isThere) return operation;
		lost.push(operation);
		return { ...operation, outcome: "failed", code: "LOST" };
	});
	return { history: { operations }, lost };
}

function valuesIn(effects: readonly Effect[]): ReadonlySet<string> {
	const values = effects.flatMap(({ writes }) => writes.flatMap(({ value }) => value ?? []));
	return new Set(values.flatMap((value) => [value, lastItem(value)]));
}

/** What it surely leaves behind if it happens, as it stands in its register. */
function writtenBy({ steps, seen }: Operation): string[] {
	const last = new Map<string, string | null>();
	for (const [place, step] of steps.entries()) {
		if (step.kind === "read") continue;
		if (step.kind === "compare-and-set" && seen[place] !== step.expected) continue;
		last.set(step.key, step.kind === "append" ? `${step.value};` : step.value);
	}
	return [...last.values()].filter((value) => value !== null);
}

/** Sessions were told that these tokens are of no history. Throws BrokenProperty. */
export function checkRefusedTokens(tokens: readonly Position[], committed: Committed): void {
	for (const { term, index } of tokens)
		if (committed.termAt(index) === term)
			throw new BrokenProperty(
				"sessions",
				`the token ${term}.${index} was refused as one of no history, and is committed`,
			);
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
	/** This entry is committed, and the member has applied all that is and never had its disk damaged. */
	readonly isKnownCommitted: (node: NodeId, position: Position) => boolean;
	/** Who led in a term has come back, and its log was never damaged: it has no excuse. Null: whoever led at all. */
	readonly mustReport: (term: Term | null) => boolean;
}

/**
 * Who led is the one that surely held what was acknowledged early, and must tell. Its own damage excuses it; that of
 * others, or that it was away for a while, does not.
 */
export function duties(
	leaders: ReadonlyMap<Term, NodeId>,
	isBackAndSound: (node: NodeId) => boolean,
): ReportChecks["mustReport"] {
	return (term) => {
		const all = term === null ? [...leaders.values()] : [leaders.get(term)];
		return all.every((leader) => leader !== undefined && isBackAndSound(leader));
	};
}

/** Throws BrokenProperty. Returns how many lost writes are reported. */
export function checkReports(checks: ReportChecks): number {
	const { lost, reports, isHeld, isKnownCommitted, mustReport } = checks;
	for (const [node, ofNode] of reports) {
		for (const [name, { term, index, certain }] of ofNode) {
			if (name !== `${term}-${index}.json`) throw broken(`${node} reports ${term}-${index} as ${name}`);
			if (isHeld(node, { term, index })) throw broken(`${node} reports ${name} as lost, and holds it`);
			if (certain && isKnownCommitted(node, { term, index }))
				throw broken(`${node} reports ${name} as lost for certain, and it is committed`);
		}
	}
	const all = [...reports.values()].flatMap((ofNode) => [...ofNode.values()]);
	let reported = 0;
	for (const operation of lost) {
		const { id, position, acknowledgement } = operation;
		const found =
			position === null
				? []
				: all.filter(({ term, index }) => term === position.term && index === position.index);
		const told = (position === null ? all : found).some((one) => tellsOf(one, operation));
		if (found.length > 0 && !told)
			throw broken(`operation ${id} is lost, and its report tells of something else`);
		if (told) reported++;
		else if (mustReport(position?.term ?? null))
			throw broken(
				`operation ${id} was acknowledged in mode ${acknowledgement} at ${position?.index ?? "-"} in term ${position?.term ?? "-"} and is lost, and nobody reports it`,
			);
	}
	return reported;
}

/** Its key, its mode, and all values that it wrote. */
function tellsOf(report: LostTransaction, operation: Operation): boolean {
	const { idempotencyKey, acknowledgement } = operation;
	if (report.idempotencyKey !== idempotencyKey) return false;
	if (acknowledgement !== null && !report.acknowledgement.startsWith(acknowledgement)) return false;
	const text = JSON.stringify(report.changes);
	// A statement has the item alone, not the list that it was appended to.
	const isIn = (value: string): boolean =>
		text.includes(value) || (value.endsWith(";") && text.includes(JSON.stringify(value.slice(0, -1))));
	return report.isCut || writtenBy(operation).every(isIn);
}

function broken(what: string): BrokenProperty {
	return new BrokenProperty("lost writes are reported", what);
}
