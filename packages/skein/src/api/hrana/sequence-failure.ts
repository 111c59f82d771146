/**
 * What a client is told when a script failed in its middle. Statements outside of a transaction are kept one
 * by one, so "did not happen" would be a lie about those before: sent again, they would happen twice.
 */
import type { ProgramOutcome, StatementFailure } from "../../database/program.ts";
import { parseStatement } from "../../database/sql.ts";
import type { ErrorView } from "../errors.ts";

const shownLength = 60;

export interface FailedSequence {
	readonly statements: readonly string[];
	/** Which of them failed. */
	readonly failed: number;
	readonly failure: StatementFailure;
	/** Of the stream, after all of it. */
	readonly autocommit: ProgramOutcome["autocommit"];
}

export function sequenceFailure({ statements, failed, failure, autocommit }: FailedSequence): ErrorView {
	if (statements.length === 1) return failure;
	const text = (statements[failed] ?? "").replaceAll(/\s+/g, " ");
	const shown = text.length > shownLength ? `${text.slice(0, shownLength)}…` : text;
	const where = `statement ${failed + 1} of ${statements.length} (${shown})`;
	const isKept = keepsSomething(statements.slice(0, failed), autocommit);
	const kept = isKept ? "; what came before it is kept: do not send the whole again" : "";
	return {
		...failure,
		message: `${where}: ${failure.message}${kept}`,
		outcome: isKept ? "happened" : "did-not-happen",
	};
}

function keepsSomething(before: readonly string[], autocommit: boolean): boolean {
	const kinds = before.map((sql) => parseStatement(sql).kind);
	// What is inside a transaction that is still open is rolled back, or is its client's to end.
	const open = kinds.lastIndexOf("begin");
	const committed = autocommit ? kinds : kinds.slice(0, Math.max(open, 0));
	return committed.some((kind) => kind === "write" || kind === "schema" || kind === "pragma-write");
}
