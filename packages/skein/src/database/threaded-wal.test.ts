// The log format wal with threads: reads go on while transactions are committed and taken back, and see only what was committed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { databaseFileName } from "./connection.ts";
import { formatRequest, requestOf } from "./testing/members.ts";
import { openDatabase } from "./threaded-database.ts";

const limit = { timeoutMs: 20_000 };

test("reads on other threads see what is committed, and the index that it is of", async () => {
	const directory = mkdtempSync(join(tmpdir(), "skein-threads-"));
	const database = await openDatabase({
		directory,
		onFailure: (error) => {
			throw error;
		},
	});
	let index = 0;
	const commit = (): Promise<void> => database.commit({ index: ++index, term: 1 });
	await database.prepareToLead();
	for (const request of [
		requestOf(["create table t (n integer)", "insert into t values (2)"]),
		formatRequest("wal"),
	]) {
		await database.execute([request]);
		await commit();
	}
	database.hurry();
	let reading = true;
	let reads = 0;
	const { program } = requestOf([
		"select n from t",
		"select count(*) from sqlite_schema where name = 'lost'",
	]);
	const readers = [1, 2, 3].map(async () => {
		while (reading) {
			const { outcome, applied } = await database.read(program, limit);
			expect(outcome.errors).toEqual([null, null]);
			expect(outcome.results.map((result) => result?.rows)).toEqual([[[BigInt(applied.index)]], [[0n]]]);
			reads++;
		}
	});
	for (let round = 0; round < 300; round++) {
		await database.execute([requestOf(["update t set n = n + 1000", "create table lost (x)"])]);
		await database.rollback();
		await database.execute([requestOf(["update t set n = n + 1"])]);
		const done = commit();
		database.hurry();
		await done;
	}
	reading = false;
	await Promise.all(readers);
	expect(reads).toBeGreaterThan(100);
	await database.close();
	rmSync(directory, { recursive: true });
});

test("a process that ends without closing leaves the write-ahead file: what is not taken back is not in the main file", () => {
	const directory = mkdtempSync(join(tmpdir(), "skein-threads-"));
	const child = join(directory, "child.mjs");
	const from = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
	writeFileSync(
		child,
		`
import { openDatabase } from ${from("./threaded-database.ts")};
import { requestOf } from ${from("./testing/members.ts")};
const database = await openDatabase({ directory: ${JSON.stringify(directory)}, onFailure: (error) => { throw error; } });
await database.prepareToLead();
await database.execute([requestOf(["create table t (x)"])]);
const done = database.commit({ index: 1, term: 1 });
database.hurry();
await done;
process.exit(7);`,
	);
	expect(spawnSync(process.execPath, [child], { stdio: ["ignore", "ignore", "inherit"] }).status).toBe(7);
	expect(statSync(`${join(directory, databaseFileName)}-wal`).size).toBeGreaterThan(0);
	rmSync(directory, { recursive: true });
});
