// The shell and `skein sql` against the real API, over a SQLite in memory.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../../../client/src/index.ts";
import { startTestApi } from "../../api/testing/test-api.ts";
import { commandLineClient } from "../client-options.ts";
import { runShell } from "./shell.ts";

const door = fileURLToPath(new URL("../../../bin/skein.js", import.meta.url));

async function openShell(url: string) {
	const folder = mkdtempSync(join(tmpdir(), "skein-shell-"));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	const input = new PassThrough();
	const output = new PassThrough();
	const historyPath = join(folder, "history");
	let text = "";
	output.setEncoding("utf8").on("data", (chunk: string) => (text += stripVTControlCharacters(chunk)));
	const client = connect(url, commandLineClient);
	const ended = runShell(client, { url: [url], json: false }, { input, output, historyPath });
	/** Types a line, and resolves with what was printed until the pattern. */
	const type = async (typed: string, until: RegExp): Promise<string> => {
		const start = text.length;
		input.write(typed);
		const deadline = performance.now() + 5_000;
		while (!until.test(text.slice(start))) {
			if (performance.now() > deadline) throw new Error(`no ${until} in: ${text.slice(start)}`);
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		return text.slice(start);
	};
	return { type, ended, input, historyPath };
}

test("statements over several lines, transactions over several statements", async () => {
	await using api = await startTestApi();
	const { type, ended, historyPath } = await openShell(api.url);
	await type("create table goose (id integer primary key,\r", /\.\.\.> $/);
	await type("name text);\r", /OK .*\nskein> $/);
	await type("begin;\r", /skein\*> $/);
	await type("insert into goose (name) values ('Akka');\r", /1 changed.*\nskein\*> $/);
	await type("rollback;\r", /skein> $/);
	expect(await type("select count(*) as geese from goose;\r", /1 row/)).toContain("│     0 │");
	expect(await type(".tables\r", /skein> $/)).toContain("goose");
	expect(await type(".schema goose\r", /skein> $/)).toContain("name text);");
	expect(await type(".tabels\r", /skein> $/)).toContain("There is no .tabels");
	expect(await type("selec 1; select 2;\r", /skein> $/)).not.toContain("1 row");
	await type("begin;\r", /skein\*> $/);
	await type(".quit\r", /is rolled back/);
	await ended;
	expect(api.service.openStreams()).toBe(0);
	expect(readFileSync(historyPath, "utf8")).toContain("select count(*) as geese from goose;\n");
	expect(statSync(historyPath).mode & 0o777).toBe(0o600);
});

test("Ctrl-C takes back what is typed, and gives up the statement that runs", async () => {
	await using api = await startTestApi();
	const { type, ended, input } = await openShell(api.url);
	await type("select 'half\r", /\.\.\.> $/);
	await type("a line\u0003", /\^C\nskein> $/);
	await type("select 1;\r", /1 row/);
	const letGo = api.service.hold();
	input.write("select 2;\r");
	while (api.service.programs.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
	await type("\u0003", /ABORTED/);
	letGo();
	expect(await type("select 3;\r", /1 row/)).toContain("│ 3 │");
	await type("\u0004", /$/);
	await ended;
});

interface Case {
	readonly script: string;
	readonly exitCode: number;
	readonly prints: RegExp;
}

const scripts: readonly Case[] = [
	{
		script: "create table t (a); insert into t values (1.0);\nselect a from t -- the end",
		exitCode: 0,
		prints: /│ 1\.0 │/,
	},
	{
		script: "select 1; select * from nowhere; select 3;",
		exitCode: 1,
		prints:
			/│ 1 │[^]*no such table: nowhere\nAt statement 2, line 1: select \* from nowhere;\nKept: statement 1\n/,
	},
	{
		script:
			"create table t (a);\n-- more\ninsert into t values (1);\nbegin;\ninsert into t values (2);\n\nselec 1;",
		exitCode: 1,
		prints: /At statement 5, line 7: selec 1;\nKept: statements 1 to 2; rolled back: statements 3 to 4\n/,
	},
	{ script: "begin;\nselec 1", exitCode: 1, prints: /line 2: selec 1\nRolled back: statement 1\n/ },
	{ script: "selec 1", exitCode: 1, prints: /^Error: SQLITE_ERROR: near "selec": syntax error\n$/ },
	{
		script: "begin; create table u (a);",
		exitCode: 1,
		prints: /left a transaction open[^]*Rolled back: statements 1 to 2/,
	},
	{ script: "-- nothing", exitCode: 0, prints: /^$/ },
];

test.each(scripts)("a script from stdin: $script", async ({ script, exitCode, prints }) => {
	await using api = await startTestApi();
	const child = spawn(process.execPath, [door, "sql", "--url", api.url]);
	let text = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
	}
	child.stdin.end(script);
	expect(await new Promise((resolve) => child.once("close", resolve))).toBe(exitCode);
	expect(text).toMatch(prints);
	expect(text).not.toContain("│ 3 │");
});

test("a script whose reader has enough ends quietly, and runs no further", async () => {
	await using api = await startTestApi();
	const child = spawn(process.execPath, [door, "sql", "--url", api.url]);
	let errors = "";
	child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
	const ended = new Promise((resolve) => child.once("close", resolve));
	child.stdin.write("begin; select 1;");
	await new Promise((resolve) => child.stdout.once("data", resolve));
	child.stdout.destroy();
	await new Promise((resolve) => child.stdout.once("close", resolve));
	child.stdin.write("select 2;");
	await expect.poll(() => api.service.programs.length).toBe(3);
	child.stdin.end("select 3; select 4;".repeat(20));
	expect(await ended).toBe(1);
	expect(errors).toBe("");
	expect(api.service.programs.length).toBeLessThan(6);
	expect(api.service.openStreams()).toBe(0);
});
