// The interactive shell: lines become statements, a transaction may span many of them, Ctrl-C takes back a line.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { styleText } from "node:util";
import type { Client, Stream } from "../../../../client/src/index.ts";
import { clusterStatus, statusTable } from "../status/cluster-status.ts";
import { errorText } from "./show-error.ts";
import { jsonOf, tableOf } from "./show-result.ts";
import { cutStatements } from "./statement-reader.ts";

interface ShellOptions {
	readonly url: readonly string[];
	readonly json: boolean;
}

export interface Terminal {
	readonly input: NodeJS.ReadableStream;
	readonly output: NodeJS.WritableStream;
	readonly historyPath: string;
}

interface Shell {
	readonly client: Client;
	readonly stream: Stream;
	readonly options: ShellOptions;
	readonly lines: Interface;
	readonly say: (text: string) => void;
	/** Lines that are no whole statement yet. */
	pending: string;
	/** The statement that runs now can be given up with this. */
	running: AbortController | null;
}

const historyLines = 1_000;

export async function runShell(client: Client, options: ShellOptions, terminal: Terminal): Promise<void> {
	const lines = createInterface({
		input: terminal.input,
		output: terminal.output,
		terminal: true,
		history: readHistory(terminal.historyPath),
		historySize: historyLines,
		removeHistoryDuplicates: true,
	});
	const say = (text: string): void => void terminal.output.write(`${text}\n`);
	const shell: Shell = {
		client,
		stream: client.openStream(),
		options,
		lines,
		say,
		pending: "",
		running: null,
	};
	say(`Skein at ${options.url.join(", ")}. Statements end with ";"; .help says more, Ctrl-D leaves.`);
	lines.on("history", (history) => writeHistory(terminal.historyPath, history));
	lines.on("SIGINT", () => interrupt(shell));
	prompt(shell);
	// Lines that arrive while a statement runs wait in readline, in order.
	for await (const line of lines) {
		if ((await runLine(shell, line)) === "quit") break;
		prompt(shell);
	}
	lines.close();
	if (!shell.stream.isAutocommit) say("The open transaction is rolled back.");
	await shell.stream.close();
}

function prompt(shell: Shell): void {
	const mark = shell.stream.isAutocommit ? ">" : "*>";
	shell.lines.setPrompt(shell.pending === "" ? `skein${mark} ` : `  ...${mark} `);
	shell.lines.prompt();
}

function interrupt(shell: Shell): void {
	if (shell.running !== null) {
		shell.running.abort();
		return;
	}
	const isEmpty = shell.pending === "" && shell.lines.line === "";
	shell.pending = "";
	// Takes the typed characters out of the editor.
	shell.lines.write(null, { ctrl: true, name: "e" });
	shell.lines.write(null, { ctrl: true, name: "u" });
	shell.say(isEmpty ? "^C  (.quit or Ctrl-D leaves)" : "^C");
	prompt(shell);
}

async function runLine(shell: Shell, line: string): Promise<"quit" | "go on"> {
	if (shell.pending === "" && line.trim().startsWith(".")) return runCommand(shell, line.trim());
	const cut = cutStatements(`${shell.pending}${line}\n`);
	shell.pending = cut.rest;
	for (const statement of cut.statements) {
		// What follows a failed statement on the same line was written for its success.
		if (!(await runStatement(shell, statement))) break;
	}
	return "go on";
}

async function runStatement(shell: Shell, statement: string): Promise<boolean> {
	const wasInTransaction = !shell.stream.isAutocommit;
	const startedAt = performance.now();
	shell.running = new AbortController();
	try {
		const result = await shell.stream.execute(statement, [], { signal: shell.running.signal });
		const text = shell.options.json ? jsonOf(result) : tableOf(result);
		const changed = result.changes > 0 ? `${result.changes} changed, ` : "";
		const took = `${changed}${(performance.now() - startedAt).toFixed(1)} ms`;
		shell.say(`${text === "" ? "OK" : text} ${styleText("dim", `(${took})`)}`);
		return true;
	} catch (error) {
		shell.say(`${styleText("red", "Error:")} ${errorText(error)}`);
		if (wasInTransaction && shell.stream.isAutocommit) shell.say("The transaction is rolled back.");
		return false;
	} finally {
		shell.running = null;
	}
}

const help = `.tables           the tables and views
.schema [TABLE]   how they were created
.status           the nodes of the cluster
.help             this text
.quit             leaves (so does Ctrl-D)
Anything else is SQL: over as many lines as you like, until ";". Ctrl-C takes back what is typed, or gives
up the statement that runs. BEGIN … COMMIT work over several statements; the prompt shows an open
transaction with a star.`;

async function runCommand(shell: Shell, line: string): Promise<"quit" | "go on"> {
	const [command = "", argument] = line.replace(/;$/, "").split(/\s+/);
	switch (command) {
		case ".quit":
		case ".exit":
			return "quit";
		case ".help":
			shell.say(help);
			return "go on";
		case ".tables":
			await printNames(shell);
			return "go on";
		case ".schema":
			await printSchema(shell, argument ?? null);
			return "go on";
		case ".status":
			await printStatus(shell);
			return "go on";
		default:
			shell.say(`There is no ${command}. Commands: .tables .schema .status .help .quit`);
			return "go on";
	}
}

async function printStatus(shell: Shell): Promise<void> {
	try {
		shell.say(statusTable(await clusterStatus(shell.client)));
	} catch (error) {
		shell.say(`${styleText("red", "Error:")} ${errorText(error)}`);
	}
}

/** Tables of SQLite's own and of Skein's are not the user's business here. */
const schemaQuery = `select name, sql from sqlite_schema
	where name not like 'sqlite\\_%' escape '\\' and name not like 'skein\\_%' escape '\\'`;

async function printNames(shell: Shell): Promise<void> {
	await query(shell, `${schemaQuery} and type in ('table', 'view') order by name`, [], (row) => row[0]);
}

async function printSchema(shell: Shell, table: string | null): Promise<void> {
	const condition = "and sql is not null and (?1 is null or tbl_name = ?1 collate nocase)";
	await query(
		shell,
		`${schemaQuery} ${condition} order by tbl_name, rowid`,
		[table],
		(row) => `${String(row[1])};`,
	);
}

async function query(
	shell: Shell,
	sql: string,
	args: readonly (string | null)[],
	show: (row: readonly unknown[]) => unknown,
): Promise<void> {
	try {
		const result = await shell.stream.execute(sql, args);
		shell.say(result.rows.length === 0 ? "(none)" : result.rows.map(show).join("\n"));
	} catch (error) {
		shell.say(`${styleText("red", "Error:")} ${errorText(error)}`);
	}
}

function readHistory(path: string): string[] {
	try {
		return readFileSync(path, "utf8").split("\n").filter(Boolean).reverse().slice(0, historyLines);
	} catch {
		return [];
	}
}

/** Newest first in memory, newest last in the file. Only for the owner: statements may hold secrets. */
function writeHistory(path: string, history: readonly string[]): void {
	try {
		writeFileSync(path, `${[...history].reverse().join("\n")}\n`, { mode: 0o600 });
	} catch {
		// A home that cannot be written to: then there is no history.
	}
}
