/** Says of each statement of a text how it would be logged with the schema as it is now. It runs none of them. */
import type { DatabaseSync } from "node:sqlite";
import type { Guard } from "../connection.ts";
import type { LogExplanation, StatementExplanation } from "../explanation.ts";
import type { LogFormat } from "../log-format.ts";
import { parseStatement, splitStatements } from "../sql.ts";
import { createSightCollector } from "../statement-sight.ts";
import { createStatementJudge, type StatementJudge } from "./log-as.ts";
import { isTableAsSelect } from "./schema-statement.ts";

const maxStatements = 1_000;
const whatever = "the log format is wal: whatever it does is logged as pages of the database";

export function explainLogging(
	connection: DatabaseSync,
	guard: Guard,
	format: LogFormat,
	sql: string,
): LogExplanation {
	const judge = createStatementJudge(connection, guard);
	const statements = splitStatements(sql).slice(0, maxStatements);
	return { format, statements: statements.map((one) => explain(connection, guard, format, judge, one)) };
}

function explain(
	connection: DatabaseSync,
	guard: Guard,
	format: LogFormat,
	judge: StatementJudge,
	sql: string,
): StatementExplanation {
	const as = (
		logged: StatementExplanation["logged"],
		...reasons: readonly string[]
	): StatementExplanation => ({
		sql,
		logged,
		reasons,
	});
	const { kind, problem } = parseStatement(sql);
	if (problem !== null) return as("refused", problem.message);
	switch (kind) {
		case "read":
			return as("nothing", "it only reads");
		case "begin":
		case "commit":
		case "rollback":
		case "savepoint":
		case "release":
		case "rollback-to":
			return as("nothing", "what a transaction changed is logged as a whole, when it commits");
		case "no-op":
		case "pragma-foreign-keys":
			return as("nothing", "it changes nothing in the database");
		case "pragma-write":
			if (format === "wal") return as("pages", whatever);
			return as("schema", "it is kept in the database's header, and its text is logged in every format");
		case "schema":
			if (format === "wal") return as("pages", whatever);
			return isTableAsSelect(sql)
				? as(
						"rows",
						"the SELECT is asked once: the schema that results is logged as SQL, what it found as rows",
					)
				: as("schema", "changes of the schema are logged as SQL in every format");
		case "write":
			break;
	}
	const { see, sight } = createSightCollector();
	try {
		guard(() => connection.prepare(sql), see);
	} catch (error) {
		return as("refused", error instanceof Error ? error.message : String(error));
	}
	if (format === "wal") return as("pages", whatever);
	if (format === "row") return as("rows", "the log format is row");
	const judged = judge.judge(sql, sight);
	if (judged.as === "rows") return as("rows", ...judged.reasons);
	return as("statement", "it does the same on every member, in whatever order rows are found");
}
