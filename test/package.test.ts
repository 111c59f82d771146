// What `npm pack` makes, installed somewhere else: its command runs a cluster, its entries can be imported, with types.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { freePortRow, isAlive, startDev } from "./support/dev-process.ts";

const root = resolve(import.meta.dirname, "..");
const elsewhere = mkdtempSync(join(tmpdir(), "skein-package-"));
const npm = ["--no-audit", "--no-fund", "--loglevel=error"];

beforeAll(() => {
	const packed = join(elsewhere, "packed");
	const application = join(elsewhere, "application");
	mkdirSync(packed);
	mkdirSync(application);
	run("npm", ["pack", "-w", "skein", "--pack-destination", packed, "--loglevel=error"], root);
	const [tarball] = readdirSync(packed);
	expect(tarball).toMatch(/^skein-.*\.tgz$/);
	writeFileSync(join(application, "package.json"), '{ "private": true, "type": "module" }\n');
	run("npm", ["install", ...npm, join(packed, tarball ?? "")], application);
});

afterAll(() => rmSync(elsewhere, { recursive: true, force: true }));

const application = join(elsewhere, "application");

function run(command: string, commandLine: readonly string[], directory: string = application): string {
	return execFileSync(command, commandLine, {
		cwd: directory,
		encoding: "utf8",
		stdio: ["ignore", "pipe", "pipe"],
	});
}

test("the command runs, and states the version of the package", () => {
	expect(run("npx", ["skein", "--version"])).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("skein dev runs a cluster that answers, and leaves nothing behind", async () => {
	const port = await freePortRow(3);
	// Not through npx: the signal is for skein.
	const command = join(application, "node_modules/.bin/skein");
	const dev = startDev([command], { directory: application, port });
	onTestFinished(() => void dev.child.kill("SIGKILL"));
	await dev.prints(/Stop: /);
	const pids = [...dev.pids().values()];
	expect(pids).toHaveLength(3);

	const sql = [
		"skein",
		"sql",
		"--json",
		"--url",
		`http://127.0.0.1:${port}`,
		"create table t (a integer primary key); insert into t values (41 + 1); select * from t",
	];
	const lines = run("npx", sql).trim().split("\n");
	expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ columns: ["a"], rows: [[42]] });

	dev.child.kill("SIGINT");
	expect(await dev.ended).toEqual([0, null]);
	expect(pids.filter(isAlive)).toEqual([]);
});

test("its entries can be imported, with types", async () => {
	const program = `
import { open, type Member } from "skein";
import { connect, SkeinError, type Result } from "skein/client";

const client = connect("http://127.0.0.1:" + process.argv[3], { connectTimeoutMs: 10 });
const failure: unknown = await client.execute("select 1").catch((error: unknown) => error);
if (!(failure instanceof SkeinError) || failure.code !== "UNREACHABLE") throw new Error("not as expected");

const port = Number(process.argv[2]);
const member: Member = await open({
	id: "n1",
	data: "embedded",
	listen: { host: "127.0.0.1", port },
	peer: { host: "127.0.0.1", port: port + 10_000 },
});
await member.execute("create table t (id integer primary key, name text)");
await member.batch([{ sql: "insert into t (name) values (?)", args: ["Akka"] }, "insert into t (name) values ('Yksi')"]);
for (const [sql, args] of [["delete from t\\0 where id = 1", []], ["select ?", ["\\ud800"]]] as const) {
	const refusal: unknown = await member.execute(sql, args).catch((error: unknown) => error);
	if ((refusal as { code?: unknown }).code !== "BAD_REQUEST") throw new Error("not refused: " + sql);
}
const result: Result = await member.execute("select id, name from t");
const same = await connect(member.url).execute("select id, name from t");
console.log(JSON.stringify([result.rows, same.rows]));
await member.close();
process.exit();
`;
	writeFileSync(join(application, "program.ts"), program);
	const compiler = join(root, "node_modules/.bin/tsc");
	const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node"];
	// Types of Node are the application's own business.
	const typeRoots = ["--typeRoots", join(root, "node_modules/@types")];
	run(compiler, [...flags, ...typeRoots, "program.ts"]);

	const port = await freePortRow(2);
	const output = run(process.execPath, ["program.ts", String(port), String(port + 1)]);
	const rows = [
		[1, "Akka"],
		[2, "Yksi"],
	];
	expect(JSON.parse(output)).toEqual([rows, rows]);
});
