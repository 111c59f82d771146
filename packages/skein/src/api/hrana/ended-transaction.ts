/**
 * A stream whose transaction ended with an error, without its client (a time limit, a lost leader). Clients that
 * send statement after statement may not look at each error: what they meant to run inside must not run, and be
 * kept, outside. So nothing is run on the stream until its client ends the transaction too, or begins another.
 */
import { SkeinError } from "../../../../client/src/errors.ts";
import type { StatementKind } from "../../database/parsed-statement.ts";
import type { Step } from "../../database/program.ts";
import { parseStatement } from "../../database/sql.ts";

export type AfterEnd =
	/** Nothing is left to be done. */
	| "acknowledged"
	/** It ends the transaction as if it were there: it is told, and that is all. */
	| "ended"
	/** It goes on without it. */
	| "begins"
	| "inside";

/** No client writes BEGIN or COMMIT longer. */
const maxControlLength = 1_000;

/** What the first statement of a request means on such a stream. */
export function afterEnd(sql: string): AfterEnd {
	// Parsing is not counted against the request's budget here.
	if (sql.length > maxControlLength) return "inside";
	switch (parseStatement(sql).kind) {
		case "rollback":
			return "acknowledged";
		case "commit":
			return "ended";
		case "begin":
			return "begins";
		default:
			return "inside";
	}
}

const ending: ReadonlySet<StatementKind> = new Set(["commit", "rollback"]);

/** Its client ends the transaction with this program, and does not think of it as open, however that went. */
export function ends(steps: readonly Step[]): boolean {
	return steps.some(({ statement }) => ending.has(parseStatement(statement.sql).kind));
}

export function outsideOfTransaction({ code }: SkeinError): SkeinError {
	return new SkeinError(
		"the transaction of this stream ended with an error before, and this was not run outside of it: ROLLBACK, or BEGIN again",
		{ code },
	);
}
