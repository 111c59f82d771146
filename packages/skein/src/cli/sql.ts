// `skein sql`: statements from the command line, a script from stdin, or the interactive shell.

import { homedir } from "node:os";
import { join } from "node:path";
import { connect, SkeinError, type Stream } from "../../../client/src/index.ts";
import { commandLineClient } from "./client-options.ts";
import type { OptionValues, sqlOptions } from "./options.ts";
import { createScriptProgress } from "./sql/script-progress.ts";
import { readScript } from "./sql/script-reader.ts";
import { errorText } from "./sql/show-error.ts";
import { jsonOf, tableOf } from "./sql/show-result.ts";

type SqlValues = OptionValues<typeof sqlOptions>;

export async function sql(values: SqlValues, argument: string | undefined): Promise<void> {
	const { consistency, acknowledgement } = values;
	const client = connect(values.url, {
		...commandLineClient,
		consistency,
		...(acknowledgement === null ? {} : { acknowledgement }),
	});
	if (argument === undefined && process.stdin.isTTY) {
		const { runShell } = await import("./sql/shell.ts");
		const historyPath = join(homedir(), ".skein_history");
		await runShell(client, values, { input: process.stdin, output: process.stdout, historyPath });
		return;
	}
	const stream = client.openStream();
	const source = argument === undefined ? process.stdin.setEncoding("utf8") : [argument];
	const progress = createScriptProgress();
	const output = watchOutput();
	try {
		for await (const statement of readScript(source)) {
			if (output.isClosed()) throw new OutputClosed();
			progress.begins(statement);
			const text = await runOne(stream, statement.text, values);
			progress.succeeded(stream.isAutocommit);
			if (text !== "") await output.write(text);
		}
		if (!stream.isAutocommit) throw new Error("the script left a transaction open: it is rolled back");
	} catch (error) {
		process.exitCode = 1;
		// Who closed it knows that, and wants to hear no more.
		if (error instanceof OutputClosed) return;
		const outcome = error instanceof SkeinError ? error.outcome : "did-not-happen";
		const report = progress.report(outcome);
		console.error(`Error: ${errorText(error)}${report === "" ? "" : `\n${report}`}`);
	} finally {
		await stream.close();
	}
}

/** What is to be printed. */
async function runOne(stream: Stream, statement: string, values: SqlValues): Promise<string> {
	const result = await stream.execute(statement);
	const text = values.json ? jsonOf(result) : tableOf(result);
	if (text !== "") return `${text}\n`;
	if (result.changes === 0 || !process.stdout.isTTY) return "";
	return `${result.changes} ${result.changes === 1 ? "row" : "rows"} changed\n`;
}

/** Whoever read our output (`| head`) has enough. */
class OutputClosed extends Error {}

interface Output {
	isClosed(): boolean;
	/** Waits until a slow reader has taken it, and so bounds what is buffered. */
	write(text: string): Promise<void>;
}

function watchOutput(): Output {
	let isClosed = false;
	const closed = new Promise<void>((resolve) => {
		process.stdout.once("error", () => {
			isClosed = true;
			resolve();
		});
	});
	return {
		isClosed: () => isClosed,
		async write(text) {
			if (process.stdout.write(text)) return;
			await Promise.race([closed, new Promise((resolve) => process.stdout.once("drain", resolve))]);
		},
	};
}
