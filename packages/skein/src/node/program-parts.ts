/**
 * A program in parts that run one after the other on the same stream.
 *
 * Why: the answer of a program that leaves a transaction open is given at once, since there is
 * nothing to replicate before the COMMIT. What the program did before that transaction began
 * (`INSERT …; BEGIN; …`, `…; COMMIT; BEGIN; …`) would then be answered as done while no log holds it.
 * So it is cut before each statement that may open a transaction behind something that counts by
 * itself, and each part is answered for when its own effects are committed. To SQLite a program is a
 * row of statements on one connection, so the parts mean the same; that others may write between them
 * is so outside of a transaction anyway. What a part knows of those before it, its conditions, is
 * known when it begins. Refusing such programs would be simpler, but they are what pipelining clients
 * send: neighbouring requests become one program, so `COMMIT` and the next `BEGIN` meet in one.
 */

import { SkeinError } from "../../../client/src/errors.ts";
import type { StatementKind } from "../database/parsed-statement.ts";
import type { Condition, Program, ProgramOutcome, Step } from "../database/program.ts";
import { parseStatement } from "../database/sql.ts";
import type { Answer } from "./service.ts";
import { weakerOf } from "./weaker-acknowledgement.ts";

/** What a program may do outside of the transaction that may be open at its end. */
export interface Reach {
	/** The steps before which it must be cut. */
	readonly cuts: readonly number[];
	/** Some step may commit something. */
	readonly mayCommit: boolean;
}

/**
 * `opened`: a transaction is open when the program begins. A statement that is perhaps inside a
 * transaction counts as outside: cutting once too often costs a journey, cutting too seldom a write.
 */
export function reachOf(steps: readonly Step[], kinds: readonly StatementKind[], opened: boolean): Reach {
	const cuts: number[] = [];
	let surelyInside = opened;
	/** Something since the last cut may have happened outside. */
	let counts = false;
	let mayCommit = false;
	for (const [place, kind] of kinds.entries()) {
		switch (kind) {
			case "begin":
			case "savepoint":
				if (counts && !surelyInside) {
					cuts.push(place);
					counts = false;
				}
				surelyInside ||= surelyOpens(steps[place]);
				break;
			case "commit":
			case "rollback":
			case "release":
				surelyInside = false;
				counts = true;
				break;
			case "read":
			case "write":
			case "schema":
			case "pragma-write":
				counts ||= !surelyInside;
				break;
			case "rollback-to":
			case "pragma-foreign-keys":
			case "no-op":
				break;
			default: {
				const never: never = kind;
				throw new Error(String(never));
			}
		}
		mayCommit ||= counts;
	}
	return { cuts, mayCommit };
}

/** A BEGIN that SQLite accepts fails only where a transaction is open. The names of savepoints may be no names to SQLite. */
function surelyOpens(step: Step | undefined): boolean {
	if (step?.condition !== null || step.statement.sql.length > maxPlainLength) return false;
	return plainBegin.test(step.statement.sql);
}

/** The pattern tries every way to share blanks out: of a long text it would take for ever. */
const maxPlainLength = 100;
const plainBegin = /^\s*begin(\s+(deferred|immediate|exclusive))?(\s+transaction(\s+readonly)?)?\s*;?\s*$/i;

/** The steps of a program from one to before another; what it asks of earlier steps is answered by their outcome. */
export function partOf(
	program: Program,
	from: number,
	until: number,
	before: Pick<ProgramOutcome, "results" | "errors">,
): Program {
	return {
		steps: program.steps.slice(from, until).map(({ condition, statement }) => {
			if (condition === null) return { condition, statement };
			const known = resolved(condition, from, before);
			return { condition: typeof known === "boolean" ? constant(known) : known, statement };
		}),
	};
}

/** Always, or never: an `or` of nothing. */
function constant(value: boolean): Condition | null {
	return value ? null : { type: "or", conditions: [] };
}

function resolved(
	condition: Condition,
	from: number,
	before: Pick<ProgramOutcome, "results" | "errors">,
): Condition | boolean {
	switch (condition.type) {
		case "ok":
		case "error":
			if (condition.step >= from) return { type: condition.type, step: condition.step - from };
			return ((condition.type === "ok" ? before.results : before.errors)[condition.step] ?? null) !== null;
		case "not": {
			const inner = resolved(condition.condition, from, before);
			return typeof inner === "boolean" ? !inner : { type: "not", condition: inner };
		}
		case "and":
		case "or": {
			const decisive = condition.type === "or";
			const inner = condition.conditions.map((each) => resolved(each, from, before));
			if (inner.includes(decisive)) return decisive;
			const open = inner.filter((each) => typeof each !== "boolean");
			return open.length === 0 ? !decisive : { type: condition.type, conditions: open };
		}
		case "is-autocommit":
			return condition;
		default: {
			const never: never = condition;
			return never;
		}
	}
}

/**
 * `last_insert_rowid()` and `changes()` tell of the connection, on which others write between two
 * parts: a part that asks for them before it wrote anything would be told of somebody else's row.
 */
export function refuseForeignCounters(program: Program, cuts: readonly number[]): void {
	for (const [number, start] of cuts.entries()) {
		for (const { statement } of program.steps.slice(start, cuts[number + 1])) {
			if (/\b(last_insert_rowid|(total_)?changes)\s*\(/i.test(statement.sql)) throw usesForeignCounters();
			if (parseStatement(statement.sql).kind === "write") break;
		}
	}
}

function usesForeignCounters(): SkeinError {
	return new SkeinError(
		"last_insert_rowid(), changes() and total_changes() cannot tell of a change before BEGIN in a program that leaves its transaction open; nothing was run: put the change behind BEGIN, or use the result of its statement",
		{ code: "UNSUPPORTED_SQL" },
	);
}

/** The answer of a program whose parts were answered one by one. */
export function joined(before: Answer, after: Answer): Answer {
	return {
		outcome: {
			...after.outcome,
			results: [...before.outcome.results, ...after.outcome.results],
			errors: [...before.outcome.errors, ...after.outcome.errors],
		},
		position: after.position.index > before.position.index ? after.position : before.position,
		stalenessMs: null,
		inSync: null,
		replayed: before.replayed || after.replayed,
		acknowledgement: weakerOf(before.acknowledgement, after.acknowledgement),
	};
}

/**
 * A part failed as a whole, and those after it were not begun: nothing of them happened, but what was
 * before them did, so the program cannot fail as a whole.
 */
export function cutShort(before: Answer, error: SkeinError, steps: number, foreignKeys: boolean): Answer {
	const { code, message, extendedCode } = error;
	const missing = steps - before.outcome.results.length;
	return {
		...before,
		outcome: {
			results: [...before.outcome.results, ...Array.from({ length: missing }, () => null)],
			errors: [
				...before.outcome.errors,
				...Array.from({ length: missing }, () => ({ code, message, extendedCode })),
			],
			autocommit: true,
			foreignKeys,
		},
	};
}

/** The program with a BEGIN before it: every step moves by one, and so do the conditions that name steps. */
export function withBegin(program: Program): Program {
	const begin: Step = {
		condition: null,
		statement: { sql: "BEGIN IMMEDIATE", arguments: [], namedArguments: [], wantRows: false },
	};
	return {
		steps: [
			begin,
			...program.steps.map((step) => ({
				...step,
				condition: step.condition === null ? null : shifted(step.condition),
			})),
		],
	};
}

function shifted(condition: Condition): Condition {
	switch (condition.type) {
		case "ok":
		case "error":
			return { type: condition.type, step: condition.step + 1 };
		case "not":
			return { type: "not", condition: shifted(condition.condition) };
		case "and":
		case "or":
			return { type: condition.type, conditions: condition.conditions.map(shifted) };
		case "is-autocommit":
			return condition;
	}
}
