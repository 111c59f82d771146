/**
 * Folding: neighbouring requests of a pipeline become one program, so that a pipeline costs one
 * journey to where it runs instead of one a request. Every request's steps stay independent of the
 * others': conditions are moved by the offset at which the request's steps begin.
 */
import type { Condition, ProgramOutcome, Statement, Step } from "../../database/program.ts";
import { encodeError } from "../errors.ts";
import { type EncodedStep, encodeStep, errorResult, okResult } from "./results.ts";
import { controlsTransaction, sequenceFailure } from "./sequence-failure.ts";

type Kind = "execute" | "batch" | "sequence";

interface Part {
	readonly kind: Kind;
	/** Place in the pipeline's results. */
	readonly slot: number;
	readonly firstStep: number;
	readonly steps: number;
}

export interface Fold {
	readonly steps: Step[];
	readonly parts: Part[];
	/** The stream had a transaction open when its program was sent. */
	wasOpen: boolean;
}

export function emptyFold(): Fold {
	return { steps: [], parts: [], wasOpen: false };
}

export function addExecute(fold: Fold, slot: number, statement: Statement): void {
	add(fold, "execute", slot, [{ condition: null, statement }]);
}

export function addBatch(fold: Fold, slot: number, steps: readonly Step[]): void {
	add(fold, "batch", slot, steps);
}

/** Each statement runs only if the one before succeeded; rows are dropped. */
export function addSequence(fold: Fold, slot: number, statements: readonly string[]): void {
	const steps = statements.map(
		(sql, index): Step => ({
			condition: index === 0 ? null : { type: "ok", step: index - 1 },
			statement: { sql, arguments: [], namedArguments: [], wantRows: false },
		}),
	);
	add(fold, "sequence", slot, steps);
}

function add(fold: Fold, kind: Kind, slot: number, steps: readonly Step[]): void {
	const firstStep = fold.steps.length;
	fold.parts.push({ kind, slot, firstStep, steps: steps.length });
	for (const step of steps) {
		fold.steps.push(
			firstStep === 0 || step.condition === null
				? step
				: { condition: moved(step.condition, firstStep), statement: step.statement },
		);
	}
}

function moved(condition: Condition, offset: number): Condition {
	switch (condition.type) {
		case "ok":
		case "error":
			return { type: condition.type, step: condition.step + offset };
		case "not":
			return { type: "not", condition: moved(condition.condition, offset) };
		case "and":
		case "or":
			return { type: condition.type, conditions: condition.conditions.map((each) => moved(each, offset)) };
		case "is-autocommit":
			return condition;
		default: {
			const never: never = condition;
			return never;
		}
	}
}

/** Each request's own result out of the program's outcome. */
export function unfold(fold: Fold, outcome: ProgramOutcome, results: string[]): void {
	if (outcome.results.length !== fold.steps.length || outcome.errors.length !== fold.steps.length) {
		throw new Error(
			`a program of ${fold.steps.length} steps came back with ${outcome.results.length} results`,
		);
	}
	for (const part of fold.parts) results[part.slot] = encodePart(fold, part, outcome);
}

function encodePart(fold: Fold, { kind, firstStep, steps }: Part, outcome: ProgramOutcome): string {
	switch (kind) {
		case "execute": {
			const { result, error } = encodeStep(outcome, firstStep);
			if (error !== null) return errorResult(error);
			if (result === null) throw new Error("a step without a condition was skipped");
			return okResult("execute", `,"result":${result}`);
		}
		case "batch":
			return encodeBatch(Array.from({ length: steps }, (_, step) => encodeStep(outcome, firstStep + step)));
		case "sequence": {
			const failed = outcome.errors.slice(firstStep, firstStep + steps).findIndex((error) => error !== null);
			const failure = outcome.errors[firstStep + failed] ?? null;
			if (failed === -1 || failure === null) return okResult("sequence", "");
			const statements = fold.steps.slice(firstStep, firstStep + steps).map(({ statement }) => statement.sql);
			const earlier = fold.steps.slice(0, firstStep);
			const isUncertain = earlier.some(({ statement }) => controlsTransaction(statement.sql));
			const began = isUncertain ? "uncertain" : fold.wasOpen ? "inside" : "outside";
			return errorResult(encodeError(sequenceFailure({ statements, failed, failure, began })));
		}
		default: {
			const never: never = kind;
			return never;
		}
	}
}

function encodeBatch(steps: readonly EncodedStep[]): string {
	const results = steps.map(({ result }) => result ?? "null").join(",");
	const errors = steps.map(({ error }) => error ?? "null").join(",");
	return okResult("batch", `,"result":{"step_results":[${results}],"step_errors":[${errors}]}`);
}
