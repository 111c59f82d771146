/**
 * What a client is told when a script failed in its middle. Statements outside of a transaction are kept one
 * by one, so "did not happen" would be a lie about those before: sent again, they would happen twice.
 */
import type { Outcome } from "../../../../client/src/errors.ts";
import type { StatementKind } from "../../database/parsed-statement.ts";
import type { StatementFailure } from "../../database/program.ts";
import { parseStatement } from "../../database/sql.ts";
import type { ErrorView } from "../errors.ts";

const shownLength = 60;

export interface FailedSequence {
	readonly statements: readonly string[];
	/** Which of them failed; those before it ran. */
	readonly failed: number;
	readonly failure: StatementFailure;
	/** Where the script began: "inside" a transaction that its stream had open, or it cannot be told. */
	readonly began: "inside" | "outside" | "uncertain";
}

export function sequenceFailure({ statements, failed, failure, began }: FailedSequence): ErrorView {
	if (statements.length === 1) return failure;
	const text = (statements[failed] ?? "").slice(0, 4 * shownLength).replaceAll(/\s+/g, " ");
	const shown = text.length > shownLength ? `${text.slice(0, shownLength)}…` : text;
	const message = `statement ${failed + 1} of ${statements.length} (${shown}): ${failure.message}`;
	const outcome = outcomeOf(statements.slice(0, failed), began);
	switch (outcome) {
		case "happened":
			return {
				...failure,
				outcome,
				message: `${message}; what came before it is kept: do not send the whole again`,
			};
		case "unknown":
			return {
				...failure,
				outcome,
				message: `${message}; what came before it may be kept: look before you send it again`,
			};
		case "did-not-happen":
			return { ...failure, outcome, message };
		default: {
			const never: never = outcome;
			return never;
		}
	}
}

/** Of what ran before the failure. Only what is plain to see is said: else somebody must look. */
function outcomeOf(before: readonly string[], began: FailedSequence["began"]): Outcome {
	const kinds = before.map((sql) => parseStatement(sql).kind);
	if (!kinds.some((kind) => changing.has(kind))) return "did-not-happen";
	const control = kinds.filter((kind) => controlling.has(kind));
	// In a transaction that is open still: its client ends it, or nothing of it happens.
	if (began === "inside" && control.length === 0) return "did-not-happen";
	if (began !== "outside") return "unknown";
	const first = kinds.findIndex((kind) => controlling.has(kind));
	if (kinds.slice(0, first === -1 ? kinds.length : first).some((kind) => changing.has(kind)))
		return "happened";
	return control.length === 1 && control[0] === "begin" ? "did-not-happen" : "unknown";
}

export function controlsTransaction(sql: string): boolean {
	return controlling.has(parseStatement(sql).kind);
}

const changing: ReadonlySet<StatementKind> = new Set(["write", "schema", "pragma-write"]);
const controlling: ReadonlySet<StatementKind> = new Set([
	"begin",
	"commit",
	"rollback",
	"savepoint",
	"release",
	"rollback-to",
]);
