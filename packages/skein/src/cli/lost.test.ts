// The command over the files of a node: what it lists, shows and removes. Replaying: lost/replay.test.ts.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const door = fileURLToPath(new URL("../../bin/skein.js", import.meta.url));

let data: string;

beforeEach(() => {
	data = mkdtempSync(join(tmpdir(), "skein-lost-"));
	mkdirSync(join(data, "log"));
});

afterEach(() => {
	rmSync(data, { recursive: true, force: true });
});

async function lost(...words: readonly string[]) {
	const child = spawn(process.execPath, [door, "lost", ...words, "--data", data], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	let said = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
	child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
	const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
	return { status, said };
}

const pathOf = (name: string): string => join(data, "lost", `${name}.json`);

function write(name: string, content: string): void {
	mkdirSync(join(data, "lost"), { recursive: true });
	writeFileSync(pathOf(name), content);
}

function reportOf(term: number, index: number, idempotencyKey: string): string {
	return JSON.stringify({
		term,
		index,
		clusterId: "c",
		certain: true,
		client: "n1/1",
		idempotencyKey,
		wallTimeMs: 0,
		acknowledgement: "async",
		changes: [],
		isCut: false,
	});
}

test("a directory that is no node's is refused, not taken for one where nothing was lost", async () => {
	expect(await lost("list")).toEqual({ status: 0, said: "nothing is reported as lost\n" });
	rmSync(join(data, "log"), { recursive: true });
	const { status, said } = await lost("list");
	expect(said).toMatch(/is not the data directory of a node/);
	expect(status).toBe(2);
});

test("one damaged report does not hide the others, and a line break in a key does not tear the table", async () => {
	write("3-17", reportOf(3, 17, "key\n1"));
	write("3-9", '{ "term": 3');
	write("4-1", reportOf(4, 1, "other"));
	const { status, said } = await lost("list");
	expect(status).toBe(0);
	expect(said).toMatch(/3-9 .*damaged.*\n.*3-17 .*key\\n1 .* async .*\n.*4-1 .* other /);
	const { said: json } = await lost("list", "--json");
	expect(JSON.parse(json)).toMatchObject([{ name: "3-9" }, { term: 3, index: 17 }, { term: 4, index: 1 }]);
	expect(await lost("show", "3-9")).toMatchObject({ status: 1, said: expect.stringMatching(/is damaged/) });
});

test("a report is dismissed when that is confirmed, and dismissing it again does nothing", async () => {
	write("3-17", reportOf(3, 17, "key"));
	write("3-18", "damaged");
	expect(await lost("dismiss", "3-17")).toMatchObject({ status: 2 });
	expect(existsSync(pathOf("3-17"))).toBe(true);
	for (const name of ["3-17", "3-18"]) {
		expect(await lost("dismiss", name, "--yes")).toMatchObject({ status: 0 });
		expect(existsSync(pathOf(name))).toBe(false);
		expect(await lost("dismiss", name, "--yes")).toMatchObject({ status: 0 });
	}
	expect((await lost("list")).said).toMatch(/nothing is reported/);
});
