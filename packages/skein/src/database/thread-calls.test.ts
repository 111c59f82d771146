// A commit is told of quietly: without a message of its own, and yet in time to whoever waits.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { WriteRequest } from "./database.ts";
import { openDatabase, type ThreadedDatabase } from "./threaded-database.ts";

let directory: string;
let database: ThreadedDatabase;

beforeEach(async () => {
	directory = mkdtempSync(join(tmpdir(), "skein-thread-calls-"));
	database = await openDatabase({
		directory,
		onFailure(error) {
			throw error;
		},
	});
	await database.prepareToLead();
	await database.execute([request("CREATE TABLE t (v)")]);
	await database.commit({ index: 1, term: 1 });
});

afterEach(async () => {
	await database.close();
	rmSync(directory, { recursive: true, force: true });
});

function request(sql: string): WriteRequest {
	return {
		program: {
			steps: [{ condition: null, statement: { sql, arguments: [], namedArguments: [], wantRows: true } }],
		},
		foreignKeys: true,
		interactive: false,
		idempotencyKey: null,
		note: null,
		receivedAtMs: 0,
		timeoutMs: 60_000,
	};
}

const endless = (rows: number): string =>
	`INSERT INTO t WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c LIMIT ${rows}) SELECT count(*) FROM c`;

async function orderOf(named: Readonly<Record<string, Promise<unknown>>>): Promise<string[]> {
	const order: string[] = [];
	await Promise.all(Object.entries(named).map(([name, promise]) => promise.then(() => order.push(name))));
	return order;
}

test("a commit before the next batch is told before that batch", async () => {
	await database.execute([request("INSERT INTO t VALUES (1)")]);
	const commit = database.commit({ index: 2, term: 1 });
	const next = database.execute([request("INSERT INTO t VALUES (2)")]);
	expect(await orderOf({ next, commit })).toEqual(["commit", "next"]);
});

test("whoever hurries hears of a commit while the batch behind it still runs", async () => {
	await database.execute([request("INSERT INTO t VALUES (1)")]);
	const commit = database.commit({ index: 2, term: 1 });
	const long = database.execute([request(endless(3_000_000))]);
	database.hurry();
	let isLongDone = false;
	void long.then(() => {
		isLongDone = true;
	});
	await commit;
	expect(isLongDone).toBe(false);
	await long;
});

test("a commit that fails rejects at once, and so does the next; then all is told again", async () => {
	// Nothing is open, so there is nothing to commit.
	await expect(database.commit({ index: 2, term: 1 })).rejects.toThrow("no transaction is active");
	await expect(database.commit({ index: 2, term: 1 })).rejects.toThrow("no transaction is active");
	await database.execute([request("INSERT INTO t VALUES (1)")]);
	await database.commit({ index: 2, term: 1 });
	await database.execute([request("INSERT INTO t VALUES (2)")]);
	await database.commit({ index: 3, term: 1 });
});
