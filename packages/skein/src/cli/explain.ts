// `skein explain`: how statements would be logged, and why, by the schema of the node that is asked.

import { connect } from "../../../client/src/index.ts";
import type { LogExplanation, StatementExplanation } from "../database/explanation.ts";
import { isLogFormat, logFormats } from "../database/log-format.ts";
import { commandLineClient } from "./client-options.ts";
import type { explainOptions, OptionValues } from "./options.ts";
import { UsageError } from "./usage-error.ts";

export async function explain(
	values: OptionValues<typeof explainOptions>,
	sql: string | undefined,
): Promise<void> {
	if (sql === undefined) throw new UsageError("give the SQL that is to be explained");
	const { format } = values;
	if (format !== null && !isLogFormat(format))
		throw new UsageError(`"${format}" is no log format: it is ${logFormats.join(" or ")}`);
	const client = connect(values.url, commandLineClient);
	const answer = await client.call("POST", "explain", format === null ? { sql } : { sql, format });
	if (values.json) {
		console.log(JSON.stringify(answer));
		return;
	}
	console.log(textOf(answer as LogExplanation));
}

export function textOf({ format, statements }: LogExplanation): string {
	return [`log format: ${format}`, ...statements.map(describe)].join("\n\n");
}

function describe({ sql, logged, reasons }: StatementExplanation): string {
	const text = sql.length > 500 ? `${sql.slice(0, 500)}…` : sql;
	return [text, `  ${headings[logged]}`, ...reasons.map((reason) => `  - ${reason}`)].join("\n");
}

const headings: Readonly<Record<StatementExplanation["logged"], string>> = {
	statement: "logged as SQL and arguments:",
	rows: "logged as the rows that it changes:",
	schema: "logged as SQL:",
	pages: "logged as the pages that it changes:",
	nothing: "not logged:",
	refused: "fails:",
};
