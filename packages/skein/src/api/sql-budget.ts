/**
 * How much SQL one request may bring. All of it is read on the event loop before it goes anywhere, at some
 * 50 ms for a million characters: without a bound one request would hold up the heartbeats.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import { textProblem } from "../database/sql.ts";
import { badRequest } from "./errors.ts";
import type { ApiLimits } from "./limits.ts";

export interface SqlBudget {
	/** Counts a text before it is read. Throws PAYLOAD_TOO_LARGE; BAD_REQUEST for one that SQLite would not read as it is. */
	take(sql: string): void;
	/** Counts the statements that were found in it. Throws PAYLOAD_TOO_LARGE. */
	takeStatements(count: number): void;
}

export function checkText(sql: string): void {
	const problem = textProblem(sql);
	if (problem !== null) throw badRequest(problem);
}

export function createSqlBudget(limits: Pick<ApiLimits, "maxSqlLength" | "maxStatements">): SqlBudget {
	const { maxSqlLength, maxStatements } = limits;
	let length = 0;
	let statements = 0;
	return {
		take(sql) {
			length += sql.length;
			if (length <= maxSqlLength) return checkText(sql);
			throw new SkeinError(
				`the SQL texts of one request can have ${maxSqlLength} characters together: send values as parameters, or several requests`,
				{ code: "PAYLOAD_TOO_LARGE" },
			);
		},
		takeStatements(count) {
			statements += count;
			if (statements <= maxStatements) return;
			throw new SkeinError(
				`one request can have ${maxStatements} statements: insert many rows with one statement, or send several requests`,
				{ code: "PAYLOAD_TOO_LARGE" },
			);
		},
	};
}
