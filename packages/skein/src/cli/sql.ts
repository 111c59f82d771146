// `skein sql`: statements from the command line, a script from stdin, or the interactive shell.

import { homedir } from "node:os";
import { join } from "node:path";
import { connect, type Stream } from "../../../client/src/index.ts";
import { commandLineClient } from "./client-options.ts";
import type { OptionValues, sqlOptions } from "./options.ts";
import { errorText } from "./sql/show-error.ts";
import { jsonOf, tableOf } from "./sql/show-result.ts";
import { cutStatements } from "./sql/statement-reader.ts";

type SqlValues = OptionValues<typeof sqlOptions>;

export async function sql(values: SqlValues, argument: string | undefined): Promise<void> {
	const client = connect(values.url, commandLineClient);
	if (argument === undefined && process.stdin.isTTY) {
		const { runShell } = await import("./sql/shell.ts");
		const historyPath = join(homedir(), ".skein_history");
		await runShell(client, values, { input: process.stdin, output: process.stdout, historyPath });
		return;
	}
	const stream = client.openStream();
	const source = argument === undefined ? process.stdin.setEncoding("utf8") : [argument];
	try {
		for await (const statement of statementsOf(source)) await runOne(stream, statement, values);
		if (!stream.isAutocommit) throw new Error("the script left a transaction open: it is rolled back");
	} catch (error) {
		console.error(`Error: ${errorText(error)}`);
		process.exitCode = 1;
	} finally {
		await stream.close();
	}
}

async function runOne(stream: Stream, statement: string, values: SqlValues): Promise<void> {
	const result = await stream.execute(statement);
	const text = values.json ? jsonOf(result) : tableOf(result);
	if (text !== "") await write(`${text}\n`);
	else if (result.changes > 0 && process.stdout.isTTY) {
		await write(`${result.changes} ${result.changes === 1 ? "row" : "rows"} changed\n`);
	}
}

/** Statement by statement, so that a script may be longer than the memory. The last needs no semicolon. */
async function* statementsOf(source: AsyncIterable<unknown> | Iterable<string>): AsyncGenerator<string> {
	let pending = "";
	for await (const chunk of source) {
		const cut = cutStatements(pending + String(chunk));
		yield* cut.statements;
		pending = cut.rest;
	}
	const last = cutStatements(`${pending}\n`);
	yield* last.statements;
	if (last.rest !== "") yield last.rest;
}

/** Waits until a slow reader of our output has taken it, and so bounds what is buffered. */
async function write(text: string): Promise<void> {
	if (process.stdout.write(text)) return;
	await new Promise<void>((resolve) => process.stdout.once("drain", resolve));
}
