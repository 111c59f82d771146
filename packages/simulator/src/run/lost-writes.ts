/**
 * What was answered in a mode that may lose it, and is lost: by the position of its answer, which is in the
 * committed log or is not, or by its values where a request in parts was answered with the position of another part. A lost write counts as one that did not happen, and so it was seen by nobody but writes that are lost with it: an early mode
 * moves the answer, not what others see. And it is reported by who led, or that one has an excuse (`excuseOf`), which is counted.
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
	/** Why who led in a term need not report; null: it must. Of no known term: whoever led at all. */
	readonly excuse: (term: Term | null) => Excuse | null;
}

/** Why nobody must report what is lost. */
export type Excuse =
	| "its leader's disk was damaged or lost"
	| "its leader's disk counts as damaged"
	| "its leader was removed"
	| "beyond the guarantees, its leader has not caught up"
	| "nobody was seen to lead in its term";

/** What has become of a member at the end. */
export interface Leftover {
	/** Its log may lack what was written to it. */
	readonly hasDamaged: boolean;
	/** It was brought back: nothing that it must keep is known to be gone. */
	readonly isSound: boolean;
	/** By the last configuration. */
	readonly isMember: boolean;
	/** It has applied all that is committed. */
	readonly isBack: boolean;
	readonly isBeyond: boolean;
}

/** Null: it must report what was lost with it. */
export function excuseOf({ hasDamaged, isSound, isMember, isBack, isBeyond }: Leftover): Excuse | null {
	if (hasDamaged) return "its leader's disk was damaged or lost";
	if (!isSound) return "its leader's disk counts as damaged";
	// It runs on, and nobody tells it any more what its log is to be.
	if (!isMember) return "its leader was removed";
	return isBeyond && !isBack ? "beyond the guarantees, its leader has not caught up" : null;
}

/**
 * Who led is the one that surely held what was acknowledged early, and must tell. What happened to others, or that it
 * was away for a while, does not excuse it.
 */
export function duties(
	leaders: ReadonlyMap<Term, NodeId>,
	excuseOfLeader: (node: NodeId) => Excuse | null,
): ReportChecks["excuse"] {
	return (term) => {
		const all = term === null ? [...leaders.values()] : [leaders.get(term)];
		for (const leader of all) {
			const excuse = leader === undefined ? "nobody was seen to lead in its term" : excuseOfLeader(leader);
			if (excuse !== null) return excuse;
		}
		return null;
	};
}

export interface Reported {
	/** So many lost writes are. */
	readonly reported: number;
	/** Of each that is not. */
	readonly excuses: readonly Excuse[];
}

/** Throws BrokenProperty. */
export function checkReports(checks: ReportChecks): Reported {
	const { lost, reports, isHeld, isKnownCommitted } = checks;
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
	const excuses: Excuse[] = [];
	for (const operation of lost) {
		const { id, position, acknowledgement } = operation;
		const found =
			position === null
				? []
				: all.filter(({ term, index }) => term === position.term && index === position.index);
		const told = (position === null ? all : found).some((one) => tellsOf(one, operation));
		if (found.length > 0 && !told)
			throw broken(`operation ${id} is lost, and its report tells of something else`);
		if (told) {
			reported++;
			continue;
		}
		const excuse = checks.excuse(position?.term ?? null);
		if (excuse === null)
			throw broken(
				`operation ${id} was acknowledged in mode ${acknowledgement} at ${position?.index ?? "-"} in term ${position?.term ?? "-"} and is lost, and nobody reports it`,
			);
		excuses.push(excuse);
	}
	return { reported, excuses };
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
